//! A model and its reference at work, for whoever has images: a server, a benchmark, a program of one's own.
//!
//! Nothing in here knows HTTP, a command line or a format of metrics: what fails is an error that says what failed, and
//! what happens is told to an observer.

pub mod allowance;
pub mod causes;
pub mod reserved_bytes;

pub use allowance::{Allowance, Reservation};
pub use reserved_bytes::ReservedBytes;
