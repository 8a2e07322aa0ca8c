//! The relative Mahalanobis distance, with covariances of few images in many dimensions.
//!
//! With class means `μ_c` and a covariance `Σ` that the classes share, and one Gaussian `μ_0`, `Σ_0` of
//! all images as background:
//!
//! ```text
//! MD_c(x) = (x − μ_c)ᵀ·Σ⁻¹·(x − μ_c)       MD_0(x) = (x − μ_0)ᵀ·Σ_0⁻¹·(x − μ_0)
//! score(x) = min_c MD_c(x) − MD_0(x)
//! ```
//!
//! Source: Ren, Fort, Liu, Roy, Padhy, Lakshminarayanan, “A simple fix to Mahalanobis distance for
//! improving near-OOD detection”, 2021 (arXiv:2106.09022). Squared distances, as there; the score may
//! be negative, and larger is stranger.
//!
//! **Covariances.** `N` images in `D` dimensions with `N ≤ D` give matrices without an inverse, and a
//! few times `D` images bad ones. Both are therefore shrunk towards a multiple of the identity:
//!
//! ```text
//! S   = 1/N · Σ_i (x_i − μ_c(i))(x_i − μ_c(i))ᵀ        Σ   = (1 − ρ)·S   + ρ·tr(S)/D·I
//! S_0 = 1/N · Σ_i (x_i − μ_0)(x_i − μ_0)ᵀ              Σ_0 = (1 − ρ)·S_0 + ρ·tr(S_0)/D·I
//! ```
//!
//! with the intensity `ρ` of Ledoit and Wolf, “A well-conditioned estimator for large-dimensional
//! covariance matrices”, Journal of Multivariate Analysis 88, 2004, computed on the class-centered
//! images as scikit-learn does. Both take the *same* `ρ`: then `Σ_0 − Σ` has no negative eigenvalue, so
//! that `Σ⁻¹ − Σ_0⁻¹` has none either, and the score grows in every direction far from the images. With
//! an intensity of its own for each, classes that lie far apart (as training makes them) can make the
//! background the narrower of the two, and the strangest images the least strange.
//!
//! **Cost.** The difference of the two forms is one form, `yᵀ·(Σ⁻¹ − Σ_0⁻¹)·y` with `y = x − μ_0`, and a
//! class adds a product with one vector. Of few images (2N ≤ D) the matrix is one of N x N, behind a
//! projection on the images; otherwise D x D. A score takes ND + N²/2 or D²/2 multiplications, in f64.

mod cholesky;
mod covariance;
mod quadratic;

use ndarray::{Array1, Array2, Axis};
use sdd_index::{FileStore, Filter};

use self::covariance::{Inverses, Scatter};
use self::quadratic::{QuadraticForm, dot};
use crate::error::{Error, Result};
use crate::score::{ScoreMethod, check_embedding};

/// The relative Mahalanobis distance to the labeled images of a reference, see the
/// [module](self).
///
/// The same rows in the same order give the same bits on the same kind of processor.
#[derive(Debug, Clone)]
pub struct RelativeMahalanobis {
    /// `μ_0`.
    center: Box<[f64]>,
    form: QuadraticForm,
    classes: Vec<Class>,
    shrinkage: f64,
}

#[derive(Debug, Clone)]
struct Class {
    /// `−2·Σ⁻¹·(μ_c − μ_0)`.
    linear: Box<[f64]>,
    /// `(μ_c − μ_0)ᵀ·Σ⁻¹·(μ_c − μ_0)`.
    constant: f64,
}

impl RelativeMahalanobis {
    /// Fits the Gaussians to the rows of `classes`, one class each, N x D, raw. Classes without rows are left out.
    ///
    /// # Errors
    ///
    /// [`Error::TooFewClasses`] for fewer than two: with one, the class is the background, and every
    /// score is 0. [`Error::WrongDimension`] for classes of different widths. [`Error::NotFinite`].
    /// [`Error::NoSpread`] where the images of each class are so alike that there is no covariance.
    pub fn new(classes: &[Array2<f32>]) -> Result<Self> {
        let classes: Vec<&Array2<f32>> = classes.iter().filter(|class| class.nrows() > 0).collect();
        if classes.len() < 2 {
            return Err(Error::TooFewClasses {
                method: ScoreMethod::Mahalanobis.name(),
                found: classes.len(),
            });
        }
        check_rows(&classes)?;
        let (rows, groups) = stack(&classes);
        let center = mean(&rows, 0..rows.nrows());
        let rows = rows - &center;
        let means: Vec<Array1<f64>> =
            groups.iter().map(|group| mean(&rows, group.clone())).collect();
        let Inverses { form, times_inverse, shrinkage } = Scatter::new(rows, &groups).invert()?;
        let class = |mean: &Array1<f64>| {
            let product = times_inverse(mean.view());
            Class {
                constant: mean.dot(&product),
                linear: product.iter().map(|value| -2.0 * value).collect(),
            }
        };
        let classes = means.iter().map(class).collect();
        Ok(Self { center: center.to_vec().into(), form, classes, shrinkage })
    }

    /// Fits the Gaussians to the labeled images of a store, as they were given, whatever the store
    /// normalizes.
    ///
    /// # Errors
    ///
    /// As [`RelativeMahalanobis::new`].
    pub fn of_store(store: &FileStore) -> Result<Self> {
        let labels = store.labels().into_iter().filter_map(|entry| entry.label);
        let rows = labels.map(|label| store.embeddings(Filter::Label(&label)));
        Self::new(&rows.collect::<Vec<_>>())
    }

    /// The intensity ρ with which both covariances were shrunk, in [0, 1].
    #[must_use]
    pub fn shrinkage(&self) -> f64 {
        self.shrinkage
    }

    /// `min_c MD_c − MD_0` of an embedding, raw.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDimension`], [`Error::NotFinite`].
    pub fn score(&self, embedding: &[f32]) -> Result<f64> {
        check_embedding(embedding, self.center.len())?;
        let y: Vec<f64> =
            embedding.iter().zip(&self.center).map(|(x, center)| f64::from(*x) - center).collect();
        let to_class = |class: &Class| class.constant + dot(&class.linear, &y);
        let nearest = self.classes.iter().map(to_class).fold(f64::INFINITY, f64::min);
        Ok(self.form.value(&y) + nearest)
    }
}

fn check_rows(classes: &[&Array2<f32>]) -> Result<()> {
    let dimension = classes[0].ncols();
    let mut row = 0;
    for class in classes {
        for values in class.rows() {
            if values.len() != dimension {
                return Err(Error::WrongDimension { expected: dimension, found: values.len() });
            }
            if let Some(position) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::NotFinite {
                    vector: format!("reference row {row}"),
                    position,
                    value: values[position],
                });
            }
            row += 1;
        }
    }
    Ok(())
}

/// All rows below each other, N x D, and which of them are of each class.
fn stack(classes: &[&Array2<f32>]) -> (Array2<f64>, Vec<std::ops::Range<usize>>) {
    let count = classes.iter().map(|class| class.nrows()).sum();
    let mut rows = Array2::zeros((count, classes[0].ncols()));
    let mut groups = Vec::with_capacity(classes.len());
    let mut start = 0;
    for class in classes {
        for (mut to, from) in rows.rows_mut().into_iter().skip(start).zip(class.rows()) {
            to.zip_mut_with(&from, |to, from| *to = f64::from(*from));
        }
        groups.push(start..start + class.nrows());
        start += class.nrows();
    }
    (rows, groups)
}

fn mean(rows: &Array2<f64>, group: std::ops::Range<usize>) -> Array1<f64> {
    let group = rows.slice(ndarray::s![group, ..]);
    group.sum_axis(Axis(0)) / group.nrows() as f64
}

#[cfg(test)]
mod tests;
