//! Numbers from independent implementations, a file a subject: `knn.json` of sdd-index's tests, the others of
//! these. Files in the folder that `SDD_GOLDEN_DIR` names go before them.

mod mahalanobis;
mod nearest;

use std::path::PathBuf;

use ndarray::Array2;
use serde_json::Value;

pub fn golden(name: &str) -> Value {
    let place = if name == "knn.json" { "../index/tests/golden" } else { "tests/golden" };
    let shipped = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(place).join(name);
    let other = std::env::var_os("SDD_GOLDEN_DIR").map(|folder| PathBuf::from(folder).join(name));
    let path = other.filter(|path| path.is_file()).unwrap_or_else(shipped);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub fn cases(document: &Value) -> &Vec<Value> {
    let cases = document["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    cases
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

pub fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Inputs are float32 values, written out exactly.
#[allow(clippy::cast_possible_truncation)]
pub fn matrix(value: &Value) -> Array2<f32> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j] as f32)
}

#[track_caller]
pub fn assert_close(found: f64, expected: f64, tolerance: &Value, what: &str) {
    let allowed = number(&tolerance["abs"]) + number(&tolerance["rel"]) * expected.abs();
    let difference = (found - expected).abs();
    assert!(difference <= allowed, "{what}: {found} is not {expected}, off by {difference:e}");
}

/// A list that is not empty.
#[track_caller]
pub fn list<'a>(document: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = document[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list
}
