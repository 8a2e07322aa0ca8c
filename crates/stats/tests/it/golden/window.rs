//! Beta-binomial windows and Clopper–Pearson intervals.

use sdd_stats::conformal::ConditionalRate;
use sdd_stats::distributions::BetaBinomial;
use sdd_stats::sequential::{WindowTest, clopper_pearson};

use super::{assert_all_close, assert_close, count, golden, list, number};

#[test]
fn tails_and_cutoffs_of_windows() {
    let document = golden("window.json");
    let tolerance = &document["tolerance"];
    for case in list(&document, "tail") {
        let (n_cal, window) = (count(&case["n_cal"]), count(&case["window"]));
        let (alpha, size) = (number(&case["alpha"]), number(&case["size"]));
        let name = format!("n {n_cal} window {window} alpha {alpha}");
        let rate = ConditionalRate::new(n_cal, alpha).unwrap();
        assert_eq!([rate.a(), rate.b()], [count(&case["a"]), count(&case["b"])], "{name}");
        let test = WindowTest::new(n_cal, alpha, window).unwrap();
        let cutoff = test.cutoff(size);
        assert_eq!(cutoff, count(&case["cutoff"]), "{name}");
        let tail = |k: &serde_json::Value| test.upper_tail(count(k));
        for expected in ["tail_prob_exact", "tail_prob"] {
            let found = list(case, "tail_k").iter().map(tail);
            assert_all_close(found, &case[expected], &tolerance[expected], &name);
        }
        let margins = [test.upper_tail(cutoff) - size, test.upper_tail(cutoff - 1) - size];
        assert_all_close(margins, &case["margin_to_size"], &tolerance["tail_prob_exact"], &name);
        let naive = test.upper_tail(count(&case["binomial_cutoff"]));
        let expected = number(&case["true_size_of_binomial_cutoff"]);
        assert_close(naive, expected, &tolerance["tail_prob_exact"], &name);
        // The distribution alone gives the same.
        let distribution = BetaBinomial::new(window, rate.a(), rate.b()).unwrap();
        assert_eq!(distribution.cutoff(size), cutoff, "{name}");
    }
}

#[test]
fn intervals_of_shares() {
    let document = golden("window.json");
    let tolerance = &document["tolerance"]["clopper_pearson"];
    for case in list(&document, "clopper_pearson") {
        let (successes, trials) = (count(&case["count"]), count(&case["n"]));
        let alpha = number(&case["alpha"]);
        let name = format!("{successes} of {trials} alpha {alpha}");
        let interval = clopper_pearson(successes, trials, alpha).unwrap();
        assert_close(interval.low, number(&case["low"]), tolerance, &name);
        assert_close(interval.high, number(&case["high"]), tolerance, &name);
    }
}
