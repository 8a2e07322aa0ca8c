//! Whole groups are exchanged: images of one physical part are not independent, and parts are.
//!
//! A division calls as many groups current as there are in the current sample; each group's images keep their classes
//! and go with it, so that the numbers of images and of classes on either side vary from one division to the next.
//! What it takes is that groups are drawn alike and independently, their numbers of images and their classes included.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::permutation::draw;

/// Which group each row belongs to, for example which physical part it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// The group of each reference row: 0 … a − 1.
    reference: Vec<usize>,
    /// The group of each current row: a … a + b − 1.
    current: Vec<usize>,
    counts: [usize; 2],
}

impl Groups {
    /// From a name for each row. Groups of the two samples are different ones, even of one name.
    #[must_use]
    pub fn new<S: AsRef<str>>(reference: &[S], current: &[S]) -> Self {
        let number = |names: &[S], first: usize| {
            let distinct: BTreeSet<&str> = names.iter().map(S::as_ref).collect();
            let distinct: Vec<&str> = distinct.into_iter().collect();
            let position =
                |name: &S| first + distinct.partition_point(|known| *known < name.as_ref());
            (names.iter().map(position).collect::<Vec<usize>>(), distinct.len())
        };
        let (reference, a) = number(reference, 0);
        let (current, b) = number(current, a);
        Self { reference, current, counts: [a, b] }
    }

    /// How many there are in the reference, and in the current sample.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        self.counts
    }

    /// Whether there are so few ways to divide the groups that all of them are compared.
    #[must_use]
    pub fn are_all_compared(&self, permutations: usize) -> bool {
        let [a, b] = self.counts;
        choices(a + b, b, permutations + 1).is_some()
    }

    /// The smallest p-value that there can be: 1 of all ways to divide the groups where all are compared, else 1 of
    /// the `permutations` drawn and the one observed.
    #[must_use]
    pub fn smallest_p_value(&self, permutations: usize) -> f64 {
        let [a, b] = self.counts;
        smallest_p_value(a, b, permutations)
    }

    /// The number of all of them, and of a row of either sample.
    #[must_use]
    pub fn of_rows(&self) -> (&[usize], &[usize]) {
        (&self.reference, &self.current)
    }

    /// Which groups are called current, for each of `permutations` relabelings; or for each other way to call as many
    /// groups so, where there are no more of those. Then nothing depends on chance, which among few ways would
    /// decide whether there is an alarm.
    #[must_use]
    pub fn relabel(&self, permutations: usize, random: &mut Rng) -> Vec<Vec<bool>> {
        let [a, b] = self.counts;
        if let Some(all) = choices(a + b, b, permutations + 1) {
            let observed = |is_current: &Vec<bool>| is_current[..a].iter().all(|is| !is);
            return all.into_iter().filter(|is_current| !observed(is_current)).collect();
        }
        draw(a + b, b, permutations, random)
    }
}

/// All ways to choose `chosen` of `of`, unless there are more than `most`.
pub(super) fn choices(of: usize, chosen: usize, most: usize) -> Option<Vec<Vec<bool>>> {
    let mut all = vec![Vec::with_capacity(of)];
    for left in (0..of).rev() {
        let mut longer = Vec::with_capacity(2 * all.len());
        for choice in all {
            let taken = choice.iter().filter(|is| **is).count();
            for takes in [false, true] {
                let wanted = chosen.checked_sub(taken + usize::from(takes));
                if wanted.is_some_and(|wanted| wanted <= left) {
                    let mut choice = choice.clone();
                    choice.push(takes);
                    longer.push(choice);
                }
            }
        }
        // Each beginning can be completed, so that there are as many ways at least.
        if longer.len() > most {
            return None;
        }
        all = longer;
    }
    Some(all)
}

/// The smallest p-value of `a` and `b` groups.
#[must_use]
pub fn smallest_p_value(a: usize, b: usize, permutations: usize) -> f64 {
    let most = permutations as f64 + 1.0;
    // C(a + b, b), until it is too much for all of them to be compared.
    let mut ways = 1.0;
    for k in 1..=a.min(b) {
        ways *= (a.max(b) + k) as f64 / k as f64;
        if ways > most {
            return most.recip();
        }
    }
    // With as many groups on either side, a division and the one with the sides exchanged are as far apart.
    if a == b { 2.0 / ways } else { ways.recip() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_are_found_each_once_unless_they_are_too_many() {
        let ways = choices(5, 2, 10).unwrap();
        let distinct: BTreeSet<_> = ways.iter().cloned().collect();
        assert_eq!((ways.len(), distinct.len()), (10, 10));
        assert!(ways.iter().all(|way| way.len() == 5 && way.iter().filter(|is| **is).count() == 2));
        assert_eq!(choices(5, 2, 9), None);
        assert_eq!(choices(1000, 500, 999), None);
        assert_eq!(choices(3, 3, 1).unwrap(), [[true; 3]]);
    }

    #[test]
    fn the_smallest_p_value_is_that_of_the_ways_or_of_those_drawn() {
        assert_eq!(smallest_p_value(8, 1, 999), 1.0 / 9.0);
        assert_eq!(smallest_p_value(2, 8, 999), 1.0 / 45.0);
        assert_eq!(smallest_p_value(4, 4, 999), 2.0 / 70.0);
        assert_eq!(smallest_p_value(8, 2, 43), 1.0 / 44.0);
        assert_eq!(smallest_p_value(500, 400, 999), 1.0 / 1000.0);
        assert_eq!(Groups::new(&["a", "a", "b"], &["a"]).smallest_p_value(999), 1.0 / 3.0);
    }
}
