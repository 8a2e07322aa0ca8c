//! Nearest neighbors against numbers of Python's FAISS and numpy; `SDD_GOLDEN_DIR` names another folder with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ndarray::Array2;
use sdd_index::{FileStore, Filter, FlatIndex, Normalization, Record, StoreContents};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    tolerance: Tolerances,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Tolerances {
    sq_l2: Tolerance,
    unit_kth_distance: Tolerance,
}

#[derive(Deserialize)]
struct Tolerance {
    rel: f64,
    abs: f64,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    reference: Vec<Vec<f32>>,
    queries: Vec<Vec<f32>>,
    results: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    k: usize,
    sq_l2: Vec<Vec<f64>>,
    sq_l2_f64: Vec<Vec<f64>>,
    ids: Vec<Vec<usize>>,
    ids_unambiguous: Vec<bool>,
    unit_kth_distance: Vec<f64>,
    unit_kth_distance_f64: Vec<f64>,
}

impl Tolerance {
    fn check(&self, found: f64, expected: f64, place: &str) {
        let allowed = self.abs + self.rel * expected.abs();
        assert!((found - expected).abs() <= allowed, "{place}: {found} and not {expected}");
    }
}

fn fixture() -> Fixture {
    let dir = std::env::var_os("SDD_GOLDEN_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")),
        PathBuf::from,
    );
    let path = dir.join("knn.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

fn matrix(rows: &[Vec<f32>]) -> Array2<f32> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn squared(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
}

#[test]
fn flat_search_gives_the_neighbors_of_python_faiss() {
    let Fixture { tolerance, cases } = fixture();
    for case in &cases {
        let index = FlatIndex::from_rows(matrix(&case.reference).view()).unwrap();
        for expected in &case.results {
            // There are no more neighbors than rows.
            let k = expected.k.min(case.reference.len());
            let found = index.search(matrix(&case.queries).view(), expected.k).unwrap();
            for (q, nearest) in found.iter().enumerate() {
                let place = format!("{} k={} query {q}", case.name, expected.k);
                assert_eq!(nearest.len(), k, "{place}");
                let rows: Vec<usize> = nearest.iter().map(|n| n.row).collect();
                if expected.ids_unambiguous[q] {
                    assert_eq!(rows, expected.ids[q], "{place}");
                }
                assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), k, "{place}");
                for (i, neighbor) in nearest.iter().enumerate() {
                    let distance = f64::from(neighbor.distance_squared);
                    tolerance.sq_l2.check(distance, expected.sq_l2[q][i], &place);
                    tolerance.sq_l2.check(distance, expected.sq_l2_f64[q][i], &place);
                    let own = squared(&case.reference[neighbor.row], &case.queries[q]);
                    tolerance.sq_l2.check(distance, own, &place);
                }
            }
        }
    }
}

#[test]
fn a_store_with_l2_gives_the_unit_distances_of_sun_2022() {
    let Fixture { tolerance, cases } = fixture();
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let record =
            |row: usize| Record { id: row.to_string(), label: Some((row % 4).to_string()) };
        let contents = StoreContents {
            model: None,
            normalization: Normalization::L2,
            embeddings: matrix(&case.reference),
            records: (0..case.reference.len()).map(record).collect(),
            attachments: BTreeMap::new(),
        };
        FileStore::write(folder.path(), &contents).unwrap();
        let store = FileStore::open(folder.path()).unwrap();
        for expected in &case.results {
            let queries = matrix(&case.queries);
            let found = store.search(queries.view(), expected.k, Filter::All).unwrap();
            for (q, nearest) in found.iter().enumerate() {
                let place = format!("{} k={} query {q}", case.name, expected.k);
                let kth = nearest.last().unwrap();
                let kth = f64::from(kth.distance_squared).sqrt();
                tolerance.unit_kth_distance.check(kth, expected.unit_kth_distance[q], &place);
                tolerance.unit_kth_distance.check(kth, expected.unit_kth_distance_f64[q], &place);
            }
        }
    }
}
