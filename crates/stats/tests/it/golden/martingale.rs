//! Conformal test martingales.

use sdd_stats::sequential::{Bag, Evidence};

use super::{assert_close, cases, golden, number, numbers, optional_count};

/// The bets of the document: κ = 1/200, 3/200, … 199/200.
const BETTORS: usize = 100;

#[test]
fn paths_of_martingales() {
    let document = golden("conformal_martingale.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let name = case["name"].as_str().unwrap();
        let (calibration, stream) = (numbers(&case["calibration"]), numbers(&case["stream"]));
        // A cell for each score, so that only equal ones tie.
        let mut edges: Vec<f64> = calibration.iter().chain(&stream).copied().collect();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let cell = |score: f64| edges.partition_point(|edge| *edge < score);
        let (mut bag, mut evidence) = (Bag::default(), Evidence::new(BETTORS));
        for score in calibration {
            bag.insert(cell(score));
        }
        let threshold = number(&case["threshold_log"]);
        let mut crossing = None;
        for (step, (score, tie_breaker)) in stream.into_iter().zip(numbers(&case["u"])).enumerate()
        {
            let what = format!("{name} step {step}");
            let p_value = bag.p_value_of_greater(cell(score), tie_breaker);
            assert_close(p_value, number(&case["p"][step]), &tolerance["p"], &what);
            evidence.bet_on_p_value(p_value);
            bag.insert(cell(score));
            let expected = number(&case["log_martingale"][step]);
            assert_close(evidence.log_martingale(), expected, &tolerance["log_martingale"], &what);
            if evidence.log_martingale() >= threshold {
                crossing = crossing.or(Some(step));
            }
        }
        assert_eq!(crossing, optional_count(&case["first_crossing"]), "{name}");
    }
}
