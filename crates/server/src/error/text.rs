//! Sizes, times and numbers of files as messages of errors have them.

use std::time::Duration;

/// That a form has too many images.
pub(crate) fn too_many_files(limit: usize) -> String {
    match limit {
        1 => "the field `file` may come once: more images go to POST /predict/batch".into(),
        _ => format!(
            "the field `file` may come {limit} times at most: send more images in several requests"
        ),
    }
}

/// Bytes, for people: in the largest unit that they are a multiple of, or nearly.
pub fn readable_size(bytes: usize) -> String {
    const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) if bytes.is_multiple_of(unit) => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

/// Rounded up, and 1 at least: for people and the header `retry-after`.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}
