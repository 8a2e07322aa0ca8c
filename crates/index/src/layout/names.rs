//! The names of a store's files.
//!
//! A name follows from what a file is and from its generation, in one way only. So a manifest's
//! names are compared and not interpreted, and no forged one can lead out of the folder.

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const MANIFEST_TEMPORARY: &str = "manifest.json.tmp";
pub(super) const LOCK: &str = ".lock";

const MAX_ATTACHMENT_NAME_BYTES: usize = 64;
const RESERVED: [&str; 3] = [INDEX, RECORDS, MANIFEST];

/// What the files of a generation are called without its number; attachments have names of their own.
pub(super) const INDEX: &str = "index.faiss";
pub(super) const RECORDS: &str = "records.jsonl";

/// `stem.extension` → `stem-000001.extension`.
pub(super) fn numbered(name: &str, generation: u64) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{generation:06}.{extension}"),
        None => format!("{name}-{generation:06}"),
    }
}

/// The generation whose [`numbered`] file of this name `file` is.
pub(super) fn generation_of(name: &str, file: &str) -> Option<u64> {
    let stem_bytes = name.rsplit_once('.').map_or(name, |(stem, _)| stem).len();
    let digits = file.get(stem_bytes..)?.strip_prefix('-')?;
    let digits = &digits[..digits.bytes().take_while(u8::is_ascii_digit).count()];
    let generation = digits.parse().ok()?;
    // Written again it must be the same name: a number can be written in other ways.
    (numbered(name, generation) == file).then_some(generation)
}

/// Says why `name` cannot name an attachment, if it cannot.
pub(super) fn attachment_violation(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    let bare = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.len() > MAX_ATTACHMENT_NAME_BYTES {
        Some(format!(
            "expected an attachment name of at most {MAX_ATTACHMENT_NAME_BYTES} bytes, found {}",
            name.len()
        ))
    } else if !name.chars().all(allowed)
        || !bare(name.chars().next())
        || !bare(name.chars().next_back())
    {
        Some(format!(
            "expected an attachment name of a-z, 0-9, '_', '.' and '-' that begins and ends with a \
             letter or digit, found {name:?}"
        ))
    } else if RESERVED.contains(&name) {
        Some(format!("expected an attachment name other than the store's own {name:?}"))
    } else {
        None
    }
}

/// Whether a store may have made a file of this name: it has the form of [`numbered`].
pub(super) fn is_numbered(file: &str) -> bool {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let Some((name, digits)) = stem.rsplit_once('-') else {
        return false;
    };
    !name.is_empty()
        && digits.len() >= 6
        && digits.bytes().all(|b| b.is_ascii_digit())
        && file.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.' || b == b'-'
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_before_the_extension() {
        assert_eq!(numbered(INDEX, 1), "index-000001.faiss");
        assert_eq!(numbered(RECORDS, 1_234_567), "records-1234567.jsonl");
        assert_eq!(numbered("calibration.json", 12), "calibration-000012.json");
        assert_eq!(numbered("notes", 12), "notes-000012");
        for (name, generation) in [(INDEX, 1), (RECORDS, u64::MAX), ("a.b.c", 3), ("notes", 12)] {
            let file = numbered(name, generation);
            assert!(is_numbered(&file), "{file}");
            assert_eq!(generation_of(name, &file), Some(generation), "{file}");
        }
    }

    #[test]
    fn a_generation_is_read_from_its_own_name_only() {
        for file in [
            "manifest.json",
            "manifest-1.json",
            "manifest-0000001.json",
            "manifest-000001.json.bak",
            "manifest-00000x.json",
            "manifest-99999999999999999999.json",
            "mänifest-000001.json",
            "manifes",
            "index-000001.faiss",
            "",
        ] {
            assert_eq!(generation_of(MANIFEST, file), None, "{file}");
        }
    }

    #[test]
    fn attachment_names_stay_inside_the_folder_and_off_our_names() {
        for name in ["calibration.json", "a", "0", "k-nn_scores.v2.bin"] {
            assert_eq!(attachment_violation(name), None, "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            ".lock",
            "a.",
            "-a",
            "A",
            "a b",
            "ä",
            "a\0",
            "index.faiss",
            "records.jsonl",
            "manifest.json",
            long.as_str(),
        ] {
            assert!(attachment_violation(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn other_files_are_not_taken_for_numbered_ones() {
        for file in [
            "photo.jpg",
            "manifest.json",
            ".lock",
            "../x-000001",
            "a/b-000001.c",
            "a-1.b",
            "-000001",
        ] {
            assert!(!is_numbered(file), "{file}");
        }
    }
}
