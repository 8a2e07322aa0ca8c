//! The figures that drift detection promises, measured by seeded simulations; `make verify-drift` runs them.
//!
//! One file a figure: a function that simulates, and returns a [`Section`] of `docs/drift-figures.md`. To add
//! one, write its file, enter it into [`FIGURES`], and give the document a pair of markers with its place.

mod batch;
pub mod draws;
mod false_alarms;
mod groups;
mod mmd_time;
mod monitor;
pub mod parallel;
mod real_parts;
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
    Figure { number: 1, place: "figure-1", measure: false_alarms::measure },
    Figure { number: 2, place: "figure-2", measure: groups::measure },
    Figure { number: 3, place: "figure-3", measure: monitor::measure },
    Figure { number: 4, place: "figure-4", measure: batch::measure },
    Figure { number: 6, place: "figure-6", measure: real_parts::measure },
    Figure { number: 7, place: "figure-7", measure: mmd_time::measure },
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::publish::check_place;

    #[test]
    fn every_figure_has_its_number_and_its_place_in_the_document() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/drift-figures.md");
        for (i, figure) in FIGURES.iter().enumerate() {
            check_place(Path::new(document), figure.place).unwrap();
            assert!(FIGURES[..i].iter().all(|other| other.number < figure.number));
        }
    }
}
