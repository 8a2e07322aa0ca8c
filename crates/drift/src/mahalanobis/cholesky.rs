//! The inverse of a Cholesky factor, by matrix products.

use ndarray::{Array2, ArrayView2, s};

/// Up to this size the factor is computed number by number.
const BLOCK: usize = 32;

/// `W = L⁻¹`, lower triangular, of a symmetric positive definite `A = L·Lᵀ` (of which the lower half is
/// read): then `A⁻¹ = Wᵀ·W`. `None` where `A` is not positive definite.
///
/// ```text
/// A = [A11  ·  ]    W = [ W11                ·  ]    L21 = A21·W11ᵀ
///     [A21  A22]        [−W22·L21·W11       W22 ]    W22 = W(A22 − L21·L21ᵀ)
/// ```
///
/// Splitting in halves leaves nearly all of the work to ndarray's matrix product; general solvers of
/// the crates at hand take ten times as long at 2,048 rows.
pub(super) fn inverse_factor(a: &ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let size = a.nrows();
    if size <= BLOCK {
        return inverse_factor_of_block(a);
    }
    let half = size / 2;
    let w11 = inverse_factor(&a.slice(s![..half, ..half]))?;
    let l21 = a.slice(s![half.., ..half]).dot(&w11.t());
    let rest = &a.slice(s![half.., half..]) - &l21.dot(&l21.t());
    let w22 = inverse_factor(&rest.view())?;
    let mut w = Array2::zeros((size, size));
    let w21 = w22.dot(&l21).dot(&w11);
    w.slice_mut(s![half.., ..half]).zip_mut_with(&w21, |to, from| *to = -from);
    w.slice_mut(s![..half, ..half]).assign(&w11);
    w.slice_mut(s![half.., half..]).assign(&w22);
    Some(w)
}

fn inverse_factor_of_block(a: &ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let size = a.nrows();
    let mut l = Array2::<f64>::zeros((size, size));
    for i in 0..size {
        for j in 0..=i {
            let rest = a[[i, j]] - l.slice(s![i, ..j]).dot(&l.slice(s![j, ..j]));
            if i > j {
                l[[i, j]] = rest / l[[j, j]];
            } else if rest > 0.0 && rest.is_finite() {
                l[[i, i]] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    let mut w = Array2::<f64>::zeros((size, size));
    for j in 0..size {
        w[[j, j]] = 1.0 / l[[j, j]];
        for i in j + 1..size {
            let sum = l.slice(s![i, j..i]).dot(&w.slice(s![j..i, j]));
            w[[i, j]] = -sum / l[[i, i]];
        }
    }
    Some(w)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern, from 0 to 1.
    fn number(i: usize, j: usize) -> f64 {
        ((i * 7919 + j * 104_729 + i * j * 31) % 1009) as f64 / 1009.0
    }

    #[test]
    fn it_inverts_the_factor_at_every_split() {
        for size in [1, 2, 31, 32, 33, 64, 65, 100, 131] {
            let b = Array2::from_shape_fn((size, size), |(i, j)| number(i, j));
            let a = b.dot(&b.t()) + Array2::<f64>::eye(size) * 0.5;
            let w = inverse_factor(&a.view()).unwrap();
            let product = w.t().dot(&w).dot(&a);
            let off = (&product - &Array2::<f64>::eye(size)).mapv(f64::abs);
            assert!(off.iter().all(|off| *off < 1e-9), "{size}");
            assert!(w.indexed_iter().all(|((i, j), value)| j <= i || *value == 0.0), "{size}");
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_none() {
        assert!(inverse_factor(&Array2::zeros((2, 2)).view()).is_none());
        let mut a = Array2::<f64>::eye(70);
        a[[60, 60]] = -1.0;
        assert!(inverse_factor(&a.view()).is_none());
        a[[60, 60]] = f64::NAN;
        assert!(inverse_factor(&a.view()).is_none());
    }
}
