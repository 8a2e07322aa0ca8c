//! A share over many images, estimated from groups: each group is one draw, however many images it has.
//!
//! Of group g the numerator `y_g` and the denominator `x_g`, for example of its images how many are right and how many
//! there are. The ratio is `R = Σ y_g / Σ x_g`; its standard error, from the groups' residuals,
//!
//! ```text
//! se² = G / (G − 1) · Σ (y_g − R x_g)² / (Σ x_g)²
//! ```
//!
//! so that images of one group may be as alike as they like. The interval is `R ± t · se` within [0, 1], with Student's t
//! of `G* − 1` degrees of freedom, where `G* = (Σ x_g)² / Σ x_g²` is G for groups of one size, and less where a few
//! large ones decide.
//!
//! Sources: Cochran, “Sampling techniques”, 1977, 6.3 and 9A; Carter, Schnepel, Steigerwald, “Asymptotic behavior of a
//! t-test robust to cluster heterogeneity”, 2017, for the number of groups that counts.

use serde::{Deserialize, Serialize};

use crate::MAX_COUNT;
use crate::error::{Result, check_open_unit};
use crate::interval::{Interval, beta_quantile};

/// Sums over groups, all that the ratio and its interval take.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct GroupRatio {
    groups: u64,
    numerator: f64,
    denominator: f64,
    numerator_squared: f64,
    product: f64,
    denominator_squared: f64,
}

impl GroupRatio {
    /// Takes a group with its numerator, of 0 to the denominator; one whose denominator is 0 says nothing.
    pub fn add(&mut self, numerator: f64, denominator: f64) {
        if denominator > 0.0 {
            self.merge(&Self {
                groups: 1,
                numerator,
                denominator,
                numerator_squared: numerator * numerator,
                product: numerator * denominator,
                denominator_squared: denominator * denominator,
            });
        }
    }

    /// Takes the groups of another one.
    pub fn merge(&mut self, other: &Self) {
        self.groups += other.groups;
        self.numerator += other.numerator;
        self.denominator += other.denominator;
        self.numerator_squared += other.numerator_squared;
        self.product += other.product;
        self.denominator_squared += other.denominator_squared;
    }

    /// How many groups it is of.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.groups
    }

    /// The sum of the denominators.
    #[must_use]
    pub fn denominator(&self) -> f64 {
        self.denominator
    }

    /// `G*`: as many groups of one size say as much; 0 without any.
    #[must_use]
    pub fn effective_groups(&self) -> f64 {
        if self.groups == 0 {
            return 0.0;
        }
        // In this order it is exact for groups of one size, as far as the product is exact.
        (self.denominator * self.denominator / self.denominator_squared).min(self.groups as f64)
    }

    /// The ratio; none without groups.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.groups > 0).then(|| (self.numerator / self.denominator).clamp(0.0, 1.0))
    }

    /// The interval that contains the ratio of all groups there might be with a probability of about `1 − alpha`; none
    /// unless [`effective_groups`](Self::effective_groups) is more than 1.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) unless `0 < alpha < 1`.
    pub fn interval(&self, alpha: f64) -> Result<Option<Interval>> {
        check_open_unit("alpha", alpha)?;
        let degrees_of_freedom = self.effective_groups() - 1.0;
        let Some(ratio) = self.value().filter(|_| degrees_of_freedom > 0.0) else {
            return Ok(None);
        };
        let groups = self.groups as f64;
        let residuals = self.numerator_squared - 2.0 * ratio * self.product
            + ratio * ratio * self.denominator_squared;
        let standard_error =
            (groups / (groups - 1.0) * residuals.max(0.0)).sqrt() / self.denominator;
        let half = student_t(degrees_of_freedom, alpha) * standard_error;
        Ok(Some(Interval { low: (ratio - half).max(0.0), high: (ratio + half).min(1.0) }))
    }

    /// Whether groups may lead to it: for one that comes from others.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Self {
            groups,
            numerator,
            denominator,
            numerator_squared,
            product,
            denominator_squared,
        } = *self;
        let sums = [numerator, denominator, numerator_squared, product, denominator_squared];
        let are_within = |most: f64| sums.iter().all(|sum| (0.0..=most).contains(sum));
        match groups {
            0 => are_within(0.0),
            _ => {
                groups <= MAX_COUNT
                    && are_within(MAX_COUNT as f64)
                    && denominator > 0.0
                    && denominator_squared > 0.0
            }
        }
    }
}

/// What a variable of Student's t distribution is away from 0 by more than with the given probability, below 1.
fn student_t(degrees_of_freedom: f64, both_tails: f64) -> f64 {
    // T² / (ν + T²) is Beta(1/2, ν/2), and its complement is what is small where T is large.
    let rest = beta_quantile(degrees_of_freedom / 2.0, 0.5, both_tails);
    (degrees_of_freedom * (1.0 - rest) / rest).sqrt()
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn of(groups: &[(f64, f64)]) -> GroupRatio {
        let mut ratio = GroupRatio::default();
        for (numerator, denominator) in groups {
            ratio.add(*numerator, *denominator);
        }
        ratio
    }

    #[test]
    fn few_groups_have_no_interval_and_equal_ones_one_without_length() {
        assert_eq!((of(&[]).value(), of(&[]).interval(0.05).unwrap()), (None, None));
        let one = of(&[(3.0, 4.0), (0.0, 0.0)]);
        assert_eq!((one.groups(), one.value(), one.interval(0.05).unwrap()), (1, Some(0.75), None));
        let equal = of(&[(3.0, 4.0); 5]);
        let interval = equal.interval(0.05).unwrap().unwrap();
        assert_eq!((interval.low, interval.high, equal.effective_groups()), (0.75, 0.75, 5.0));
        assert!(equal.interval(1.0).is_err());
        for images in 1..500_u32 {
            let equal = of(&[(0.0, f64::from(images)); 8]);
            assert_eq!(equal.effective_groups(), 8.0, "{images}");
        }
    }

    #[test]
    fn student_t_quantiles_are_those_of_scipy() {
        for (degrees_of_freedom, both_tails, expected) in [
            (1.0, 0.05, 12.706204736174694),
            (7.0, 0.05, 2.364624251592784),
            (2.5, 0.2, 1.7302509288071766),
            (39.0, 0.01, 2.707913183517662),
            (10000.0, 0.05, 1.960201239890626),
            (12.0, 0.8, 0.25903274567688733),
        ] {
            let found = student_t(degrees_of_freedom, both_tails);
            assert!((found / expected - 1.0_f64).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn halves_are_the_whole() {
        let groups = [(1.0, 2.0), (2.5, 3.0), (0.0, 4.0), (8.0, 8.0)];
        let mut half = of(&groups[..2]);
        half.merge(&of(&groups[2..]));
        assert_eq!(half, of(&groups));
        let stored = serde_json::to_string(&half).unwrap();
        assert_eq!(serde_json::from_str::<GroupRatio>(&stored).unwrap(), half);
        assert!(half.is_sound() && GroupRatio::default().is_sound());
        for forged in [
            GroupRatio { groups: 0, ..half },
            GroupRatio { groups: u64::MAX, ..half },
            GroupRatio { denominator: -1.0, ..half },
            GroupRatio { product: 1e300, ..half },
        ] {
            assert!(!forged.is_sound(), "{forged:?}");
        }
    }

    /// Groups of 1 to 15 images that are all right or all wrong more often than chance would have it.
    #[test]
    fn the_interval_holds_the_truth_however_images_hang_together() {
        let mut random = Rng::with_seed(3);
        for groups in [12, 40, 150] {
            let mut held = 0;
            for _ in 0..1000 {
                let mut ratio = GroupRatio::default();
                for _ in 0..groups {
                    let (images, share) = (random.u32(1..=15), random.f64().sqrt());
                    let right = (0..images).filter(|_| random.f64() < share).count();
                    ratio.add(right as f64, f64::from(images));
                }
                let interval = ratio.interval(0.05).unwrap().unwrap();
                held += u32::from((interval.low..=interval.high).contains(&(2.0 / 3.0)));
            }
            assert!((910..=975).contains(&held), "{held} of 1000 with {groups} groups");
        }
    }
}
