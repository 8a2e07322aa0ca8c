//! Which rows are exchanged between the samples, and the p-values that come of it.
//!
//! A *division* calls other rows of the pooled samples current. What is exchanged must be independent. Images of one
//! physical part are not: where several images show one part, whole parts are exchanged ([`Exchange::Groups`]);
//! otherwise every new part would be found to differ, and rightly so, since no two parts look the same.

use fastrand::Rng;

use super::groups::Groups;
use super::permutation::{draw, permutation_p_value};
use super::strata::Stratum;

/// What a division exchanges between the samples.
#[derive(Debug, Clone, Copy)]
pub enum Exchange<'a> {
    /// Images, among those of their class: `P(p ≤ α) ≤ α` whatever the shares of the classes are in either
    /// sample, as long as the images *within* each class are alike and independent.
    Images,
    /// Whole groups, whatever their classes: `P(p ≤ α) ≤ α` where the groups are alike and independent.
    ///
    /// Which strata there are must not depend on which groups are called current: another division has other rows on
    /// either side, and among those with strata that only the observed one is sure to have, it stands out by that
    /// alone.
    Groups(&'a Groups),
}

/// The p-values of a test within strata.
#[derive(Debug, Clone, PartialEq)]
pub struct Stratified {
    /// That of the whole.
    pub p_value: f64,
    /// One a stratum, in their order, not adjusted for their number.
    pub by_stratum: Vec<f64>,
}

/// The divisions that the observed one is compared with.
pub(super) struct Divisions<'a> {
    permutations: usize,
    /// The groups, and which of them each division calls current.
    of_groups: Option<(&'a Groups, Vec<Vec<bool>>)>,
}

impl<'a> Divisions<'a> {
    pub(super) fn new(exchange: Exchange<'a>, permutations: usize, random: &mut Rng) -> Self {
        let of_groups = match exchange {
            Exchange::Images => None,
            Exchange::Groups(groups) => Some((groups, groups.relabel(permutations, random))),
        };
        Self { permutations, of_groups }
    }

    /// For each division, which rows of a stratum are called current: the reference's first.
    pub(super) fn of(&self, stratum: &Stratum, random: &mut Rng) -> Vec<Vec<bool>> {
        let (n, m) = (stratum.reference.len(), stratum.current.len());
        let Some((groups, divisions)) = &self.of_groups else {
            return draw(n + m, m, self.permutations, random);
        };
        let (reference, current) = groups.of_rows();
        let of_reference = stratum.reference.iter().map(|&row| reference[row]);
        let of_current = stratum.current.iter().map(|&row| current[row]);
        let groups: Vec<usize> = of_reference.chain(of_current).collect();
        let of_rows = |is_current: &Vec<bool>| groups.iter().map(|&g| is_current[g]).collect();
        divisions.iter().map(of_rows).collect()
    }
}

impl Stratified {
    /// Of the statistic in each stratum, as observed and in each division; `join` makes one of those of two strata.
    pub(super) fn of(strata: &[(f64, Vec<f64>)], join: impl Fn(f64, f64) -> f64) -> Self {
        let (mut observed, mut divided) = strata.first().cloned().unwrap_or_default();
        for (of_stratum, of_divisions) in strata.iter().skip(1) {
            observed = join(observed, *of_stratum);
            for (joined, statistic) in divided.iter_mut().zip(of_divisions) {
                *joined = join(*joined, *statistic);
            }
        }
        let by_stratum = strata.iter().map(|(observed, of)| permutation_p_value(*observed, of));
        Self { by_stratum: by_stratum.collect(), p_value: permutation_p_value(observed, &divided) }
    }
}
