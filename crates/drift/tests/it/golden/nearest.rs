//! Distances to the nearest images, and the mean L1 distance.

use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::Normalization;
use serde_json::Value;

use super::{assert_close, cases, count, golden, matrix, number, numbers};
use crate::support::{folder, store};

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
                let found = reference.assess(&Query::new(&query.to_vec()), k).unwrap();
                let expected = numbers(&result["sq_l2"][row]);
                let tolerance = &document["tolerance"]["sq_l2"];
                for (neighbor, expected) in found.neighbors.iter().zip(&expected) {
                    assert_close(neighbor.distance.powi(2), *expected, tolerance, &name);
                }
                assert_eq!(found.neighbors.len(), expected.len(), "{name}");
                assert_close(found.score.powi(2), expected[expected.len() - 1], tolerance, &name);
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
                let found = reference.assess(&Query::new(&query.to_vec()), 0).unwrap().score;
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
                let found = reference.assess(&Query::new(&query.to_vec()), 0).unwrap().score;
                let tolerance = &document["tolerance"]["l1_mean"];
                assert_close(found, number(&case["l1_mean"][row]), tolerance, &name);
            }
        }
    }
}
