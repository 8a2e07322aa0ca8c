//! Kolmogorov–Smirnov on one variable within classes, with whole groups exchanged.
//!
//! ```text
//! T = max_c D_c · √(n_c m_c / (n_c + m_c))
//! ```
//!
//! over the classes c; `D_c` is the largest difference of the distribution functions of the class's n reference and m
//! current values. The p-value is among divisions of the groups, as of [`stratified_mmd`](super::stratified_mmd): values
//! of one group are not independent, and the usual distribution of D takes them for it.

use fastrand::Rng;

use super::groups::Groups;
use super::permutation::permutation_p_value;
use super::strata::Stratum;
use crate::error::{Error, Result};

/// The result of [`test()`].
#[derive(Debug, Clone, PartialEq)]
pub struct GroupedKs {
    /// The permutation p-value of T.
    pub p_value: f64,
    /// One a stratum, in their order, not adjusted for their number.
    pub by_stratum: Vec<f64>,
}

/// The values of a stratum, ascending, each with its group.
struct Pooled(Vec<(f64, usize)>);

/// Compares the values of each stratum, in `permutations` divisions of the groups or in all.
///
/// # Errors
///
/// [`Error::NotFinite`] for a value that is NaN or infinite; [`Error::SampleTooSmall`] without strata.
pub fn test(
    (reference, current): (&[f64], &[f64]),
    strata: &[Stratum],
    groups: &Groups,
    permutations: usize,
    random: &mut Rng,
) -> Result<GroupedKs> {
    for (sample, values) in [("reference", reference), ("current", current)] {
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            let (vector, value) = (format!("the {sample} sample"), values[position]);
            return Err(Error::NotFinite { vector, position, value });
        }
    }
    if strata.is_empty() {
        let sample = "the classes to compare".into();
        return Err(Error::SampleTooSmall { sample, required: 1, found: 0 });
    }
    let pooled = strata.iter().map(|stratum| Pooled::new((reference, current), stratum, groups));
    let pooled: Vec<Pooled> = pooled.collect();
    let statistics = |is_current: &[bool]| -> Vec<f64> {
        pooled.iter().map(|pooled| pooled.statistic(is_current)).collect()
    };
    let [a, b] = groups.counts();
    let observed = statistics(&[vec![false; a], vec![true; b]].concat());
    let divisions = groups.relabel(permutations, random);
    let divisions: Vec<Vec<f64>> = divisions.iter().map(|division| statistics(division)).collect();
    let p_value = |statistic: &dyn Fn(&[f64]) -> f64| {
        let divisions: Vec<f64> = divisions.iter().map(|of| statistic(of)).collect();
        permutation_p_value(statistic(&observed), &divisions)
    };
    Ok(GroupedKs {
        p_value: p_value(&|of| of.iter().copied().fold(0.0, f64::max)),
        by_stratum: (0..strata.len()).map(|stratum| p_value(&|of| of[stratum])).collect(),
    })
}

impl Pooled {
    fn new((reference, current): (&[f64], &[f64]), stratum: &Stratum, groups: &Groups) -> Self {
        let (of_reference, of_current) = groups.of_rows();
        let x = stratum.reference.iter().map(|&row| (reference[row], of_reference[row]));
        let y = stratum.current.iter().map(|&row| (current[row], of_current[row]));
        let mut pooled: Vec<_> = x.chain(y).collect();
        pooled.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Self(pooled)
    }

    /// 0 where either side has no value.
    fn statistic(&self, is_current: &[bool]) -> f64 {
        let values = &self.0;
        let m = values.iter().filter(|(_, group)| is_current[*group]).count();
        let n = values.len() - m;
        if n == 0 || m == 0 {
            return 0.0;
        }
        let (step_up, step_down) = (1.0 / n as f64, 1.0 / m as f64);
        let (mut difference, mut largest) = (0.0_f64, 0.0_f64);
        for (position, (value, group)) in values.iter().enumerate() {
            difference += if is_current[*group] { -step_down } else { step_up };
            #[expect(clippy::float_cmp, reason = "ties are equal values, to the bit")]
            let ties = values.get(position + 1).is_some_and(|next| next.0 == *value);
            if !ties {
                largest = largest.max(difference.abs());
            }
        }
        largest * (n as f64 * m as f64 / values.len() as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::super::kolmogorov_smirnov::KolmogorovSmirnov;
    use super::*;

    fn names(groups: usize, images: usize) -> Vec<String> {
        (0..groups * images).map(|row| (row / images).to_string()).collect()
    }

    /// `groups` levels drawn anew, with `images` values around each.
    fn draw(random: &mut Rng, groups: usize, images: usize, shift: f64) -> Vec<f64> {
        let group = |random: &mut Rng| {
            let level = random.f64() + shift;
            (0..images).map(|_| level + 0.1 * random.f64()).collect::<Vec<f64>>()
        };
        (0..groups).flat_map(|_| group(random)).collect()
    }

    #[test]
    fn the_statistic_is_that_of_the_test_for_single_images() {
        let (x, y) = ([1.0, 2.0, 2.0, 5.0], [2.0, 3.0, 3.0]);
        let groups = Groups::new(&["a", "b", "c", "d"], &["e", "f", "g"]);
        let pooled = Pooled::new((&x, &y), &Stratum::all(4, 3), &groups);
        let observed = pooled.statistic(&[false, false, false, false, true, true, true]);
        let expected = KolmogorovSmirnov::new(&x, &y).unwrap().statistic();
        assert!((observed - expected * (12.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(pooled.statistic(&[true; 7]), 0.0);
    }

    #[test]
    fn false_alarms_are_as_rare_as_asked_for_and_a_shift_is_found() {
        let mut random = Rng::with_seed(7);
        let groups = Groups::new(&names(12, 6), &names(8, 6));
        let strata = [Stratum::all(72, 48)];
        let mut alarms = |shift: f64, trials: usize| {
            let mut alarm = |_: &usize| {
                let x = draw(&mut random, 12, 6, 0.0);
                let y = draw(&mut random, 8, 6, shift);
                test((&x, &y), &strata, &groups, 99, &mut random).unwrap().p_value <= 0.05
            };
            (0..trials).filter(|trial| alarm(trial)).count()
        };
        let (quiet, shifted) = (alarms(0.0, 400), alarms(1.0, 50));
        // Of 400, 20 are to be expected with a standard deviation of 4.4.
        assert!((5..=36).contains(&quiet), "{quiet} of 400");
        assert!(shifted >= 45, "{shifted} of 50");
    }

    #[test]
    fn what_is_no_number_and_nothing_to_compare_are_refused() {
        let groups = Groups::new(&["a"], &["b"]);
        let mut random = Rng::with_seed(0);
        let all = [Stratum::all(1, 1)];
        assert!(test((&[f64::NAN], &[1.0]), &all, &groups, 9, &mut random).is_err());
        assert!(test((&[1.0], &[1.0]), &[], &groups, 9, &mut random).is_err());
    }
}
