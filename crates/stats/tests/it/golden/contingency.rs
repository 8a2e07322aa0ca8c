//! Pearson's chi-square statistic of a class mix.

use sdd_stats::contingency::{Cell, Distance};

use super::{assert_close, cases, golden, number};

#[test]
fn chi_square_of_counts() {
    let document = golden("chi2.json");
    let tolerance = &document["tolerance"]["statistic"];
    for case in cases(&document) {
        let counts = |row: &str| -> Vec<u64> {
            case[row].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
        };
        let rows = counts("reference_counts").into_iter().zip(counts("current_counts"));
        let cells: Vec<_> = rows.map(|(a, b)| [a, b].map(Cell::of_images)).collect();
        let found = Distance::between(&cells).chi_square;
        let expected = number(&case["contingency"]["statistic"]);
        assert_close(found, expected, tolerance, case["name"].as_str().unwrap());
    }
}
