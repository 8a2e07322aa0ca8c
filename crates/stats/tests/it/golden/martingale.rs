//! Conformal test martingales.

use sdd_stats::sequential::{Bag, ConformalMartingale};

use super::{assert_close, cases, golden, number, numbers, optional_count};

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
        let mut test = ConformalMartingale::new(Bag::new(edges).unwrap(), &calibration).unwrap();
        let threshold = number(&case["threshold_log"]);
        let mut crossing = None;
        for (step, (score, tie_breaker)) in stream.into_iter().zip(numbers(&case["u"])).enumerate()
        {
            let what = format!("{name} step {step}");
            let p_value = test.observe(score, tie_breaker).unwrap();
            assert_close(p_value, number(&case["p"][step]), &tolerance["p"], &what);
            let expected = number(&case["log_martingale"][step]);
            assert_close(test.log_martingale(), expected, &tolerance["log_martingale"], &what);
            if test.log_martingale() >= threshold {
                crossing = crossing.or(Some(step));
            }
        }
        assert_eq!(crossing, optional_count(&case["first_crossing"]), "{name}");
    }
}
