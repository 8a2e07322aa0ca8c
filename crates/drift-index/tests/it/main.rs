//! Tests of the program with a real model.
#![allow(clippy::unwrap_used)]
// Where a test compares floats exactly, it means exactly.
#![allow(clippy::float_cmp)]

mod build;
mod check;
mod damaged;
mod each;
mod embed;
mod groups;
mod interrupted;
mod labeling;
mod life;
mod matrix;
mod report;
mod support;
mod text;
mod verdicts;
