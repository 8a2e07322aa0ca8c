//! Fuzz targets: each takes any bytes, and panics where the code behind it breaks a promise.
//!
//! `make fuzz` runs them under libFuzzer, `MINUTES` each, from the inputs in `seeds/`. The tests of this crate run
//! each seed once, so that what was found stays mended; an input that a fuzzer found goes there, as small as
//! `cargo fuzz tmin` makes it.

#![expect(
    clippy::missing_panics_doc,
    reason = "to panic where a promise is broken is what a target is for"
)]

mod drift;
mod image;
mod server;
mod store;

pub use drift::monitor_state;
pub use image::image;
pub use server::{multipart, v2};
pub use store::{manifest, records};

/// Reads the input as a `.npy` file.
pub fn npy(input: &[u8]) {
    if let Ok(matrix) = sdd_drift::npy::read(input, input.len() as u64) {
        assert!(matrix.iter().all(|value| value.is_finite()), "numbers are finite");
        assert!(!matrix.is_empty(), "a matrix has rows and columns");
    }
}

/// What is run with each input.
pub type Target = fn(&[u8]);

/// All targets, by the names of their programs and of their folders of seeds.
pub const TARGETS: [(&str, Target); 7] = [
    ("image", image),
    ("manifest", manifest),
    ("monitor_state", monitor_state),
    ("multipart", multipart),
    ("npy", npy),
    ("records", records),
    ("v2", v2),
];
