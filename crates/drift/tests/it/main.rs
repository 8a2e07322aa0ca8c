//! Tests of the library over real stores, and of the program with a real model.
#![allow(clippy::unwrap_used)]
// Where a test compares floats exactly, it means exactly.
#![allow(clippy::float_cmp)]

mod batch;
mod build;
mod check;
mod damaged;
mod embed;
mod false_alarms;
mod golden;
mod interrupted;
mod labeling;
mod laws;
mod life;
mod matrix;
mod query;
mod reference;
mod report;
mod support;
mod text;
mod verdicts;
