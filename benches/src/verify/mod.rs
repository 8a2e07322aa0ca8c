//! The figures that drift detection promises, measured by seeded simulations; `make verify-drift` runs them.
//!
//! One file a figure: a function that simulates, and returns a [`Section`] of `docs/drift-figures.md`. To add
//! one, write its file, enter it into [`FIGURES`], and give the document a pair of markers with its place.

mod batch;
mod mmd_time;
pub mod parallel;
pub mod section;

pub use section::Section;

/// One of the figures.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its number, by which it is asked for.
    pub number: u8,
    /// The name of its markers in the document.
    pub place: &'static str,
    /// Simulates and judges.
    pub measure: fn() -> anyhow::Result<Section>,
}

/// All of them, as they stand in the document.
pub const FIGURES: &[Figure] = &[
    Figure { number: 4, place: "batch", measure: batch::measure },
    Figure { number: 7, place: "mmd-time", measure: mmd_time::measure },
];
