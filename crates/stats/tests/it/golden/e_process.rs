//! Paths of betting e-processes.

use sdd_stats::sequential::e_process::EProcessPath;

use super::{assert_all_close, cases, golden, number, numbers, optional_count};

#[test]
fn paths_of_given_bets() {
    let document = golden("eprocess.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let name = case["name"].as_str().unwrap();
        let (bets, outcomes) = (numbers(&case["lambda"]), numbers(&case["x"]));
        let path = EProcessPath::new(number(&case["a"]), &bets, &outcomes).unwrap();
        assert_all_close(path.wealth(), &case["e"], &tolerance["e"], name);
        let expected = &case["running_max"];
        assert_all_close(path.running_max(), expected, &tolerance["running_max"], name);
        let expected = &case["anytime_p"];
        assert_all_close(path.anytime_p_values(), expected, &tolerance["anytime_p"], name);
        let crossing = path.first_crossing(number(&case["threshold"]));
        assert_eq!(crossing, optional_count(&case["first_crossing"]), "{name}");
    }
}
