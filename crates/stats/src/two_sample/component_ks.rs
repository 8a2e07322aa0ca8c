//! Kolmogorov–Smirnov on every component of an embedding, within strata: *which* components changed?
//!
//! Embeddings after a rectifier have many zeros, which are ties: the usual p-value is too large for them, far
//! too large where most values are 0. So ties are counted with:
//!
//! - while the samples are small, by the exact p-value given the ties for each component, adjusted by
//!   Bonferroni over all tests of a component within a class;
//! - above `MAX_EXACT_WORK`, by permutations within the classes that all components share. With
//!   `z = D √(nm/(n + m))`, the adjusted p-value is the share of permutations whose *largest* z over all
//!   components and classes is at least this one's. That accounts for how the components depend on each
//!   other, where Bonferroni assumes the worst.
//!
//! Source of the second: Westfall and Young, “Resampling-based multiple testing”, Wiley 1993 (maxT).

use fastrand::Rng;
use ndarray::{Array2, ArrayView2, Axis};

use super::kolmogorov_smirnov::KolmogorovSmirnov;
use super::multiple_testing::bonferroni;
use super::parallel::in_parallel;
use super::permutation::{draw, permutation_p_value};
use super::strata::{Comparison, Stratum};
use crate::error::{Error, Result};

/// Up to this many steps, `Σ_c n_c · m_c` times the components, p-values are exact: about a second.
const MAX_EXACT_WORK: u64 = 500_000_000;

/// How the p-values were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Exactly, given the ties, with Bonferroni.
    Exact,
    /// By permutations shared by the components.
    Permutations,
}

/// One component within one stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComponentShift {
    /// Position of the stratum.
    pub stratum: usize,
    /// Position of the component.
    pub component: usize,
    /// `D`, in [0, 1].
    pub statistic: f64,
    /// Adjusted for all components and strata.
    pub p_value: f64,
}

/// The result of [`test()`].
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentKs {
    /// The smallest adjusted p-value: that of the whole.
    pub p_value: f64,
    /// How the p-values were found.
    pub method: Method,
    /// Every component that is not constant, ascending by p-value, then descending by statistic.
    pub components: Vec<ComponentShift>,
}

/// Tests every component within every stratum.
///
/// `P(p ≤ α) ≤ α` for the whole where the rows of each class are exchangeable.
///
/// # Errors
///
/// [`Error::WrongDimension`], [`Error::NotFinite`], [`Error::SampleTooSmall`] for a stratum without rows of
/// one sample, or without strata.
pub fn test(samples: &Comparison<'_>, random: &mut Rng) -> Result<ComponentKs> {
    samples.check()?;
    let pairs = |stratum: &Stratum| (stratum.reference.len() * stratum.current.len()) as u64;
    let components = samples.reference.ncols() as u64;
    let work = samples.strata.iter().map(pairs).sum::<u64>().saturating_mul(components);
    let method = if work <= MAX_EXACT_WORK { Method::Exact } else { Method::Permutations };
    let mut components = match method {
        Method::Exact => exact(samples)?,
        Method::Permutations => permuted(samples, random)?,
    };
    components
        .sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(b.statistic.total_cmp(&a.statistic)));
    let p_value = components.first().map_or(1.0, |first| first.p_value);
    Ok(ComponentKs { p_value, method, components })
}

fn exact(samples: &Comparison<'_>) -> Result<Vec<ComponentShift>> {
    let Comparison { reference, current, strata, .. } = *samples;
    let mut found = Vec::new();
    for (position, stratum) in strata.iter().enumerate() {
        let of_component = |component: usize| {
            let take = |sample: ArrayView2<'_, f32>, rows: &[usize]| -> Vec<f64> {
                rows.iter().map(|&row| f64::from(sample[[row, component]])).collect()
            };
            let (x, y) = (take(reference, &stratum.reference), take(current, &stratum.current));
            let test = KolmogorovSmirnov::new(&x, &y)?;
            // What is the same everywhere can never differ, and is no test to adjust for.
            Ok((!test.is_constant()).then(|| ComponentShift {
                stratum: position,
                component,
                statistic: test.statistic(),
                p_value: test.p_exact(),
            }))
        };
        let shares = in_parallel(reference.ncols(), |components| {
            components.filter_map(|component| of_component(component).transpose()).collect()
        });
        for share in shares {
            let share: Result<Vec<ComponentShift>> = share;
            found.extend(share?);
        }
    }
    let adjusted = bonferroni(&found.iter().map(|shift| shift.p_value).collect::<Vec<_>>());
    for (shift, p_value) in found.iter_mut().zip(adjusted) {
        shift.p_value = p_value;
    }
    Ok(found)
}

fn permuted(samples: &Comparison<'_>, random: &mut Rng) -> Result<Vec<ComponentShift>> {
    let permutations = samples.permutations;
    let mut largest = vec![0.0_f64; permutations];
    // Shifts without a p-value yet, and their z.
    let mut found = Vec::new();
    for (position, stratum) in samples.strata.iter().enumerate() {
        let orders = Orders::new(samples, stratum)?;
        found.extend(orders.observed().into_iter().map(|(component, z)| {
            let statistic = z / orders.root;
            (ComponentShift { stratum: position, component, statistic, p_value: 1.0 }, z)
        }));
        let (n, m) = (stratum.reference.len(), stratum.current.len());
        let relabeled = draw(n + m, m, permutations, random);
        let of_stratum = in_parallel(permutations, |range| {
            range.map(|b| orders.largest(&relabeled[b])).collect::<Vec<f64>>()
        });
        for (largest, z) in largest.iter_mut().zip(of_stratum.concat()) {
            *largest = largest.max(z);
        }
    }
    let adjusted = found
        .into_iter()
        .map(|(shift, z)| ComponentShift { p_value: permutation_p_value(z, &largest), ..shift });
    Ok(adjusted.collect())
}

/// The rows of a stratum in the order of each component, so that a relabeling takes one pass.
struct Orders {
    /// Rows ascending by the component's value, one line a component; constant ones are left out.
    rows: Array2<u32>,
    /// Whether the value at this place differs from the next.
    distinct: Array2<bool>,
    components: Vec<usize>,
    n: u32,
    m: u32,
    /// `√(nm/(n + m))`
    root: f64,
}

impl Orders {
    fn new(samples: &Comparison<'_>, stratum: &Stratum) -> Result<Self> {
        let sides = [("reference", &stratum.reference), ("current", &stratum.current)];
        let mut sizes = [0; 2];
        for (size, (sample, rows)) in sizes.iter_mut().zip(sides) {
            let found = rows.len();
            *size = u32::try_from(found).map_err(|_| {
                Error::invalid_argument("rows", "fewer than 2^32 rows in a sample", found)
            })?;
            if found == 0 {
                return Err(Error::SampleTooSmall {
                    sample: format!("a class of the {sample} sample"),
                    required: 1,
                    found: 0,
                });
            }
        }
        let [n, m] = sizes;
        let pooled = samples.pooled(stratum);
        let (mut rows, mut distinct) =
            (Array2::zeros((0, pooled.nrows())), Array2::default((0, pooled.nrows())));
        let mut components = Vec::new();
        for (component, values) in pooled.axis_iter(Axis(1)).enumerate() {
            let mut order: Vec<u32> = (0..n + m).collect();
            order.sort_unstable_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
            #[expect(clippy::float_cmp, reason = "ties are equal values, to the bit")]
            let differ = |pair: &[u32]| values[pair[0] as usize] != values[pair[1] as usize];
            let mut of_component: Vec<bool> = order.windows(2).map(differ).collect();
            if of_component.contains(&true) {
                of_component.push(true);
                let pushed = rows.push_row(ndarray::ArrayView1::from(&order)).is_ok()
                    && distinct.push_row(ndarray::ArrayView1::from(&of_component)).is_ok();
                debug_assert!(pushed, "lines of different lengths");
                components.push(component);
            }
        }
        let root = (f64::from(n) * f64::from(m) / f64::from(n + m)).sqrt();
        Ok(Self { rows, distinct, components, n, m, root })
    }

    /// z of each component, as the samples are.
    fn observed(&self) -> Vec<(usize, f64)> {
        let is_current: Vec<bool> = (0..self.n + self.m).map(|row| row >= self.n).collect();
        let lines = 0..self.components.len();
        lines.map(|line| (self.components[line], self.z(line, &is_current))).collect()
    }

    fn largest(&self, is_current: &[bool]) -> f64 {
        (0..self.components.len()).map(|line| self.z(line, is_current)).fold(0.0, f64::max)
    }

    fn z(&self, line: usize, is_current: &[bool]) -> f64 {
        let (n, m) = (i64::from(self.n), i64::from(self.m));
        let (mut difference, mut largest) = (0_i64, 0_i64);
        for (&row, &distinct) in self.rows.row(line).iter().zip(self.distinct.row(line)) {
            difference += if is_current[row as usize] { n } else { -m };
            if distinct {
                largest = largest.max(difference.abs());
            }
        }
        self.root * largest as f64 / (n as f64 * m as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half zeros, as after a rectifier; component 0 is shifted, component 3 constant.
    fn sample(random: &mut Rng, rows: usize, shift: f32) -> Array2<f32> {
        Array2::from_shape_fn((rows, 4), |(_, component)| match component {
            0 => (2.0 * random.f32() - 1.0 + shift).max(0.0),
            3 => 7.0,
            _ => (2.0 * random.f32() - 1.0).max(0.0),
        })
    }

    #[test]
    fn the_component_that_changed_is_found_by_either_method() {
        let mut random = Rng::with_seed(2);
        let (x, y) = (sample(&mut random, 60, 0.0), sample(&mut random, 40, 0.8));
        let strata = [Stratum::all(60, 40)];
        let (reference, current) = (x.view(), y.view());
        let samples = Comparison { reference, current, strata: &strata, permutations: 999 };
        let exact = exact(&samples).unwrap();
        let permuted = permuted(&samples, &mut random).unwrap();
        for found in [&exact, &permuted] {
            let components: Vec<_> = found.iter().map(|shift| shift.component).collect();
            assert_eq!(components, [0, 1, 2]);
            let p_values: Vec<_> = found.iter().map(|shift| shift.p_value).collect();
            assert!(p_values[0] <= 0.001 && p_values[1].min(p_values[2]) > 0.05, "{p_values:?}");
        }
        for (one, other) in exact.iter().zip(&permuted) {
            assert!((one.statistic - other.statistic).abs() < 1e-14);
        }
        let whole = test(&samples, &mut random).unwrap();
        assert_eq!(whole.method, Method::Exact);
        assert_eq!(whole.p_value, whole.components[0].p_value);
        assert_eq!(whole.components[0].component, 0);
    }

    /// One component: the permutation p-value is that of the exact distribution, up to chance.
    #[test]
    fn permutations_agree_with_the_exact_p_value() {
        let mut random = Rng::with_seed(8);
        let column =
            |random: &mut Rng, rows, shift: f32| sample(random, rows, shift).select(Axis(1), &[0]);
        let (x, y) = (column(&mut random, 30, 0.0), column(&mut random, 25, 0.25));
        let strata = [Stratum::all(30, 25)];
        let (reference, current) = (x.view(), y.view());
        let samples = Comparison { reference, current, strata: &strata, permutations: 20_000 };
        let exact = exact(&samples).unwrap()[0].p_value;
        let permuted = permuted(&samples, &mut random).unwrap()[0].p_value;
        let deviation = (exact * (1.0 - exact) / 20_000.0).sqrt();
        assert!((exact - permuted).abs() < 5.0 * deviation, "{exact} {permuted}");
    }

    #[test]
    fn constant_components_are_no_tests() {
        let ones = Array2::<f32>::ones((5, 3));
        let mut random = Rng::with_seed(0);
        let strata = [Stratum::all(5, 5)];
        let (reference, current) = (ones.view(), ones.view());
        let samples = Comparison { reference, current, strata: &strata, permutations: 9 };
        let found = test(&samples, &mut random).unwrap();
        assert_eq!((found.p_value, found.components.len()), (1.0, 0));
        let none = Comparison { strata: &[], ..samples };
        let error = test(&none, &mut random).unwrap_err();
        assert_eq!(error.code(), "sample_too_small");
    }
}
