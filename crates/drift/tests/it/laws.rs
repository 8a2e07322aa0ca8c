//! What holds for all inputs.

use ndarray::{Array2, Axis};
use proptest::collection::vec;
use proptest::prelude::*;
use sdd_drift::mahalanobis::RelativeMahalanobis;
use sdd_drift::mean_l1::MeanL1;
use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::Normalization;

use crate::support::{folder, store};

fn rows(count: std::ops::Range<usize>, dimension: usize) -> impl Strategy<Value = Array2<f32>> {
    let value = prop_oneof![Just(0.0_f32), -10.0_f32..10.0, -1e4_f32..1e4];
    count.prop_flat_map(move |count| {
        let value = value.clone();
        vec(value, count * dimension)
            .prop_map(move |values| Array2::from_shape_vec((count, dimension), values).unwrap())
    })
}

fn naive_mean_l1(reference: &Array2<f32>, query: &[f32]) -> f64 {
    let distance = |(x, q): (&f32, &f32)| (f64::from(*q) - f64::from(*x)).abs();
    let rows = reference.rows();
    let sum: f64 = rows
        .into_iter()
        .flat_map(|row| row.to_vec())
        .zip(query.iter().cycle())
        .map(|(x, q)| distance((&x, q)))
        .sum();
    sum / reference.nrows() as f64
}

fn score(reference: &Array2<f32>, method: ScoreMethod, query: &[f32]) -> f64 {
    let folder = folder();
    let store = store(folder.path(), reference.clone(), Normalization::L2, &[], &[]);
    let score = Score::new(method, 2).unwrap();
    let reference = Reference::uncalibrated(Box::new(store), score).unwrap();
    reference.assess(&Query::new(query), 0).unwrap().score
}

proptest! {
    #[test]
    fn a_mahalanobis_distance_does_not_depend_on_the_order_of_classes_and_rows(
        a in rows(3..12, 4), b in rows(3..12, 4), query in rows(1..2, 4),
    ) {
        let query = query.row(0).to_vec();
        let score = |classes: &[Array2<f32>]| {
            RelativeMahalanobis::new(classes).map(|fitted| fitted.score(&query).unwrap())
        };
        let mut reversed = a.clone();
        reversed.invert_axis(Axis(0));
        if let Ok(score_ab) = score(&[a, b.clone()]) {
            let score_ba = score(&[b, reversed]).unwrap();
            prop_assert!(score_ab.is_finite());
            let off = (score_ab - score_ba).abs();
            prop_assert!(off <= 1e-5 * (1.0 + score_ab.abs()), "{} {}", score_ab, score_ba);
        }
    }

    #[test]
    fn the_fast_mean_l1_is_the_naive_one(reference in rows(1..30, 3), query in rows(1..2, 3)) {
        let query = query.row(0).to_vec();
        let naive = naive_mean_l1(&reference, &query);
        let fast = MeanL1::new(&reference).unwrap().score(&query).unwrap();
        prop_assert!((fast - naive).abs() <= 1e-12 * (1e4 + naive), "{} {}", fast, naive);
    }

    #[test]
    fn mean_l1_does_not_depend_on_the_order_of_the_rows(reference in rows(1..30, 2)) {
        let query = [0.5, -3.0];
        let mut reversed = reference.clone();
        reversed.invert_axis(Axis(0));
        let score = |rows: &Array2<f32>| MeanL1::new(rows).unwrap().score(&query).unwrap();
        prop_assert_eq!(score(&reference), score(&reversed));
    }
}

proptest! {
    // Each case writes a store to disk.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_neighbor_score_on_unit_vectors_ignores_the_length_of_the_query(
        reference in rows(2..20, 3), query in rows(1..2, 3), factor in 0.01_f32..100.0,
    ) {
        let query = query.row(0).to_vec();
        let scaled: Vec<f32> = query.iter().map(|value| value * factor).collect();
        let score = |query: &[f32]| score(&reference, ScoreMethod::Knn, query);
        prop_assert!((score(&query) - score(&scaled)).abs() < 1e-3);
        prop_assert!((0.0..=2.0 + 1e-6).contains(&score(&query)));
    }

    #[test]
    fn a_known_embedding_is_at_distance_zero(reference in rows(2..20, 3)) {
        let query = reference.row(0).to_vec();
        let folder = folder();
        let store = store(folder.path(), reference, Normalization::None, &[], &[]);
        let score = Score::new(ScoreMethod::Knn, 1).unwrap();
        let reference = Reference::uncalibrated(Box::new(store), score).unwrap();
        prop_assert_eq!(reference.assess(&Query::new(&query), 1).unwrap().score, 0.0);
    }
}
