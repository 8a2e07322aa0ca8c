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

use super::divisions::{Divisions, Exchange, Stratified};
use super::groups::Groups;
use super::strata::{Stratum, check_strata};
use crate::error::{Error, Result};

/// The values of a stratum, ascending, each with its place among the reference's and the current ones.
struct Pooled(Vec<(f64, usize)>);

/// Compares the values of each stratum, in `permutations` divisions of the groups or in all.
///
/// # Errors
///
/// [`Error::NotFinite`] for a value that is NaN or infinite; [`Error::SampleTooSmall`] without strata.
pub fn test(
    samples: (&[f64], &[f64]),
    strata: &[Stratum],
    groups: &Groups,
    permutations: usize,
    random: &mut Rng,
) -> Result<Stratified> {
    for (sample, values) in [("reference", samples.0), ("current", samples.1)] {
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            let (vector, value) = (format!("the {sample} sample"), values[position]);
            return Err(Error::NotFinite { vector, position, value });
        }
    }
    check_strata(strata)?;
    let divisions = Divisions::new(Exchange::Groups(groups), permutations, random);
    let mut of_stratum = |stratum: &Stratum| {
        let pooled = Pooled::new(samples, stratum);
        let n = stratum.reference.len();
        let as_they_are: Vec<bool> = (0..pooled.0.len()).map(|place| place >= n).collect();
        let divided = divisions.of(stratum, random);
        let divided = divided.iter().map(|is_current| pooled.statistic(is_current)).collect();
        (pooled.statistic(&as_they_are), divided)
    };
    let found: Vec<_> = strata.iter().map(&mut of_stratum).collect();
    Ok(Stratified::of(&found, f64::max))
}

impl Pooled {
    fn new((reference, current): (&[f64], &[f64]), stratum: &Stratum) -> Self {
        let x = stratum.reference.iter().map(|&row| reference[row]);
        let y = stratum.current.iter().map(|&row| current[row]);
        let mut pooled: Vec<_> =
            x.chain(y).enumerate().map(|(place, value)| (value, place)).collect();
        pooled.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Self(pooled)
    }

    /// 0 where either side has no value.
    fn statistic(&self, is_current: &[bool]) -> f64 {
        let values = &self.0;
        let m = values.iter().filter(|(_, place)| is_current[*place]).count();
        let n = values.len() - m;
        if n == 0 || m == 0 {
            return 0.0;
        }
        let (step_up, step_down) = (1.0 / n as f64, 1.0 / m as f64);
        let (mut difference, mut largest) = (0.0_f64, 0.0_f64);
        for (position, (value, place)) in values.iter().enumerate() {
            difference += if is_current[*place] { -step_down } else { step_up };
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
        let pooled = Pooled::new((&x, &y), &Stratum::all(4, 3));
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
