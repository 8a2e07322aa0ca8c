//! Black-box shift detection: Kolmogorov–Smirnov on the classifier's own probabilities.
//!
//! One test a class probability, adjusted by Bonferroni. Over all rows, as its authors do it, the test
//! answers to a changed mix of classes as well as to a changed appearance; within strata of the predicted
//! class, to the latter alone. It sees what moves the classifier, and nothing else.
//!
//! Source: Rabanser, Günnemann, Lipton, “Failing loudly: an empirical study of methods for detecting
//! dataset shift”, Advances in Neural Information Processing Systems 32, 2019.

use fastrand::Rng;
use ndarray::s;

use super::component_ks::{self, ComponentKs};
use super::strata::Comparison;
use crate::error::{Error, Result};

/// Tests the probabilities of both samples, n x C and m x C, a column a class.
///
/// Of two classes one is tested, as their probabilities sum to 1.
///
/// # Errors
///
/// As [`component_ks::test`].
pub fn test(probabilities: &Comparison<'_>, random: &mut Rng) -> Result<ComponentKs> {
    let Comparison { reference, current, .. } = *probabilities;
    let (expected, found) = (reference.ncols(), current.ncols());
    if expected != found {
        return Err(Error::WrongDimension { expected, found });
    }
    let tested = if expected == 2 { 1 } else { expected };
    let (reference, current) =
        (reference.slice_move(s![.., ..tested]), current.slice_move(s![.., ..tested]));
    component_ks::test(&Comparison { reference, current, ..*probabilities }, random)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::two_sample::Stratum;

    #[test]
    fn of_two_classes_one_is_tested() {
        let mut random = Rng::with_seed(1);
        let probabilities =
            |of: &[f32]| {
                Array2::from_shape_fn((of.len(), 2), |(row, class)| {
                    if class == 0 { of[row] } else { 1.0 - of[row] }
                })
            };
        let (x, y) = (probabilities(&[0.1, 0.2, 0.3, 0.4]), probabilities(&[0.6, 0.7, 0.8, 0.9]));
        let strata = [Stratum::all(4, 4)];
        let (reference, current) = (x.view(), y.view());
        let both = Comparison { reference, current, strata: &strata, permutations: 99 };
        let found = test(&both, &mut random).unwrap();
        assert_eq!(found.components.len(), 1);
        // 2 of the 70 arrangements are apart altogether.
        assert!((found.p_value - 2.0 / 70.0).abs() < 1e-15);
        let three = array![[0.2, 0.3, 0.5], [0.1, 0.4, 0.5]];
        let other = Comparison { current: three.view(), ..both };
        let error = test(&other, &mut random).unwrap_err();
        assert_eq!(error.code(), "wrong_dimension");
    }
}
