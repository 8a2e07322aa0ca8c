//! P-values of whole groups.

use sdd_stats::conformal::PValues;

use super::{assert_all_close, assert_close, cases, golden, number, numbers};

#[test]
fn p_values_of_groups() {
    let document = golden("group_conformal.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let name = case["name"].as_str().unwrap();
        let groups: Vec<Vec<f64>> =
            case["groups"].as_array().unwrap().iter().map(numbers).collect();
        let scores = PValues::of_groups(&groups).unwrap();
        let found = numbers(&case["test"]).into_iter().map(|score| scores.p_value(score));
        assert_all_close(found, &case["p"], &tolerance["p"], name);
        let smallest = number(&case["smallest_p"]);
        assert_close(scores.p_value(f64::INFINITY), smallest, &tolerance["smallest_p"], name);
    }
}
