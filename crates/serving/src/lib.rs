//! A model and its reference at work, for whoever has images: a server, a benchmark, a program of one's own.
//!
//! [`engine`]: admission, then threads that each own a model: decoding, inference and the comparison with the reference.
//! [`capture`] keeps images and what was said of them, for people; [`recording`] remembers answers and says whether there
//! is drift over time.
//!
//! Nothing in here knows HTTP, a command line or a format of metrics: what fails is an error that says what failed, and
//! what happens is told to an observer.

mod allowance;
pub mod capture;
pub mod causes;
pub mod engine;
mod origin;
pub mod recording;
mod watched;
mod worker;

pub use allowance::{Allowance, Reservation};
pub use origin::Origin;
pub use watched::WatchedPair;
