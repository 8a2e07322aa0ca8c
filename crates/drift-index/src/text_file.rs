//! Files with one text a line, beside a matrix.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// What programs write before UTF-8 so that spreadsheets know it.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// The lines of a UTF-8 file, which must be as many as the matrix has rows, without the white space around them. An
/// empty line is `None`.
pub fn read(path: &Path, rows: usize, of: &Path) -> Result<Vec<Option<String>>> {
    let text = read_text(path)?;
    let lines: Vec<_> = text.lines().map(str::trim).map(some).collect();
    ensure!(
        lines.len() == rows,
        "{} has {} lines, and {} has {rows} rows: expected one line a row",
        path.display(),
        lines.len(),
        of.display(),
    );
    Ok(lines)
}

/// The same for names that each row must have for itself.
pub fn read_ids(path: &Path, rows: usize, of: &Path) -> Result<Vec<String>> {
    let mut seen = HashSet::new();
    let lines = read(path, rows, of)?.into_iter().enumerate();
    let ids = lines.map(|(row, line)| {
        let place = || format!("line {} of {}", row + 1, path.display());
        let id = line.with_context(|| format!("{} is empty: expected an id a line", place()))?;
        ensure!(seen.insert(id.clone()), "{} has the id {id} a second time", place());
        Ok(id)
    });
    ids.collect()
}

/// The lines of a UTF-8 file that are not empty, without the white space around them.
pub fn lines(path: &Path) -> Result<Vec<String>> {
    let text = read_text(path)?;
    Ok(text.lines().map(str::trim).filter_map(some).collect())
}

fn some(line: &str) -> Option<String> {
    (!line.is_empty()).then(|| line.to_owned())
}

/// A UTF-8 file without its byte order mark.
pub fn read_text(path: &Path) -> Result<String> {
    let read = || -> std::io::Result<String> {
        let (mut file, _) = sdd_core::regular_file::open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().with_context(|| format!("cannot read {} as UTF-8 text", path.display()))?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_no_part_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let written = |text: &str| std::fs::write(&path, text).unwrap();
        written(" good\t\r\n  \n\nbad one \n");
        let of = Path::new("a.npy");
        let expected = [Some("good".into()), None, None, Some("bad one".into())];
        assert_eq!(read(&path, 4, of).unwrap(), expected);
        assert_eq!(lines(&path).unwrap(), ["good", "bad one"]);
    }
}
