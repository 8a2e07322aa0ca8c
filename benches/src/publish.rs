//! Results in a document of this repository, between two markers.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Whether [`publish`] will find its place.
///
/// # Errors
/// When it will not.
pub fn check_place(path: &Path, name: &str) -> Result<()> {
    exchanged(path, name, "").map(drop)
}

/// Puts `text` between `<!-- NAME:begin -->` and `<!-- NAME:end -->` of a file.
///
/// # Errors
/// When the file or a marker is not there.
pub fn publish(path: &Path, name: &str, text: &str) -> Result<()> {
    let new = exchanged(path, name, text)?;
    fs::write(path, new).with_context(|| path.display().to_string())
}

fn exchanged(path: &Path, name: &str, text: &str) -> Result<String> {
    let old = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    between(&old, name, text)
        .with_context(|| format!("{} has no `<!-- {name}:begin -->` and end", path.display()))
}

fn between(old: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_exchanged() {
        let old = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb <!-- y:begin -->";
        let new = between(old, "x", "new\n\n").unwrap();
        assert_eq!(new, "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb <!-- y:begin -->");
        assert_eq!(between(&new, "x", "new").unwrap(), new);
        assert_eq!(between(old, "y", "new"), None);
    }

    #[test]
    fn a_file_without_markers_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("README.md");
        fs::write(&path, "no markers").unwrap();
        assert!(check_place(&path, "x").is_err());
        assert!(publish(&path, "x", "new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "no markers");
    }
}
