//! MMD² within classes, one p-value for all of them.
//!
//! ```text
//! T = Σ_c w_c · MMD²_c,   w_c = n_c m_c / (n_c + m_c)
//! ```
//!
//! Each class counts by how well its MMD² is known. Only rows of one class are compared, so that a changed
//! share of the classes does not enter.

use fastrand::Rng;

use super::divisions::{Divisions, Exchange, Stratified};
use super::mmd::{Bandwidth, Mmd, Weighed, check_sizes};
use super::strata::Comparison;
use crate::error::Result;

/// Compares the rows of each stratum; see the module. A stratum counts as 0 in a division that leaves fewer than two
/// rows on a side.
///
/// # Errors
///
/// As [`Mmd::new`]; [`Error::SampleTooSmall`](crate::Error) without strata.
pub fn stratified(
    samples: &Comparison<'_>,
    exchange: Exchange<'_>,
    bandwidth: Bandwidth,
    random: &mut Rng,
) -> Result<Stratified> {
    samples.check()?;
    let divisions = Divisions::new(exchange, samples.permutations, random);
    let mut found = Vec::with_capacity(samples.strata.len());
    for stratum in samples.strata {
        let n = stratum.reference.len();
        if matches!(exchange, Exchange::Images) {
            check_sizes(n, stratum.current.len())?;
        }
        let mmd = Mmd::of_pooled(&samples.pooled(stratum), n, bandwidth)?;
        let divided =
            mmd.of_divisions(&divisions.of(stratum, random)).into_iter().map(Weighed::weighed);
        found.push((Weighed::observed(&mmd).weighed(), divided.collect()));
    }
    Ok(Stratified::of(&found, |sum, of_stratum| sum + of_stratum))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;
    use crate::two_sample::groups::{Groups, choices};
    use crate::two_sample::strata::Stratum;

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
        assert_eq!(within.by_stratum.len(), 2);
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
