//! From what is wanted of a CUSUM to its threshold.

use serde::Serialize;

use super::Cusum;
use super::run_length::{run_length, threshold_for_run_length};
use crate::error::Result;

/// A threshold with what it brings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CusumDesign {
    /// The rate without drift.
    pub p0: f64,
    /// The rate to be noticed.
    pub p1: f64,
    /// The rate that the steps are made for: `p1`, or somewhat less (see [`CusumDesign::for_run_length`]).
    pub tuned_p1: f64,
    /// `h`.
    pub threshold: f64,
    /// Images until a false alarm, on average, where the rate is `p0`.
    pub run_length: f64,
    /// Images until the alarm, on average, where the rate is `p1` from the first image on.
    pub mean_delay: f64,
}

/// The run length may be longer than the stated one by this factor.
const LONGEST: f64 = 1.05;

impl CusumDesign {
    /// A run length of at least the stated one, and at most 5 % more. Takes milliseconds.
    ///
    /// The run length is a step function of the threshold. Where `p1` is many times `p0` its steps are high: few
    /// images decide. The steps of the CUSUM are then made for a rate below `p1`, the nearest of `p1·0.98^k` for
    /// which a threshold hits the stated run length. That has no price: the delay at `p1` hardly changes, and is
    /// often shorter, as the threshold is not higher than need be.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) unless `0 < p0 < p1 < 1` and `run_length` is above `1/p0`, where any image out of
    /// distribution would be an alarm; [`Error::RatesTooClose`](crate::Error::RatesTooClose).
    pub fn for_run_length(p0: f64, p1: f64, stated: f64) -> Result<Self> {
        let design = |tuned_p1| {
            let threshold = threshold_for_run_length(p0, tuned_p1, stated)?;
            Self::of_threshold(p0, tuned_p1, threshold)
        };
        let mut best = design(p1)?;
        let tuned = (1..=60).map(|k| p1 * 0.98_f64.powi(k)).take_while(|rate| *rate > 1.2 * p0);
        for tuned_p1 in tuned {
            if best.run_length <= LONGEST * stated {
                break;
            }
            let other = design(tuned_p1)?;
            if other.run_length < best.run_length {
                best = other;
            }
        }
        let mean_delay = best.run_length_at(p1)?;
        Ok(Self { p1, mean_delay, ..best })
    }

    /// What a threshold brings.
    ///
    /// # Errors
    ///
    /// As [`run_length`].
    pub fn of_threshold(p0: f64, p1: f64, threshold: f64) -> Result<Self> {
        let length = |rate| run_length(p0, p1, threshold, rate);
        let (run_length, mean_delay) = (length(p0)?, length(p1)?);
        Ok(Self { p0, p1, tuned_p1: p1, threshold, run_length, mean_delay })
    }

    /// Images until the alarm, on average, where the rate is another one.
    ///
    /// # Errors
    ///
    /// As [`run_length`].
    pub fn run_length_at(&self, rate: f64) -> Result<f64> {
        run_length(self.p0, self.tuned_p1, self.threshold, rate)
    }

    /// A CUSUM of this design, at 0.
    ///
    /// # Errors
    ///
    /// As [`Cusum::new`]: none, unless fields were changed by hand.
    pub fn start(&self) -> Result<Cusum> {
        Cusum::new(self.p0, self.tuned_p1, self.threshold)
    }
}
