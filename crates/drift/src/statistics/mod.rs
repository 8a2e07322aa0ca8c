//! Statistics of drift over time and of the mix of classes: pure functions and small state machines, without
//! a clock and without input or output.
//!
//! | module | question |
//! | --- | --- |
//! | [`conditional_rate`] | how large is the false-alarm rate of *this* calibration? |
//! | [`window`] | are there more out-of-distribution images in a window than chance puts there? |
//! | [`e_process`] | betting against "no drift": the path of given bets |
//! | [`betting`] | the same with bets of its own, valid at any time, for a stream without end |
//! | [`cusum`] | how fast can a rise be noticed, at a stated number of images between false alarms? |
//! | [`class_mix`] | has the mix of predicted classes changed? |
//! | [`box_plot`] | quartiles, whiskers and fliers |
//! | [`detectors`] | ADWIN and Page–Hinkley, for comparison |
//! | [`distributions`] | the distributions that these need |
//!
//! # Which of them raises the alarm?
//!
//! Each promises something else. [`window`] is one test: its false-alarm probability holds for one window that
//! was chosen beforehand, and a look at every image's window is as many tests. [`betting`] may be looked at after
//! every image, for ever: the probability of *ever* alarming falsely is bounded. [`cusum`] alarms falsely sooner
//! or later, after a stated number of images on average, and notices a rise soonest.

pub mod betting;
pub mod box_plot;
pub mod class_mix;
pub mod conditional_rate;
pub mod cusum;
pub mod detectors;
pub mod distributions;
pub mod e_process;
pub mod window;

pub use betting::{Guarantee, SequentialState, SequentialTest};
pub use box_plot::BoxPlot;
pub use class_mix::{ClassMixTest, ClassMixVerdict};
pub use conditional_rate::ConditionalRate;
pub use cusum::{Cusum, CusumDesign};
pub use window::{Interval, WindowTest, WindowVerdict, clopper_pearson};

use crate::error::{Error, Result};

/// # Errors
///
/// [`Error::InvalidArgument`] unless `0 < value < 1`.
fn check_open_unit(name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        Ok(())
    } else {
        Err(Error::invalid_argument(name, "a number strictly between 0 and 1", value))
    }
}
