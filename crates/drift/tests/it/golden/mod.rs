//! Numbers from independent implementations: `knn.json` of sdd-index's tests, `conformal.json` of these.
//! `SDD_GOLDEN_DIR` names another folder with all of them.

mod ks;
mod mmd;

use std::path::PathBuf;

use ndarray::Array2;
use sdd_drift::conformal::{CalibrationScores, SimesCorrection, dkwm_epsilon, dkwm_p_value};
use sdd_drift::{Reference, Score, ScoreMethod};
use sdd_index::Normalization;
use serde_json::Value;

use crate::support::{folder, store};

fn golden(name: &str) -> Value {
    let place = if name == "knn.json" { "../index/tests/golden" } else { "tests/golden" };
    let shipped = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(place);
    let folder = std::env::var_os("SDD_GOLDEN_DIR").map_or_else(shipped, PathBuf::from);
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn cases(document: &Value) -> &Vec<Value> {
    let cases = document["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Inputs are float32 values, written out exactly.
#[allow(clippy::cast_possible_truncation)]
fn matrix(value: &Value) -> Array2<f32> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j] as f32)
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: &Value, what: &str) {
    let allowed = number(&tolerance["abs"]) + number(&tolerance["rel"]) * expected.abs();
    let difference = (found - expected).abs();
    assert!(difference <= allowed, "{what}: {found} is not {expected}, off by {difference:e}");
}

/// A reference of a case's rows, scored in this way.
fn reference(
    case: &Value,
    normalization: Normalization,
    method: ScoreMethod,
    k: usize,
) -> Reference {
    let folder = folder();
    let store = store(folder.path(), matrix(&case["reference"]), normalization, &[], &[]);
    Reference::uncalibrated(Box::new(store), Score::new(method, k).unwrap()).unwrap()
}

#[test]
fn nearest_neighbors() {
    let document = golden("knn.json");
    for case in cases(&document) {
        for result in case["results"].as_array().unwrap() {
            let k = count(&result["k"]);
            let reference = reference(case, Normalization::None, ScoreMethod::Knn, k);
            for (row, query) in matrix(&case["queries"]).rows().into_iter().enumerate() {
                let name = format!("{} k {k} query {row}", case["name"]);
                let found = reference.assess(&query.to_vec(), "", k).unwrap();
                let expected = numbers(&result["sq_l2"][row]);
                let tolerance = &document["tolerance"]["sq_l2"];
                for (neighbor, expected) in found.neighbors.iter().zip(&expected) {
                    assert_close(neighbor.distance.powi(2), *expected, tolerance, &name);
                }
                assert_close(found.score.powi(2), expected[k - 1], tolerance, &name);
                if result["ids_unambiguous"][row] == true {
                    let ids = found.neighbors.iter().map(|neighbor| neighbor.id.parse().unwrap());
                    let expected = result["ids"][row].as_array().unwrap().iter().map(count);
                    assert_eq!(ids.collect::<Vec<usize>>(), expected.collect::<Vec<_>>(), "{name}");
                }
            }
        }
    }
}

#[test]
fn unit_kth_distance() {
    let document = golden("knn.json");
    for case in cases(&document) {
        for result in case["results"].as_array().unwrap() {
            let k = count(&result["k"]);
            let reference = reference(case, Normalization::L2, ScoreMethod::Knn, k);
            for (row, query) in matrix(&case["queries"]).rows().into_iter().enumerate() {
                let name = format!("{} k {k} query {row}", case["name"]);
                let found = reference.assess(&query.to_vec(), "", 0).unwrap().score;
                let tolerance = &document["tolerance"]["unit_kth_distance"];
                assert_close(found, number(&result["unit_kth_distance"][row]), tolerance, &name);
            }
        }
    }
}

#[test]
fn mean_l1_whatever_the_store_normalizes() {
    let document = golden("knn.json");
    for case in cases(&document) {
        for normalization in [Normalization::None, Normalization::L2] {
            let reference = reference(case, normalization, ScoreMethod::MeanL1, 1);
            for (row, query) in matrix(&case["queries"]).rows().into_iter().enumerate() {
                let name = format!("{} {normalization} query {row}", case["name"]);
                let found = reference.assess(&query.to_vec(), "", 0).unwrap().score;
                let tolerance = &document["tolerance"]["l1_mean"];
                assert_close(found, number(&case["l1_mean"][row]), tolerance, &name);
            }
        }
    }
}

#[test]
fn conformal_p_values() {
    let document = golden("conformal.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let (n, delta) = (count(&case["n"]), number(&case["delta"]));
        let calibration = CalibrationScores::new(numbers(&case["calibration"])).unwrap();
        let simes = SimesCorrection::new(n, delta).unwrap();
        let epsilon = dkwm_epsilon(n, delta).unwrap();
        assert_eq!(calibration.len(), n);
        assert_close(epsilon, number(&case["dkwm_epsilon"]), &tolerance["p_dkwm"], "epsilon");
        for (found, expected) in simes.bounds().iter().zip(numbers(&case["a"])) {
            assert_close(*found, expected, &tolerance["a"], "a");
        }
        for (i, score) in numbers(&case["test"]).into_iter().enumerate() {
            let name = format!("n {n} score {score}");
            let at_least = calibration.count_at_least(score);
            let marginal = calibration.p_value(score);
            let conditional = simes.p_value(at_least);
            let banded = dkwm_p_value(marginal, epsilon);
            assert_eq!(at_least, count(&case["count_ge"][i]), "{name}");
            assert_close(marginal, number(&case["p_marginal"][i]), &tolerance["p_marginal"], &name);
            assert_close(conditional, number(&case["p_simes"][i]), &tolerance["p_simes"], &name);
            assert_close(banded, number(&case["p_dkwm"][i]), &tolerance["p_dkwm"], &name);
        }
    }
}
