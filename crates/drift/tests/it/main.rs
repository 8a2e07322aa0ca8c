//! Tests of the library over real stores, and of the program with a real model.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod build;
mod damaged;
mod false_alarms;
mod golden;
mod interrupted;
mod laws;
mod matrix;
mod query;
mod reference;
mod support;
mod text;
