//! Ratios over groups.

use sdd_stats::group_ratio::GroupRatio;

use super::{assert_close, cases, golden, number, numbers};

#[test]
fn ratios_over_groups() {
    let document = golden("group_ratio.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let name = case["name"].as_str().unwrap();
        let mut ratio = GroupRatio::default();
        let (numerators, denominators) = (numbers(&case["y"]), numbers(&case["x"]));
        for (y, x) in numerators.into_iter().zip(denominators) {
            ratio.add(y, x);
        }
        assert_close(ratio.value().unwrap(), number(&case["ratio"]), tolerance, name);
        let effective = number(&case["effective_groups"]);
        assert_close(ratio.effective_groups(), effective, tolerance, name);
        let interval = ratio.interval(number(&case["alpha"])).unwrap().unwrap();
        assert_close(interval.low, number(&case["low"]), tolerance, name);
        assert_close(interval.high, number(&case["high"]), tolerance, name);
    }
}
