//! Golden numbers, and what holds for all inputs.
#![allow(clippy::unwrap_used)]
// Where a test compares floats exactly, it means exactly.
#![allow(clippy::float_cmp)]

mod conformal_laws;
mod golden;
mod laws;
