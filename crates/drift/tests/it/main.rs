//! Tests of the library over real stores.
#![allow(clippy::unwrap_used)]
// Where a test compares floats exactly, it means exactly.
#![allow(clippy::float_cmp)]

mod batch;
mod false_alarms;
mod golden;
mod laws;
mod leave_one_group_out;
mod reference;
mod support;
