//! What a monitor has seen, for people: a document, one HTML page, and the box plot alone.
//!
//! A [`Report`] is made of what a store has of a pair, read once; everything is drawn from it, and it is also the
//! report's JSON.
//! The page needs no network and no script. Pictures come from [`Pictures`], which may have none.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `document`, `facts` | the report: numbers only |
//! | `scores`, `p_values` | the samples that are compared, and the p-values against uniform |
//! | `advice` | what to do |
//! | `chart` | drawings as SVG |
//! | `pictures` | thumbnails |
//! | `folders` | where their files are |
//! | `page` | the HTML |

// Where a test compares floats exactly, it means exactly.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod advice;
mod chart;
mod document;
mod error;
mod facts;
mod folders;
mod p_values;
mod page;
mod pictures;
mod scores;

pub use document::{PathPoint, Report, StrangeImage};
pub use error::{Error, Result};
pub use facts::{CalibrationFacts, ReferenceFacts};
pub use folders::{PictureFolders, small};
pub use p_values::PValueHistogram;
pub use page::html;
pub use pictures::{NoPictures, Pictures};
pub use scores::{Sample, ScoreBox};

/// The box plot alone, readable as it stands: SVG with its own colors.
#[must_use]
pub fn box_plot_svg(report: &Report) -> String {
    chart::boxes::drawing(report).standalone()
}

#[cfg(test)]
mod tests;
