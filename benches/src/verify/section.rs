//! A figure's part of the document, and whether its bounds were met.

use std::fmt::{Display, Write as _};

/// Markdown of one figure, with the bounds that it missed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    text: String,
    misses: Vec<String>,
}

impl Section {
    /// With a heading.
    pub fn new(title: &str) -> Self {
        Self { text: format!("## {title}\n"), misses: Vec::new() }
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        // Writing into a String cannot fail.
        let _ = write!(self.text, "\n{text}\n");
    }

    /// A table; every row has as many cells as the header.
    pub fn table<const N: usize>(&mut self, header: [&str; N], rows: &[[String; N]]) {
        let _ = write!(self.text, "\n| {} |\n|{}\n", header.join(" | "), " --- |".repeat(N));
        for row in rows {
            let _ = writeln!(self.text, "| {} |", row.join(" | "));
        }
    }

    /// Requires `found <= bound`, and says "yes" or "**no**" for a table. NaN misses.
    pub fn at_most(&mut self, what: &str, found: f64, bound: f64) -> &'static str {
        self.require(found <= bound, &format_args!("{what}: {found:.6} is above {bound:.6}"))
    }

    /// Requires `found >= bound`, and says "yes" or "**no**" for a table. NaN misses.
    pub fn at_least(&mut self, what: &str, found: f64, bound: f64) -> &'static str {
        self.require(found >= bound, &format_args!("{what}: {found:.6} is below {bound:.6}"))
    }

    fn require(&mut self, holds: bool, otherwise: &dyn Display) -> &'static str {
        if holds {
            return "yes";
        }
        self.misses.push(otherwise.to_string());
        "**no**"
    }

    /// The Markdown, with what was missed at its end.
    pub fn markdown(&self) -> String {
        let mut text = self.text.clone();
        for miss in &self.misses {
            let _ = write!(text, "\n**Missed.** {miss}\n");
        }
        text
    }

    /// The bounds that were missed, in words.
    pub fn misses(&self) -> &[String] {
        &self.misses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_missed_is_told_in_the_text() {
        let mut section = Section::new("Title");
        assert_eq!(section.at_most("alarms", 0.05, 0.05), "yes");
        assert!(section.misses().is_empty());
        assert_eq!(section.at_most("alarms", 0.06, 0.05), "**no**");
        assert_eq!(section.at_least("power", f64::NAN, 0.75), "**no**");
        assert_eq!(section.misses().len(), 2);
        assert!(section.markdown().contains("**Missed.** alarms: 0.060000 is above 0.050000"));
    }

    #[test]
    fn a_table_has_a_line_a_row() {
        let mut section = Section::new("Title");
        section.table(["a", "b"], &[["1".into(), "2".into()]]);
        assert_eq!(section.markdown(), "## Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n");
    }
}
