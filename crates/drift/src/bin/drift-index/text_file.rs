//! Files with one text a line, beside a matrix.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The lines of a UTF-8 file, which must be as many as the matrix has rows. An empty line is `None`.
pub fn read(path: &Path, rows: usize, of: &Path) -> Result<Vec<Option<String>>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {} as UTF-8 text", path.display()))?;
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
