//! What holds of p-values for all inputs.

use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;
use sdd_stats::conformal::{PValueKind, PValues};

/// Few distinct values, so that ties are common.
fn tied_scores() -> impl Strategy<Value = Vec<f64>> {
    vec((-8_i32..8).prop_map(|value| f64::from(value) / 4.0), 0..60)
}

fn kinds() -> impl Strategy<Value = PValueKind> {
    let delta = prop_oneof![0.001..0.999_f64, Just(1e-12), Just(1.0_f64.next_down())];
    prop_oneof![Just(PValueKind::Marginal), delta.prop_map(|delta| PValueKind::Simes { delta }),]
}

proptest! {
    #[test]
    fn p_values_of_every_kind_are_above_0_at_most_1_and_fall_with_the_score(
        scores in tied_scores(), kind in kinds(), a in -3.0..3.0_f64, b in -3.0..3.0_f64,
    ) {
        let smallest = kind.smallest_p_value(scores.len());
        let p_values = PValues::of_images(scores, kind).unwrap();
        let (low, high) = (p_values.p_value(a.min(b)), p_values.p_value(a.max(b)));
        prop_assert!(0.0 < high && high <= low && low <= 1.0, "{} {}", high, low);
        prop_assert!(high >= smallest * (1.0 - 1e-9), "{} {}", high, smallest);
        let extremes = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|s| p_values.p_value(s));
        prop_assert!(extremes.iter().all(|p| 0.0 < *p && *p <= 1.0), "{:?}", extremes);
        prop_assert!(extremes[0] <= high && low <= extremes[1]);
    }

    #[test]
    fn for_every_kind_above_the_threshold_is_where_p_is_at_most_alpha(
        scores in tied_scores(), kind in kinds(), alpha in 0.001..0.999_f64, score in -3.0..3.0_f64,
    ) {
        let images = scores.len();
        let p_values = PValues::of_images(scores, kind).unwrap();
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
}

/// Of uniform scores, the share of false alarms that a threshold `t` gives is known: `1 − t`.
#[test]
fn the_conditional_promise_is_broken_with_probability_delta_at_most() {
    const SETS: u32 = 2_000;
    let (alpha, delta, images) = (0.1, 0.1_f64, 300);
    let mut random = Rng::with_seed(11);
    let mut broken = [0_u32; 2];
    let kinds = [PValueKind::Marginal, PValueKind::Simes { delta }];
    for _ in 0..SETS {
        let scores: Vec<f64> = (0..images).map(|_| random.f64()).collect();
        for (broken, kind) in broken.iter_mut().zip(kinds) {
            let p_values = PValues::of_images(scores.clone(), kind);
            let threshold = p_values.unwrap().threshold(alpha).unwrap();
            *broken += u32::from(1.0 - threshold > alpha);
        }
    }
    let [marginal, simes] = broken.map(|broken| f64::from(broken) / f64::from(SETS));
    let error = (delta * (1.0 - delta) / f64::from(SETS)).sqrt();
    assert!(simes <= delta + 3.0 * error, "{simes}");
    // The marginal one promises no such thing.
    assert!(marginal > 0.3, "{marginal}");
}
