//! Golden documents as numbers, and comparing with them: of these tests, those of sdd-drift, and those of the benches.

#![allow(dead_code, reason = "not every test program uses all of it")]

use ndarray::Array2;
use serde_json::Value;

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

/// Compares two lists, and their lengths.
#[track_caller]
pub fn assert_all_close(
    found: impl IntoIterator<Item = f64>,
    expected: &Value,
    tolerance: &Value,
    what: &str,
) {
    let (found, expected) = (found.into_iter().collect::<Vec<_>>(), numbers(expected));
    assert_eq!(found.len(), expected.len(), "{what}: how many");
    for (i, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        assert_close(found, expected, tolerance, &format!("{what} at {i}"));
    }
}

/// A list that is not empty.
#[track_caller]
pub fn list<'a>(document: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = document[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list
}

/// An index, or null.
pub fn optional_count(value: &Value) -> Option<usize> {
    (!value.is_null()).then(|| count(value))
}
