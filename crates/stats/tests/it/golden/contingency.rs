//! Chi-square tests of a class mix.

use sdd_stats::contingency::ChiSquare;
use sdd_stats::contingency::ContingencyTest;
use serde_json::Value;

use super::{assert_all_close, assert_close, cases, count, golden, number};

#[track_caller]
fn assert_chi_square(found: ChiSquare, expected: &Value, tolerance: &Value, what: &str) {
    assert_close(found.statistic, number(&expected["statistic"]), &tolerance["statistic"], what);
    assert_close(found.p_value, number(&expected["p"]), &tolerance["p"], what);
}

#[test]
fn chi_square_of_counts() {
    let document = golden("chi2.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let name = case["name"].as_str().unwrap();
        let counts = |row: &str| -> Vec<u64> {
            case[row].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
        };
        let test = ContingencyTest::new(&counts("reference_counts"), &counts("current_counts"));
        let test = test.unwrap();
        let contingency = &case["contingency"];
        assert_chi_square(test.contingency, contingency, tolerance, name);
        assert_eq!(test.contingency.degrees_of_freedom, count(&case["dof"]), "{name}");
        for (found, expected) in test.expected.iter().zip([0, 1]) {
            let expected = &contingency["expected"][expected];
            assert_all_close(found.iter().copied(), expected, &tolerance["statistic"], name);
        }
        let yates = &case["contingency_yates"];
        assert_eq!(test.contingency_yates.is_none(), yates.is_null(), "{name}");
        if let Some(found) = test.contingency_yates {
            assert_chi_square(found, yates, tolerance, name);
        }
        let (expected, fit) = test.goodness_of_fit().unwrap();
        assert_chi_square(fit, &case["goodness_of_fit"], tolerance, name);
        assert_eq!(fit.degrees_of_freedom, count(&case["goodness_of_fit"]["dof"]), "{name}");
        let golden = &case["goodness_of_fit"]["expected"];
        assert_all_close(expected, golden, &tolerance["statistic"], name);
        let smallest = number(&case["min_expected"]);
        assert_close(test.min_expected, smallest, &tolerance["statistic"], name);
    }
}
