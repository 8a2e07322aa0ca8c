//! Conformal p-values.

use sdd_stats::conformal::{CalibrationScores, SimesCorrection};

use super::{assert_close, cases, count, golden, number, numbers};

#[test]
fn conformal_p_values() {
    let document = golden("conformal.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let (n, delta) = (count(&case["n"]), number(&case["delta"]));
        let calibration = CalibrationScores::new(numbers(&case["calibration"])).unwrap();
        let simes = SimesCorrection::new(n, delta).unwrap();
        assert_eq!(calibration.len(), n);
        for (found, expected) in simes.bounds().iter().zip(numbers(&case["a"])) {
            assert_close(*found, expected, &tolerance["a"], "a");
        }
        for (i, score) in numbers(&case["test"]).into_iter().enumerate() {
            let name = format!("n {n} score {score}");
            let at_least = calibration.count_at_least(score);
            let marginal = calibration.p_value(score);
            let conditional = simes.p_value(at_least);
            assert_eq!(at_least, count(&case["count_ge"][i]), "{name}");
            assert_close(marginal, number(&case["p_marginal"][i]), &tolerance["p_marginal"], &name);
            assert_close(conditional, number(&case["p_simes"][i]), &tolerance["p_simes"], &name);
        }
    }
}
