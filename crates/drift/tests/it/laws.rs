//! What holds for all inputs.

use ndarray::{Array2, Axis};
use proptest::collection::vec;
use proptest::prelude::*;
use sdd_drift::conformal::CalibrationScores;
use sdd_drift::mahalanobis::RelativeMahalanobis;
use sdd_drift::mean_l1::MeanL1;
use sdd_drift::p_value::{PValueKind, PValues};
use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::Normalization;

use crate::support::{folder, store};

/// Few distinct values, so that ties are common.
fn tied_scores() -> impl Strategy<Value = Vec<f64>> {
    vec((-8_i32..8).prop_map(|value| f64::from(value) / 4.0), 0..60)
}

fn kinds() -> impl Strategy<Value = PValueKind> {
    let delta = prop_oneof![0.001..0.999_f64, Just(1e-12), Just(1.0_f64.next_down())];
    prop_oneof![
        Just(PValueKind::Marginal),
        delta.clone().prop_map(|delta| PValueKind::Simes { delta }),
        delta.prop_map(|delta| PValueKind::Dkwm { delta }),
    ]
}

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
    fn p_values_are_in_the_unit_interval_and_fall_with_the_score(
        scores in tied_scores(), a in -3.0..3.0_f64, b in -3.0..3.0_f64,
    ) {
        let calibration = CalibrationScores::new(scores).unwrap();
        let (low, high) = (a.min(b), a.max(b));
        let (p_low, p_high) = (calibration.p_value(low), calibration.p_value(high));
        prop_assert!(0.0 < p_high && p_high <= p_low && p_low <= 1.0);
        prop_assert!(p_high >= 1.0 / (calibration.len() + 1) as f64);
    }

    #[test]
    fn above_the_threshold_is_where_p_is_at_most_alpha(
        scores in tied_scores(), alpha in 0.001..0.999_f64, score in -3.0..3.0_f64,
    ) {
        let calibration = CalibrationScores::new(scores).unwrap();
        match calibration.threshold(alpha) {
            Ok(threshold) => {
                for score in [score, threshold, threshold.next_up(), threshold.next_down()] {
                    prop_assert_eq!(score > threshold, calibration.p_value(score) <= alpha);
                }
            }
            Err(_) => prop_assert!(calibration.p_value(f64::INFINITY) > alpha),
        }
    }

    #[test]
    fn p_values_of_every_kind_are_above_0_at_most_1_and_fall_with_the_score(
        scores in tied_scores(), kind in kinds(), a in -3.0..3.0_f64, b in -3.0..3.0_f64,
    ) {
        let calibration = CalibrationScores::new(scores).unwrap();
        let p_values = PValues::new(calibration.clone(), kind).unwrap();
        let (low, high) = (p_values.p_value(a.min(b)), p_values.p_value(a.max(b)));
        prop_assert!(0.0 < high && high <= low && low <= 1.0, "{} {}", high, low);
        let extremes = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|s| p_values.p_value(s));
        prop_assert!(extremes.iter().all(|p| 0.0 < *p && *p <= 1.0), "{:?}", extremes);
        prop_assert!(extremes[0] <= high && low <= extremes[1]);
        // DKWM is the marginal one and more; Simes may be smaller where there are many strange scores.
        if let PValueKind::Dkwm { .. } = kind {
            prop_assert!(p_values.p_value(a) >= calibration.p_value(a));
        }
    }

    #[test]
    fn for_every_kind_above_the_threshold_is_where_p_is_at_most_alpha(
        scores in tied_scores(), kind in kinds(), alpha in 0.001..0.999_f64, score in -3.0..3.0_f64,
    ) {
        let images = scores.len();
        let p_values = PValues::new(CalibrationScores::new(scores).unwrap(), kind).unwrap();
        if let Some(threshold) = p_values.threshold(alpha) {
            for score in [score, threshold, threshold.next_up(), threshold.next_down()] {
                prop_assert_eq!(score > threshold, p_values.p_value(score) <= alpha);
            }
            prop_assert!(images >= kind.required_images(alpha));
        } else {
            prop_assert!(images == 0 || p_values.p_value(f64::INFINITY) > alpha);
            prop_assert!(images < kind.required_images(alpha));
        }
    }

    #[test]
    fn required_images_are_the_fewest(kind in kinds(), alpha in 0.002..0.999_f64) {
        let required = kind.required_images(alpha);
        prop_assert!(kind.smallest_p_value(required) <= alpha);
        prop_assert!(required == 1 || kind.smallest_p_value(required - 1) > alpha);
    }

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
