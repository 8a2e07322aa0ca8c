//! Statistics of drift: numbers in, numbers out, without a clock and without input or output.
//!
//! | module | question |
//! | --- | --- |
//! | [`conformal`] | how strange is a score among the scores of images that are known to be fine? |
//! | [`two_sample`] | are two samples from one distribution? |
//! | [`contingency`] | have two samples the same mix of classes? |
//! | [`sequential`] | has something changed in a stream, looked at again and again? |
//! | [`interval`] | between which numbers does a share lie? |
//! | [`median`] | where is the middle of weighted values, and how far are they from it? |
//! | [`group_ratio`] | a share over images of groups, and its interval |
//! | [`box_plot`] | quartiles, whiskers and fliers |
//!
//! ```
//! use sdd_stats::conformal::{PValueKind, PValues};
//!
//! # fn main() -> sdd_stats::Result<()> {
//! let calibration = PValues::of_images((1..=19).map(f64::from).collect(), PValueKind::Marginal)?;
//! assert_eq!(calibration.p_value(20.0), 0.05);
//! assert_eq!(calibration.threshold(0.05), Some(19.0));
//! # Ok(())
//! # }
//! ```

// Where a test compares floats exactly, it means exactly.
#![cfg_attr(test, allow(clippy::float_cmp))]

pub mod box_plot;
pub mod conformal;
pub mod contingency;
mod error;
pub mod group_ratio;
pub mod interval;
pub mod median;
pub mod sequential;
pub mod two_sample;

/// Counts beyond this are none, for what comes from others: adding to one never overflows, and each is exact as an `f64`.
pub const MAX_COUNT: u64 = 1 << 53;

pub use error::{Error, Result, check_open_unit};
