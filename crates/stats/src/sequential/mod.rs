//! Has something changed in a stream?
//!
//! | module | question |
//! | --- | --- |
//! | [`window`] | are there more out-of-distribution images in a window than chance puts there? |
//! | [`e_process`] | betting against "no drift": the path of given bets |
//! | [`betting`] | the same with bets of its own, valid at any time, for a stream without end |
//! | [`martingale`] | is what comes still exchangeable with the calibration, group by group? |
//! | [`cusum`] | how fast can a rise be noticed, at a stated number of images between false alarms? |
//!
//! # Which of them raises the alarm?
//!
//! Each promises something else. [`window`] is one test: its false-alarm probability holds for one window that
//! was chosen beforehand, and a look at every image's window is as many tests. [`betting`] may be looked at after
//! every image, for ever: the probability of *ever* alarming falsely is bounded. [`cusum`] alarms falsely sooner
//! or later, after a stated number of images on average, and notices a rise soonest.

mod bag;
pub mod betting;
pub mod cusum;
pub mod e_process;
pub mod martingale;
pub mod window;

pub use bag::Bag;
pub use betting::{Guarantee, SequentialState, SequentialTest};
pub use cusum::{Cusum, CusumDesign};
pub use martingale::ConformalMartingale;
pub use window::{Interval, WindowTest, clopper_pearson};
