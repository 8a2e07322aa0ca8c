//! Clopper–Pearson intervals.

use sdd_stats::interval::clopper_pearson;

use super::{assert_close, count, golden, list, number};

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
