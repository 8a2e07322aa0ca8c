//! What a sequential test promises.

use serde::Serialize;

use crate::conformal::conditional_rate_bound;
use crate::error::{Result, check_open_unit};

/// The share of δ that pays for the calibration.
const CALIBRATION_SHARE: f64 = 0.5;

/// What a sequential test promises, and against which rate it bets to keep that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Guarantee {
    level: f64,
    delta_calibration: f64,
    delta_betting: f64,
}

impl Guarantee {
    /// The probability of a false alarm, ever, is at most `delta`, for alarms at `p ≤ alpha` by a calibration of
    /// `n_cal` images. It holds for images that are independent, and exchangeable with those of the calibration.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) unless `0 < delta < 1`; as
    /// [`ConditionalRate::new`](crate::conformal::ConditionalRate::new).
    pub fn new(n_cal: usize, alpha: f64, delta: f64) -> Result<Self> {
        Self::of_bound(delta, |delta| conditional_rate_bound(n_cal, alpha, delta))
    }

    /// The same for any calibration, and whatever else counts as no drift: `bound(δ′)` is a rate that images without
    /// drift exceed with probability `δ′` at most, over calibrations. It is asked for the part of `delta` that pays
    /// for the calibration.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) unless `0 < delta < 1`; [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a bound that is not strictly
    /// between 0 and 1; and what `bound` reports.
    pub fn of_bound(delta: f64, bound: impl FnOnce(f64) -> Result<f64>) -> Result<Self> {
        check_open_unit("delta", delta)?;
        let delta_calibration = CALIBRATION_SHARE * delta;
        let level = bound(delta_calibration)?;
        check_open_unit("level", level)?;
        Ok(Self { level, delta_calibration, delta_betting: delta - delta_calibration })
    }

    /// Against a rate that is known, so that nothing is owed to a calibration.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) unless `0 < level < 1`; [`Error::InvalidArgument`](crate::Error::InvalidArgument) unless `0 < delta < 1`.
    pub fn of_known_rate(level: f64, delta: f64) -> Result<Self> {
        check_open_unit("level", level)?;
        check_open_unit("delta", delta)?;
        Ok(Self { level, delta_calibration: 0.0, delta_betting: delta })
    }

    /// The rate of images out of distribution that counts as no drift.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The probability of a false alarm, ever.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.delta_calibration + self.delta_betting
    }

    /// The probability that the calibration's rate is above the level.
    #[must_use]
    pub fn delta_calibration(&self) -> f64 {
        self.delta_calibration
    }

    /// The probability of a false alarm where it is not.
    #[must_use]
    pub fn delta_betting(&self) -> f64 {
        self.delta_betting
    }

    /// The e-value that raises the alarm, `1/δ_betting`.
    #[must_use]
    pub fn alarm_at(&self) -> f64 {
        self.delta_betting.recip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn delta_is_halved_and_the_level_is_the_calibrations_bound() {
        let guarantee = Guarantee::new(360, 0.05, 0.05).unwrap();
        assert!((guarantee.level() - 0.0745324620251499).abs() < 1e-9);
        assert_eq!(guarantee.alarm_at(), 40.0);
        assert_eq!(guarantee.delta(), 0.05);
        for delta in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(Guarantee::new(360, 0.05, delta).is_err());
            assert!(Guarantee::of_known_rate(0.05, delta).is_err());
        }
        assert!(matches!(Guarantee::new(9, 0.05, 0.05), Err(Error::CalibrationTooSmall { .. })));
        assert!(Guarantee::of_known_rate(1.0, 0.05).is_err());
        // A bound of another kind is asked for its half, and may be refused.
        let of_bound = Guarantee::of_bound(0.05, |delta| {
            assert_eq!(delta, 0.025);
            Ok(0.1)
        });
        assert_eq!(of_bound.unwrap().level(), 0.1);
        assert!(Guarantee::of_bound(0.05, |_| Ok(1.0)).is_err());
        // The largest level there is: one calibration image.
        let level = Guarantee::new(1, 0.5, 1e-9).unwrap().level();
        assert!(level < 1.0);
    }
}
