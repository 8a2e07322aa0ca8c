//! Conformal p-values.

use sdd_stats::conformal::{PValueKind, PValues};

use super::{assert_close, cases, count, golden, number, numbers};

#[test]
fn conformal_p_values() {
    let document = golden("conformal.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let (n, delta) = (count(&case["n"]), number(&case["delta"]));
        let scores = numbers(&case["calibration"]);
        assert_eq!(scores.len(), n);
        let of = |scores: Vec<f64>, kind| PValues::of_images(scores, kind).unwrap();
        let marginal = of(scores.clone(), PValueKind::Marginal);
        let simes = of(scores, PValueKind::Simes { delta });
        // Of scores without ties, the p-value of one that j of them are below is 1 − a_j.
        let ranks = of((0..n).map(|rank| rank as f64).collect(), PValueKind::Simes { delta });
        for (below, expected) in (1..=n).zip(numbers(&case["a"])) {
            let found = 1.0 - ranks.p_value(below as f64 - 0.5);
            assert_close(found, expected, &tolerance["a"], "a");
        }
        for (i, score) in numbers(&case["test"]).into_iter().enumerate() {
            let name = format!("n {n} score {score}");
            let (found, conditional) = (marginal.p_value(score), simes.p_value(score));
            let at_least = count(&case["count_ge"][i]);
            assert_eq!(found, (1 + at_least) as f64 / (n + 1) as f64, "{name}");
            assert_close(found, number(&case["p_marginal"][i]), &tolerance["p_marginal"], &name);
            assert_close(conditional, number(&case["p_simes"][i]), &tolerance["p_simes"], &name);
        }
    }
}
