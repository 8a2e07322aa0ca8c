//! Laws that hold for every input.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array2, ArrayView1};
use proptest::prelude::*;
use sdd_index::{FileStore, Filter, FlatIndex, Normalization, Record, StoreContents};

/// Matrices of small whole numbers: their distances are exact in `f32`, and many tie.
fn whole_numbers(
    rows: std::ops::Range<usize>,
    dimension: usize,
) -> impl Strategy<Value = Array2<f32>> {
    rows.prop_flat_map(move |rows| {
        prop::collection::vec(-3_i8..=3, rows * dimension).prop_map(move |values| {
            let values = values.into_iter().map(f32::from).collect();
            Array2::from_shape_vec((rows, dimension), values).unwrap()
        })
    })
}

/// Matrices of any numbers whose distances do not overflow.
fn numbers(rows: std::ops::Range<usize>, dimension: usize) -> impl Strategy<Value = Array2<f32>> {
    let value = prop_oneof![8 => -10.0_f32..10.0, 1 => Just(0.0), 1 => -1e-30_f32..1e-30];
    rows.prop_flat_map(move |rows| {
        prop::collection::vec(value.clone(), rows * dimension)
            .prop_map(move |values| Array2::from_shape_vec((rows, dimension), values).unwrap())
    })
}

fn label() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        prop::sample::select(vec!["a", "b", "ü\"\\"]).prop_map(|l| Some(l.to_owned()))
    ]
}

fn contents(normalization: Normalization) -> impl Strategy<Value = StoreContents> {
    (1_usize..6).prop_flat_map(move |dimension| {
        let rows = if normalization == Normalization::None {
            whole_numbers(1..40, dimension).boxed()
        } else {
            numbers(1..40, dimension).boxed()
        };
        rows.prop_flat_map(move |embeddings| {
            let labels = prop::collection::vec(label(), embeddings.nrows());
            labels.prop_map(move |labels| StoreContents {
                model: None,
                normalization,
                embeddings: embeddings.clone(),
                records: labels
                    .into_iter()
                    .enumerate()
                    .map(|(row, label)| Record { id: format!("id {row} \u{1F50D}"), label })
                    .collect(),
                attachments: BTreeMap::from([("notes".to_owned(), vec![0, 255, 10])]),
            })
        })
    })
}

fn squared(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
}

fn unit(row: ArrayView1<'_, f32>) -> Vec<f64> {
    let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    row.iter().map(|x| if norm > 0.0 { f64::from(*x) / norm } else { 0.0 }).collect()
}

/// All rows in ascending order of (distance, row): the naive way.
fn brute_force(rows: &Array2<f32>, query: ArrayView1<'_, f32>) -> Vec<(usize, f64)> {
    let mut all: Vec<_> =
        rows.outer_iter().enumerate().map(|(i, row)| (i, squared(row, query))).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all
}

fn write_and_open(contents: &StoreContents) -> FileStore {
    let folder = tempfile::tempdir().unwrap();
    FileStore::write(folder.path(), contents).unwrap();
    FileStore::open(folder.path()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn exact_search_equals_brute_force(
        (rows, queries) in (1_usize..9).prop_flat_map(|d| (whole_numbers(1..60, d), whole_numbers(0..40, d))),
        k in 1_usize..70,
    ) {
        let index = FlatIndex::from_rows(rows.view()).unwrap();
        let found = index.search(queries.view(), k).unwrap();
        prop_assert_eq!(found.len(), queries.nrows());
        for (query, nearest) in queries.outer_iter().zip(found) {
            let mut expected = brute_force(&rows, query);
            expected.truncate(k);
            let nearest: Vec<_> =
                nearest.iter().map(|n| (n.row, f64::from(n.distance_squared))).collect();
            prop_assert_eq!(nearest, expected);
        }
    }

    #[test]
    fn a_query_gets_the_same_answer_alone_and_in_any_batch(
        (rows, queries) in (1_usize..40).prop_flat_map(|d| (numbers(1..60, d), numbers(1..50, d))),
        k in 1_usize..10,
    ) {
        let index = FlatIndex::from_rows(rows.view()).unwrap();
        let together = index.search(queries.view(), k).unwrap();
        for (query, together) in queries.outer_iter().zip(together) {
            let alone = index.search(query.insert_axis(ndarray::Axis(0)), k).unwrap();
            prop_assert_eq!(&alone[0], &together);
        }
    }

    #[test]
    fn a_store_is_read_as_it_was_written(contents in contents(Normalization::None)) {
        let store = write_and_open(&contents);
        prop_assert_eq!(store.len(), contents.records.len());
        prop_assert_eq!(store.attachment("notes"), Some(&[0, 255, 10][..]));
        prop_assert_eq!(store.labels().iter().map(|l| l.count).sum::<usize>(), store.len());
        let given: HashMap<_, _> = contents.records.iter().zip(contents.embeddings.outer_iter()).collect();
        let embeddings = store.embeddings(Filter::All);
        let records = store.records(Filter::All);
        prop_assert_eq!(records.len(), given.len());
        for (record, embedding) in records.iter().zip(embeddings.outer_iter()) {
            prop_assert_eq!(given[record], embedding);
        }
        // Within a label, the order is the given one.
        for label in store.labels() {
            let of_label = |records: &[Record]| {
                let ids = records.iter().filter(|r| r.label == label.label).map(|r| r.id.clone());
                ids.collect::<Vec<_>>()
            };
            prop_assert_eq!(of_label(&records), of_label(&contents.records));
        }
    }

    #[test]
    fn norms_are_restored(contents in contents(Normalization::L2)) {
        let store = write_and_open(&contents);
        let given: HashMap<_, _> = contents.records.iter().zip(contents.embeddings.outer_iter()).collect();
        let embeddings = store.embeddings(Filter::All);
        for (record, embedding) in store.records(Filter::All).iter().zip(embeddings.outer_iter()) {
            for (found, expected) in embedding.iter().zip(given[record]) {
                let allowed = expected.abs() * 1.2e-7 + 1e-42;
                prop_assert!((found - expected).abs() <= allowed, "{found} and not {expected}");
            }
        }
    }

    #[test]
    fn searching_a_store_equals_brute_force_on_the_rows_of_the_label(
        contents in contents(Normalization::None),
        query in prop::collection::vec(-3_i8..=3, 6),
        k in 1_usize..50,
        label in label(),
    ) {
        let store = write_and_open(&contents);
        let query: Vec<f32> = query[..store.dimension()].iter().map(|x| f32::from(*x)).collect();
        let query = ArrayView1::from(&query);
        let filter = label.as_deref().map_or(Filter::All, Filter::Label);
        let records = store.records(filter);
        let mut expected = brute_force(&store.embeddings(filter), query);
        expected.truncate(k);
        let expected: Vec<_> = expected.iter().map(|(row, d)| (records[*row].clone(), *d)).collect();
        let found = store.search(query.insert_axis(ndarray::Axis(0)), k, filter).unwrap();
        let found: Vec<_> = found[0]
            .iter()
            .map(|n| {
                let record = Record { id: n.id.to_string(), label: n.label.as_deref().map(str::to_owned) };
                (record, f64::from(n.distance_squared))
            })
            .collect();
        prop_assert_eq!(found, expected);
        if let Some(label) = label {
            prop_assert_eq!(
                records.len(),
                contents.records.iter().filter(|r| r.label.as_ref() == Some(&label)).count()
            );
        }
    }

    #[test]
    fn with_l2_the_distances_are_those_of_unit_vectors(
        contents in contents(Normalization::L2),
        query in prop::collection::vec(-10.0_f32..10.0, 6),
        k in 1_usize..50,
    ) {
        let store = write_and_open(&contents);
        let query = ArrayView1::from(&query[..store.dimension()]);
        let unit_query = unit(query);
        let mut expected: Vec<f64> = contents
            .embeddings
            .outer_iter()
            .map(|row| unit(row).iter().zip(&unit_query).map(|(x, y)| (x - y).powi(2)).sum())
            .collect();
        expected.sort_by(f64::total_cmp);
        expected.truncate(k);
        let found = store.search(query.insert_axis(ndarray::Axis(0)), k, Filter::All).unwrap();
        prop_assert_eq!(found[0].len(), expected.len());
        for (neighbor, expected) in found[0].iter().zip(expected) {
            let found = f64::from(neighbor.distance_squared);
            prop_assert!((found - expected).abs() <= 1e-6, "{found} and not {expected}");
        }
    }
}
