//! The scores of the prediction, which know nothing of the reference: to compare the others with.
//!
//! A network can be sure of a class on an image that is of none. These scores cannot see that, and
//! with two classes they see less still; `docs/drift.md` has them beside the others.

use crate::error::{Error, Result};
use crate::query::ClassProbabilities;
use crate::score::ScoreMethod;

/// `1 − max_c p_c`, in [0, 1]; 0 where the model is certain.
///
/// Source: Hendrycks, Gimpel, “A baseline for detecting misclassified and out-of-distribution
/// examples in neural networks”, ICLR 2017.
#[must_use]
pub fn max_probability(probabilities: &ClassProbabilities<'_>) -> f64 {
    match *probabilities {
        // 1 − max(p, 1 − p) without the digits that 1 − p loses where p is small.
        ClassProbabilities::Sigmoid(p) => f64::from(p).min(1.0 - f64::from(p)),
        ClassProbabilities::Softmax(_) => 1.0 - probabilities.largest(),
    }
    .clamp(0.0, 1.0)
}

/// The energy `−ln Σ_c exp(z_c)` of the logits `z`, negative where the model is sure of something.
///
/// Source: Liu, Wang, Owens, Li, “Energy-based out-of-distribution detection”, `NeurIPS` 2020.
///
/// Models give probabilities here, not logits. A sigmoid's probability `p` has exactly one logit,
/// `z = ln(p / (1 − p))`, and the other class's is 0 by definition, so that
///
/// ```text
/// E = −ln(1 + e^z) = ln(1 − p)
/// ```
///
/// which only says how far the image is from the *positive* class: it is no better than `p` itself.
/// Where the probability is calibrated (Platt scaling, `z′ = a·z + b` with `a > 0`), `z′` is what comes
/// back; `E` then has other values in the same order, so that ranks and p-values are those of the
/// uncalibrated logit. Other calibrations keep the order too if they are increasing.
///
/// `p` is taken as at most `1 − 2⁻²⁴`, the float32 below 1, so that `E ≥ −16.7` stays finite; a model
/// that sure has lost the logit to rounding.
///
/// # Errors
///
/// [`Error::LogitsUnavailable`] for a softmax: it forgets a constant that all logits share, and the
/// energy is that constant.
pub fn energy(probabilities: &ClassProbabilities<'_>) -> Result<f64> {
    match *probabilities {
        ClassProbabilities::Sigmoid(p) => {
            let p = f64::from(p).clamp(0.0, 1.0 - f64::from(f32::EPSILON) / 2.0);
            // Not -0 where p is 0.
            Ok((-p).ln_1p() + 0.0)
        }
        ClassProbabilities::Softmax(_) => {
            Err(Error::LogitsUnavailable { method: ScoreMethod::Energy.name() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_probability_decides() {
        let score = |p: &[f32]| max_probability(&ClassProbabilities::Softmax(p));
        assert_eq!(score(&[0.25, 0.5, 0.25]), 0.5);
        assert_eq!(score(&[0.0, 1.0, 0.0]), 0.0);
        assert_eq!(score(&[]), 1.0);
        let score = |p| max_probability(&ClassProbabilities::Sigmoid(p));
        assert_eq!((score(0.25), score(0.75), score(1.0)), (0.25, 0.25, 0.0));
        assert_eq!(score(1e-30), f64::from(1e-30_f32));
    }

    #[test]
    fn the_energy_of_a_sigmoid_is_that_of_its_logit_and_zero() {
        for logit in [-20.0_f64, -1.5, 0.0, 0.5, 3.0] {
            #[allow(clippy::cast_possible_truncation)]
            let p = (1.0 / (1.0 + (-logit).exp())) as f32;
            let expected = -(logit.exp() + 1.0).ln();
            let found = energy(&ClassProbabilities::Sigmoid(p)).unwrap();
            assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{logit}: {found}");
        }
        let certain = energy(&ClassProbabilities::Sigmoid(1.0)).unwrap();
        assert!((certain + 24.0 * 2.0_f64.ln()).abs() < 1e-9, "{certain}");
        assert_eq!(energy(&ClassProbabilities::Sigmoid(0.0)).unwrap(), 0.0);
    }

    #[test]
    fn the_energy_of_a_softmax_is_refused() {
        let error = energy(&ClassProbabilities::Softmax(&[0.5, 0.5])).unwrap_err();
        assert_eq!(error.code(), "logits_unavailable");
        assert!(error.to_string().contains("softmax"), "{error}");
    }
}
