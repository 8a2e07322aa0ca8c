//! Integration tests of the reference store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::needless_pass_by_value,
    reason = "tests say what they mean and may fail loudly; numbers that must be equal are compared so; an ndarray view is a reference already"
)]

mod faiss_format;
mod forgery;
mod golden;
mod history;
mod laws;
mod opening;
mod support;
mod unfetched;
mod writing;
