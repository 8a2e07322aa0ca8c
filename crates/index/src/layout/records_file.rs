//! The records file: one JSON object a line, in the order of the rows.

use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::MAX_NORM;
use crate::normalize::Normalization;
use crate::record::{Record, check_records, scattered};

/// The longest line: an id and a label in which every byte is escaped as `\u0000`, and the rest.
pub(super) const MAX_LINE_BYTES: usize = 4096;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    label: Option<Cow<'a, str>>,
    /// The embedding's Euclidean norm before it was divided by it; only with normalization l2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    norm: Option<f64>,
}

/// Appends the line of one record to `out`.
pub(super) fn render(record: &Record, norm: Option<f64>, out: &mut Vec<u8>) -> Result<()> {
    let line = Line {
        id: Cow::Borrowed(&record.id),
        label: record.label.as_deref().map(Cow::Borrowed),
        norm,
    };
    serde_json::to_writer(&mut *out, &line)
        .map_err(|error| Error::contents(format!("a record is no JSON: {error}")))?;
    out.push(b'\n');
    Ok(())
}

/// Parses and checks all lines: `count` of them, with unique ids, each label's rows together. Gives the norms, too: one a
/// row with normalization l2, else none.
pub(super) fn parse(
    path: &Path,
    bytes: &[u8],
    count: usize,
    normalization: Normalization,
) -> Result<(Vec<Record>, Vec<f64>)> {
    let damaged = |reason: String| Error::damaged(path, reason);
    let at_line = |(row, reason)| damaged(format!("line {}: {reason}", row + 1));
    let lines = || bytes.split_inclusive(|&byte| byte == b'\n');
    let found = lines().count();
    if found != count || bytes.last().is_some_and(|&last| last != b'\n') {
        return Err(damaged(format!("expected {count} whole lines, found {found} lines")));
    }
    let (mut records, mut norms) = (Vec::with_capacity(count), Vec::new());
    for (row, line) in lines().enumerate() {
        let (record, norm) =
            parse_line(line, normalization).map_err(|reason| at_line((row, reason)))?;
        records.push(record);
        norms.extend(norm);
    }
    check_records(&records).map_err(at_line)?;
    if let Some(Record { label, .. }) = scattered(&records) {
        return Err(damaged(format!(
            "expected the rows of label {label:?} together, found them scattered"
        )));
    }
    Ok((records, norms))
}

fn parse_line(line: &[u8], normalization: Normalization) -> Result<(Record, Option<f64>), String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("expected at most {MAX_LINE_BYTES} bytes, found {}", line.len()));
    }
    let Line { id, label, norm } =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    match (normalization, norm) {
        (Normalization::None, None) => {}
        (Normalization::L2, Some(norm)) if (0.0..=MAX_NORM).contains(&norm) => {}
        (Normalization::L2, norm) => {
            return Err(format!("expected a norm of 0 to {MAX_NORM:e}, found {norm:?}"));
        }
        (Normalization::None, Some(norm)) => {
            return Err(format!("expected no norm without normalization, found {norm}"));
        }
    }
    let record = Record { id: id.into_owned(), label: label.map(Cow::into_owned) };
    Ok((record, norm))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(
        text: &str,
        count: usize,
        normalization: Normalization,
    ) -> Result<(Vec<Record>, Vec<f64>)> {
        parse(Path::new("records"), text.as_bytes(), count, normalization)
    }

    #[test]
    fn the_longest_record_fits_a_line() -> Result<()> {
        let id = "\"".repeat(crate::record::MAX_ID_BYTES);
        let label = Some("\\".repeat(crate::record::MAX_LABEL_BYTES));
        let mut line = Vec::new();
        render(&Record { id, label }, Some(f64::MIN_POSITIVE), &mut line)?;
        assert!(line.len() <= MAX_LINE_BYTES);
        Ok(())
    }

    #[test]
    fn records_and_norms_are_read_in_their_order() -> Result<()> {
        let text = "{\"id\":\"a\",\"label\":\"x\",\"norm\":0.0}\n{\"id\":\"b\",\"label\":null,\"norm\":2.5}\n";
        let (records, norms) = parse_text(text, 2, Normalization::L2)?;
        let record = |id: &str, label: Option<&str>| Record {
            id: id.to_owned(),
            label: label.map(str::to_owned),
        };
        assert_eq!(records, [record("a", Some("x")), record("b", None)]);
        assert_eq!(norms, [0.0, 2.5]);
        Ok(())
    }
}
