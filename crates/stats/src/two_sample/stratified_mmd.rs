//! MMD² within classes, one p-value for all of them.
//!
//! ```text
//! T = Σ_c w_c · MMD²_c,   w_c = n_c m_c / (n_c + m_c)
//! ```
//!
//! Each class counts by how well its MMD² is known. Only rows of one class are compared, so that a changed
//! share of the classes does not enter.
//!
//! What is exchanged in a permutation must be independent. Images of one physical part are not: where several
//! images show one part, whole parts are exchanged ([`Exchange::Groups`]); otherwise every new part would be
//! found to differ, and rightly so, since no two parts look the same.

use fastrand::Rng;
use ndarray::Array2;

pub use super::groups::Groups;
use super::mmd::{Bandwidth, Mmd, Weighed, check_samples, check_sizes};
use super::permutation::permutation_p_value;
use super::strata::{Comparison, Stratum};
use crate::error::{Error, Result};

/// What a permutation exchanges between the samples.
#[derive(Debug, Clone, Copy)]
pub enum Exchange<'a> {
    /// Images, among those of their class: `P(p ≤ α) ≤ α` whatever the shares of the classes are in either
    /// sample, as long as the images *within* each class are alike and independent.
    Images,
    /// Whole groups, whatever their classes: `P(p ≤ α) ≤ α` where the groups are alike and independent.
    Groups(&'a Groups),
}

/// The result of [`stratified`].
#[derive(Debug, Clone, PartialEq)]
pub struct StratifiedMmd {
    /// `Σ_c w_c · MMD²_c`.
    pub statistic: f64,
    /// Its permutation p-value.
    pub p_value: f64,
    /// One a stratum, in their order.
    pub strata: Vec<StratumMmd>,
}

/// MMD within one stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StratumMmd {
    /// The unbiased estimate of MMD².
    pub mmd2: f64,
    /// σ of the kernel.
    pub sigma: f64,
    /// Its own permutation p-value, not adjusted for the number of strata.
    pub p_value: f64,
}

/// Compares the rows of each stratum; see the module.
///
/// Where groups are exchanged, which strata there are must not depend on which groups are called current: another
/// division has other rows on either side, and among those with strata that only the observed one is sure to have, it
/// stands out by that alone. A stratum counts as 0 in a division that leaves fewer than two rows on a side.
///
/// # Errors
///
/// As [`Mmd::new`]; [`Error::SampleTooSmall`] without strata.
pub fn stratified(
    samples: &Comparison<'_>,
    exchange: Exchange<'_>,
    bandwidth: Bandwidth,
    random: &mut Rng,
) -> Result<StratifiedMmd> {
    let Comparison { reference, current, strata, permutations } = *samples;
    check_samples(reference, current)?;
    if strata.is_empty() {
        return Err(Error::SampleTooSmall {
            sample: "the classes to compare".into(),
            required: 1,
            found: 0,
        });
    }
    let relabeled = match exchange {
        Exchange::Images => Vec::new(),
        Exchange::Groups(groups) => groups.relabel(permutations, random),
    };
    let relabelings = match exchange {
        Exchange::Images => permutations,
        Exchange::Groups(_) => relabeled.len(),
    };
    let (mut statistic, mut permuted) = (0.0, vec![0.0; relabelings]);
    let mut found = Vec::with_capacity(strata.len());
    for stratum in strata {
        let n = stratum.reference.len();
        if matches!(exchange, Exchange::Images) {
            check_sizes(n, stratum.current.len())?;
        }
        let mmd = Mmd::of_pooled(&stratum.pooled(reference, current), n, bandwidth)?;
        let marks = match exchange {
            Exchange::Images => mmd.random_marks(permutations, random),
            Exchange::Groups(groups) => marks_of(stratum, groups, &relabeled),
        };
        let observed = Weighed::observed(&mmd);
        let of_stratum: Vec<f64> =
            mmd.of_marks(marks.view()).into_iter().map(Weighed::weighed).collect();
        statistic += observed.weighed();
        for (sum, value) in permuted.iter_mut().zip(&of_stratum) {
            *sum += value;
        }
        let p_value = permutation_p_value(observed.weighed(), &of_stratum);
        found.push(StratumMmd { mmd2: observed.mmd2, sigma: mmd.sigma(), p_value });
    }
    let p_value = permutation_p_value(statistic, &permuted);
    Ok(StratifiedMmd { statistic, p_value, strata: found })
}

/// 1 where a row of the stratum is of a group that is called current.
fn marks_of(stratum: &Stratum, groups: &Groups, relabeled: &[Vec<bool>]) -> Array2<f64> {
    let (reference, current) = groups.of_rows();
    let of_reference = stratum.reference.iter().map(|&row| reference[row]);
    let groups: Vec<usize> =
        of_reference.chain(stratum.current.iter().map(|&row| current[row])).collect();
    Array2::from_shape_fn((groups.len(), relabeled.len()), |(row, permutation)| {
        f64::from(relabeled[permutation][groups[row]])
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::*;
    use crate::two_sample::groups::choices;

    /// Irwin–Hall: near enough to normal for a test.
    fn normal(random: &mut Rng, rows: usize, columns: usize, shift: f64) -> Array2<f32> {
        #[expect(clippy::cast_possible_truncation)]
        let mut value = || ((0..12).map(|_| random.f64()).sum::<f64>() - 6.0 + shift) as f32;
        Array2::from_shape_simple_fn((rows, columns), &mut value)
    }

    #[test]
    fn a_changed_mix_alone_is_no_change_within_classes() {
        let mut random = Rng::with_seed(5);
        let class = |random: &mut Rng, rows, at| normal(random, rows, 4, at);
        let sample = |random: &mut Rng, a: usize, b: usize| {
            let mut rows = class(random, a, 0.0);
            rows.append(Axis(0), class(random, b, 3.0).view()).unwrap();
            rows
        };
        let (x, y) = (sample(&mut random, 40, 10), sample(&mut random, 10, 40));
        let labels = |a, b| [vec!["a"; a], vec!["b"; b]].concat();
        let strata = Stratum::by_class(&labels(40, 10), &labels(10, 40));
        let test = |strata: &[Stratum], random: &mut Rng| {
            let (reference, current) = (x.view(), y.view());
            let samples = Comparison { reference, current, strata, permutations: 199 };
            stratified(&samples, Exchange::Images, Bandwidth::default(), random).unwrap()
        };
        assert_eq!(test(&[Stratum::all(50, 50)], &mut random).p_value, 1.0 / 200.0);
        let within = test(&strata, &mut random);
        assert!(within.p_value > 0.05, "{within:?}");
        assert_eq!(within.strata.len(), 2);
    }

    /// Whatever parts are called current, the p-values of all ways to do so are 1/45, 2/45, … 45/45, whatever the
    /// seed: eight parts against two alarm at 5 % in two of the 45 ways.
    #[test]
    fn few_divisions_are_all_compared_and_no_seed_matters() {
        let mut random = Rng::with_seed(8);
        let parts: Vec<_> = (0..10).map(|_| normal(&mut random, 6, 4, 0.0)).collect();
        let mut p_values = Vec::new();
        for way in choices(10, 2, 45).unwrap() {
            let side = |current: bool| {
                let mut rows = Array2::zeros((0, 4));
                for (part, _) in parts.iter().zip(&way).filter(|(_, is)| **is == current) {
                    rows.append(Axis(0), part.view()).unwrap();
                }
                rows
            };
            let (x, y) = (side(false), side(true));
            let names =
                |rows: usize| (0..rows).map(|row| (row / 6).to_string()).collect::<Vec<_>>();
            let groups = Groups::new(&names(48), &names(12));
            let of_seed = |seed| {
                let (all, bandwidth) = ([Stratum::all(48, 12)], Bandwidth::PooledMedian);
                let (exchange, mut random) = (Exchange::Groups(&groups), Rng::with_seed(seed));
                let (reference, current) = (x.view(), y.view());
                let samples = Comparison { reference, current, strata: &all, permutations: 999 };
                stratified(&samples, exchange, bandwidth, &mut random).unwrap().p_value
            };
            assert_eq!(groups.smallest_p_value(999), 1.0 / 45.0);
            assert_eq!(of_seed(1), of_seed(2));
            p_values.push(of_seed(1));
        }
        p_values.sort_by(f64::total_cmp);
        let expected: Vec<f64> = (1..=45).map(|rank| f64::from(rank) / 45.0).collect();
        assert_eq!(p_values, expected);
    }

    /// Ten pictures of each of six parts, and of each of five others; no two parts look the same.
    #[test]
    fn pictures_of_one_part_are_exchanged_together() {
        let (mut found, trials) = ([0; 2], 40);
        for seed in 0..trials {
            let mut random = Rng::with_seed(seed);
            let mut parts = |count: usize| {
                let mut rows = Array2::zeros((0, 6));
                for _ in 0..count {
                    let part = normal(&mut random, 1, 6, 0.0);
                    let pictures = normal(&mut random, 10, 6, 0.0) * 0.3 + &part;
                    rows.append(Axis(0), pictures.view()).unwrap();
                }
                rows
            };
            let (x, y) = (parts(6), parts(5));
            let names =
                |rows: usize| (0..rows).map(|row| (row / 10).to_string()).collect::<Vec<_>>();
            let groups = Groups::new(&names(60), &names(50));
            assert_eq!(groups.counts(), [6, 5]);
            for (found, exchange) in
                found.iter_mut().zip([Exchange::Images, Exchange::Groups(&groups)])
            {
                let all = [Stratum::all(60, 50)];
                let (reference, current) = (x.view(), y.view());
                let samples = Comparison { reference, current, strata: &all, permutations: 199 };
                let test =
                    stratified(&samples, exchange, Bandwidth::PooledMedian, &mut random).unwrap();
                *found += u32::from(test.p_value <= 0.05);
            }
        }
        // At 5 % two are to be expected, and more than six come once in 200 such tests.
        assert!(found[0] >= 30 && found[1] <= 6, "{found:?} of {trials}");
    }
}
