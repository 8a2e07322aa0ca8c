//! What people read of a report in a terminal.

use std::fmt;

use super::Reported;
use crate::answer::{count, line};

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drift = &self.report.drift;
        writeln!(f, "{}: {}", self.store, drift.verdict.name())?;
        line(f, "summary", &drift.summary)?;
        let epoch = format_args!("{} in epoch {}", drift.epoch.images, drift.epoch.number);
        line(f, "images", epoch)?;
        for (rank, step) in self.report.what_to_do.iter().enumerate() {
            line(f, if rank == 0 { "what to do" } else { "" }, step)?;
        }
        for left in &self.left.skipped {
            line(f, "skipped", format_args!("{}: {}", left.image, left.reason))?;
        }
        if !self.left.duplicates.is_empty() {
            let duplicates = count(self.left.duplicates.len(), "image");
            line(f, "left out", format_args!("{duplicates} that are byte for byte another one"))?;
        }
        for (name, path) in [("page", &self.html), ("box plot", &self.box_plot)] {
            if let Some(path) = path {
                line(f, name, path.display())?;
            }
        }
        Ok(())
    }
}
