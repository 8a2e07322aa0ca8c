//! Files with one text a line, beside a matrix.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The lines of a UTF-8 file, which must be as many as the matrix has rows. An empty line is `None`.
pub fn read(path: &Path, rows: usize, of: &Path) -> Result<Vec<Option<String>>> {
    let text =
        read_text(path).with_context(|| format!("cannot read {} as UTF-8 text", path.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines: Vec<_> =
        text.lines().map(|line| (!line.is_empty()).then(|| line.to_owned())).collect();
    ensure!(
        lines.len() == rows,
        "{} has {} lines, and {} has {rows} rows: expected one line a row",
        path.display(),
        lines.len(),
        of.display(),
    );
    Ok(lines)
}

/// The lines of a UTF-8 file that are not empty.
pub fn lines(path: &Path) -> Result<Vec<String>> {
    let text =
        read_text(path).with_context(|| format!("cannot read {} as UTF-8 text", path.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let (mut file, _) = sdd_core::regular_file::open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}
