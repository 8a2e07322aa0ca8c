//! `mmd.json`: unbiased MMD² by alibi-detect, in double precision by numpy.

use ndarray::Array2;
use sdd_stats::two_sample::mmd::{Bandwidth, Mmd};
use sdd_stats::two_sample::permutation_p_value;
use serde_json::Value;

use super::{assert_close, cases, count, golden, matrix, number, numbers};

/// A column a permutation, with 1 for the rows after the first `n` it names.
fn marks(permutations: &Value, n: usize) -> Array2<f64> {
    let permutations = permutations.as_array().unwrap();
    let rows = permutations[0].as_array().unwrap().len();
    let mut marks = Array2::zeros((rows, permutations.len()));
    for (column, permutation) in permutations.iter().enumerate() {
        for row in &permutation.as_array().unwrap()[n..] {
            marks[[count(row), column]] = 1.0;
        }
    }
    marks
}

#[test]
fn statistics_permutations_and_p_values() {
    let document = golden("mmd.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let (reference, current) = (matrix(&case["reference"]), matrix(&case["current"]));
        let marks = marks(&case["permutations"], count(&case["n"]));
        for result in case["results"].as_array().unwrap() {
            let name = format!("{} {}", case["name"], result["bandwidth"]);
            // Each bandwidth of the file as its σ: how it is chosen differs between implementations.
            let bandwidth = Bandwidth::Fixed(number(&result["sigma"]));
            let mmd = Mmd::new(reference.view(), current.view(), bandwidth).unwrap();
            // The tighter of the two tolerances: this is a port in double precision.
            let in_double = &tolerance["mmd2_float64_port"];
            let observed = mmd.mmd2();
            assert_close(observed, number(&result["mmd2"]), in_double, &name);

            let permuted = mmd.mmd2_of(marks.view());
            let expected = numbers(&result["permuted_mmd2"]);
            assert_eq!(permuted.len(), expected.len());
            for (found, expected) in permuted.iter().zip(expected) {
                assert_close(*found, expected, in_double, &name);
            }
            let at_least = permuted.iter().filter(|value| **value >= observed).count();
            assert_eq!(at_least, count(&result["count_ge"]), "{name}");
            let p_value = permutation_p_value(observed, &permuted);
            assert_close(p_value, number(&result["p_value"]), &tolerance["p_value"], &name);
        }
    }
}
