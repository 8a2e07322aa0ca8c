//! The relative Mahalanobis distance against numbers from scikit-learn and `NumPy`.
//!
//! `mahalanobis.json` is written by `scripts/train/make_golden_mahalanobis.py`; one in the folder that
//! `SDD_GOLDEN_DIR` names goes before it.

use std::path::PathBuf;

use ndarray::Array2;
use sdd_drift::mahalanobis::RelativeMahalanobis;
use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::Normalization;
use serde_json::Value;

use crate::support::{folder, store};

fn golden() -> Value {
    const NAME: &str = "mahalanobis.json";
    let other = std::env::var_os("SDD_GOLDEN_DIR").map(|folder| PathBuf::from(folder).join(NAME));
    let shipped = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(NAME);
    let path = other.filter(|path| path.is_file()).unwrap_or_else(shipped);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// Inputs are float32 values, written out exactly.
#[allow(clippy::cast_possible_truncation)]
fn matrix(value: &Value) -> Array2<f32> {
    let rows = list(value);
    let columns = list(&rows[0]).len();
    Array2::from_shape_fn((rows.len(), columns), |(i, j)| number(&rows[i][j]) as f32)
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: &Value, what: &str) {
    let allowed = number(&tolerance["abs"]) + number(&tolerance["rel"]) * expected.abs();
    let difference = (found - expected).abs();
    assert!(difference <= allowed, "{what}: {found} is not {expected}, off by {difference:e}");
}

#[test]
fn scores_are_those_of_the_definition() {
    let document = golden();
    let tolerance = &document["tolerance"];
    assert!(!list(&document["cases"]).is_empty());
    for case in list(&document["cases"]) {
        let labels: Vec<&str> =
            list(&case["labels"]).iter().map(|label| label.as_str().unwrap()).collect();
        for normalization in [Normalization::None, Normalization::L2] {
            let folder = folder();
            let rows = matrix(&case["reference"]);
            let store = store(folder.path(), rows, normalization, &labels, &[]);
            let fitted = RelativeMahalanobis::of_store(&store).unwrap();
            let score = Score::new(ScoreMethod::Mahalanobis, 1).unwrap();
            let reference = Reference::uncalibrated(Box::new(store), score).unwrap();
            // Of unit vectors and norms the rows come back up to the last place of a float32.
            let tolerance = match normalization {
                Normalization::None => tolerance.clone(),
                Normalization::L2 => serde_json::json!({
                    "shrinkage": {"rel": 1e-5, "abs": 0.0}, "score": {"rel": 1e-4, "abs": 1e-4},
                }),
            };
            let name = format!("{} {normalization}", case["name"]);
            let shrinkage = number(&case["shrinkage"]);
            assert_close(fitted.shrinkage(), shrinkage, &tolerance["shrinkage"], &name);
            let queries = matrix(&case["queries"]);
            for (query, expected) in queries.rows().into_iter().zip(list(&case["score"])) {
                let found = reference.assess(&Query::new(&query.to_vec()), 0).unwrap().score;
                assert_close(found, number(expected), &tolerance["score"], &name);
            }
        }
    }
}
