//! The two covariances, shrunk, and what scoring needs of their inverses.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use super::cholesky::inverse_factor;
use super::quadratic::QuadraticForm;
use crate::error::{Error, Result};
use crate::score::ScoreMethod;

/// The smallest intensity: what is below it is rounding, which must not decide about a score.
const SMALLEST: f64 = 1e-9;

/// Images less the mean of all (`y`) and less the mean of their class (`z`), N x D.
pub(super) struct Scatter<'a> {
    y: Array2<f64>,
    z: Array2<f64>,
    groups: &'a [Range<usize>],
}

/// `Σ⁻¹·v`.
pub(super) type TimesInverse = Box<dyn Fn(ArrayView1<'_, f64>) -> Array1<f64>>;

/// What scoring needs.
pub(super) struct Inverses {
    /// `yᵀ·(Σ⁻¹ − Σ_0⁻¹)·y`.
    pub form: QuadraticForm,
    pub times_inverse: TimesInverse,
    pub shrinkage: f64,
}

/// `Σ = keep·S + ridge·I` for the classes and `Σ_0 = keep·S_0 + ridge_0·I` for all images.
#[derive(Debug, Clone, Copy)]
struct Shrinkage {
    intensity: f64,
    keep: f64,
    ridge: f64,
    ridge_0: f64,
}

impl<'a> Scatter<'a> {
    /// `y` has mean zero; `groups` are the rows of each class.
    pub fn new(y: Array2<f64>, groups: &'a [Range<usize>]) -> Self {
        let mut z = y.clone();
        center_by_class(&mut z, groups);
        Self { y, z, groups }
    }

    pub fn invert(self) -> Result<Inverses> {
        // One matrix of the smaller size has all that the intensity needs.
        if 2 * self.y.nrows() <= self.y.ncols() {
            self.invert_by_images()
        } else {
            self.invert_by_values()
        }
    }

    /// By D x D matrices.
    fn invert_by_values(self) -> Result<Inverses> {
        let images = self.y.nrows() as f64;
        let within = self.z.t().dot(&self.z) / images;
        let shrinkage = self.shrinkage(within.iter().map(|value| value * value).sum())?;
        let all = self.y.t().dot(&self.y) / images;
        let inverse_within = inverse(within * shrinkage.keep, shrinkage.ridge)?;
        let inverse_all = inverse(all * shrinkage.keep, shrinkage.ridge_0)?;
        let form = QuadraticForm::new(&(&inverse_within - &inverse_all));
        let times_inverse =
            Box::new(move |vector: ArrayView1<'_, f64>| inverse_within.dot(&vector));
        Ok(Inverses { form, times_inverse, shrinkage: shrinkage.intensity })
    }

    /// By N x N matrices, which is less where there are few images: with `c = keep/(N·ridge)`,
    ///
    /// ```text
    /// Σ⁻¹ = 1/ridge · (I − c·Zᵀ·K·Z),   K = (I + c·Z·Zᵀ)⁻¹
    /// ```
    ///
    /// and the same for `Σ_0` with `Y`. `Z·v` is `Y·v` less the means over classes, so that one product
    /// with `Y` serves both.
    fn invert_by_images(self) -> Result<Inverses> {
        let images = self.y.nrows() as f64;
        let all = self.y.dot(&self.y.t());
        let mut within = all.clone();
        center_both_sides(&mut within, self.groups);
        let norm = within.iter().map(|value| value * value).sum::<f64>() / (images * images);
        let shrinkage = self.shrinkage(norm)?;
        let Shrinkage { intensity, keep, ridge, ridge_0 } = shrinkage;
        let (c, c_0) = (keep / (images * ridge), keep / (images * ridge_0));
        let k = inverse(within * c, 1.0)?;
        let mut b = k.clone() * (-c / ridge);
        center_both_sides(&mut b, self.groups);
        b.scaled_add(c_0 / ridge_0, &inverse(all * c_0, 1.0)?);
        let form = QuadraticForm::projected(1.0 / ridge - 1.0 / ridge_0, &self.y, &b);
        let z = self.z;
        let times_inverse = Box::new(move |vector: ArrayView1<'_, f64>| {
            let explained = z.t().dot(&k.dot(&z.dot(&vector)));
            (&vector - &(explained * c)) / ridge
        });
        Ok(Inverses { form, times_inverse, shrinkage: intensity })
    }

    /// Ledoit and Wolf's intensity for `S`, whose squared Frobenius norm is `norm`:
    ///
    /// ```text
    /// m = tr(S)/D,   δ² = ‖S‖² − D·m²,   β² = min(δ², 1/N·(1/N·Σ_i ‖z_i‖⁴ − ‖S‖²)),   ρ = β²/δ²
    /// ```
    ///
    /// and at least [`SMALLEST`].
    fn shrinkage(&self, norm: f64) -> Result<Shrinkage> {
        let (images, dimension) = (self.y.nrows() as f64, self.y.ncols() as f64);
        let lengths: Vec<f64> = self.z.rows().into_iter().map(|row| row.dot(&row)).collect();
        let mean = lengths.iter().sum::<f64>() / (images * dimension);
        let mean_0 = self.y.iter().map(|value| value * value).sum::<f64>() / (images * dimension);
        let delta = norm - dimension * mean * mean;
        let fourth = lengths.iter().map(|length| length * length).sum::<f64>() / images;
        let beta = (fourth - norm) / images;
        // Without a spread of eigenvalues S is its own target.
        let intensity = if delta > 0.0 { (beta / delta).clamp(SMALLEST, 1.0) } else { 1.0 };
        let (ridge, ridge_0) = (intensity * mean, intensity * mean_0);
        let is_normal = |value: f64| value.is_finite() && value > 0.0;
        if !(is_normal(mean) && is_normal(1.0 / ridge) && is_normal(1.0 / ridge_0)) {
            return Err(no_spread());
        }
        Ok(Shrinkage { intensity, keep: 1.0 - intensity, ridge, ridge_0 })
    }
}

fn no_spread() -> Error {
    Error::NoSpread { method: ScoreMethod::Mahalanobis.name() }
}

/// `(A + ridge·I)⁻¹`.
fn inverse(mut a: Array2<f64>, ridge: f64) -> Result<Array2<f64>> {
    a.diag_mut().map_inplace(|value| *value += ridge);
    let factor = inverse_factor(&a.view()).ok_or_else(no_spread)?;
    Ok(factor.t().dot(&factor))
}

/// Takes the mean of its class from each row.
fn center_by_class(rows: &mut Array2<f64>, groups: &[Range<usize>]) {
    for group in groups {
        let mut group = rows.slice_mut(s![group.clone(), ..]);
        let mean: Array1<f64> = group.sum_axis(Axis(0)) / group.nrows() as f64;
        group -= &mean;
    }
}

/// The same of the rows and of the columns, N x N.
fn center_both_sides(matrix: &mut Array2<f64>, groups: &[Range<usize>]) {
    center_by_class(matrix, groups);
    matrix.swap_axes(0, 1);
    center_by_class(matrix, groups);
    matrix.swap_axes(0, 1);
}
