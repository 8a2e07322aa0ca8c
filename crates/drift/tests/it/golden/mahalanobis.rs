//! The relative Mahalanobis distance against numbers from scikit-learn and `NumPy`: `mahalanobis.json`, which
//! `scripts/train/make_golden_mahalanobis.py` writes.

use sdd_drift::mahalanobis::RelativeMahalanobis;
use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::Normalization;

use super::{assert_close, cases, golden, list, matrix, number};
use crate::support::{folder, store};

#[test]
fn scores_are_those_of_the_definition() {
    let document = golden("mahalanobis.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let labels: Vec<&str> =
            list(case, "labels").iter().map(|label| label.as_str().unwrap()).collect();
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
            for (query, expected) in queries.rows().into_iter().zip(list(case, "score")) {
                let found = reference.assess(&Query::new(&query.to_vec()), 0).unwrap().score;
                assert_close(found, number(expected), &tolerance["score"], &name);
            }
        }
    }
}
