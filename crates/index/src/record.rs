//! What is known of a row beside its embedding: an id and, perhaps, a label.

use std::collections::HashSet;

/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 512;
/// The longest label, in bytes.
pub const MAX_LABEL_BYTES: usize = 128;

/// What is stored beside one embedding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// Names the row, e.g. by the image's file name. Unique in a store, not empty, at most
    /// [`MAX_ID_BYTES`], without control characters.
    pub id: String,
    /// The class, if it is known. Not empty, at most [`MAX_LABEL_BYTES`], without control
    /// characters.
    pub label: Option<String>,
}

impl Record {
    /// Says which rule of the fields this record breaks, if any.
    pub(crate) fn violation(&self) -> Option<String> {
        text_violation("id", &self.id, MAX_ID_BYTES).or_else(|| {
            self.label.as_ref().and_then(|label| text_violation("label", label, MAX_LABEL_BYTES))
        })
    }
}

/// Says which rule for short texts `text` breaks, if any.
pub(crate) fn text_violation(what: &str, text: &str, max_bytes: usize) -> Option<String> {
    if text.is_empty() {
        Some(format!("expected a {what} of at least one character, found an empty one"))
    } else if text.len() > max_bytes {
        Some(format!("expected a {what} of at most {max_bytes} bytes, found {}", text.len()))
    } else if text.chars().any(char::is_control) {
        Some(format!("expected a {what} without control characters, found {text:?}"))
    } else {
        None
    }
}

/// Checks every record and that no id occurs twice; gives the row that is wrong, and why.
pub(crate) fn check_records(records: &[Record]) -> Result<(), (usize, String)> {
    let mut seen = HashSet::with_capacity(records.len());
    for (row, record) in records.iter().enumerate() {
        if let Some(reason) = record.violation() {
            return Err((row, reason));
        }
        if !seen.insert(record.id.as_str()) {
            let reason = format!("expected unique ids, found {:?} a second time", record.id);
            return Err((row, reason));
        }
    }
    Ok(())
}

/// The first row that does not lie with the others of its label.
pub(crate) fn scattered(records: &[Record]) -> Option<&Record> {
    let mut seen = HashSet::new();
    let mut runs = records.chunk_by(|a, b| a.label == b.label).map(|run| &run[0]);
    runs.find(|first| !seen.insert(&first.label))
}

/// The order in which rows are stored: as given where each label's rows already lie together, else
/// sorted stably by label, rows without one first.
pub(crate) fn label_order(records: &[Record]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..records.len()).collect();
    if scattered(records).is_some() {
        order.sort_by_key(|&row| records[row].label.as_deref());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, label: Option<&str>) -> Record {
        Record { id: id.to_owned(), label: label.map(str::to_owned) }
    }

    #[test]
    fn contiguous_labels_keep_their_order() {
        let records = [record("0", Some("b")), record("1", Some("b")), record("2", Some("a"))];
        assert_eq!(label_order(&records), [0, 1, 2]);
    }

    #[test]
    fn scattered_labels_are_sorted_stably() {
        let labels = [Some("b"), Some("a"), None, Some("b"), Some("a"), None];
        let records: Vec<_> = labels.iter().map(|label| record("x", *label)).collect();
        assert_eq!(label_order(&records), [2, 5, 1, 4, 0, 3]);
    }

    #[test]
    fn broken_rules_are_named() {
        let long = "x".repeat(MAX_ID_BYTES + 1);
        for (id, label, expected) in [
            ("", None, "at least one character"),
            (long.as_str(), None, "at most 512 bytes"),
            ("a\nb", None, "control characters"),
            ("a", Some(""), "expected a label"),
            ("a", Some("\u{7f}"), "control characters"),
            ("a", Some(&long[..129]), "at most 128 bytes"),
        ] {
            let (row, reason) =
                check_records(&[record("ok", None), record(id, label)]).unwrap_err();
            assert_eq!(row, 1);
            assert!(reason.contains(expected), "{reason}");
        }
        let twice = check_records(&[record("a", None), record("a", Some("x"))]);
        assert_eq!(twice.unwrap_err().0, 1);
    }
}
