//! Completeness of a JPEG stream.
//!
//! The decoder fills what is missing of a truncated JPEG with gray and says nothing. A part that was
//! photographed but only half transmitted must not be judged, so the stream's markers are walked
//! first (ITU-T T.81, annex B): a complete one ends with EOI.

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const TEM: u8 = 0x01;

/// Whether the stream's segments are all there, up to the end-of-image marker.
///
/// Costs one scan for the byte 0xFF; decodes nothing.
#[must_use]
pub fn is_complete(bytes: &[u8]) -> bool {
    walk(bytes).is_some()
}

/// `Some` when EOI was reached, `None` where bytes are missing or are not a marker.
fn walk(bytes: &[u8]) -> Option<()> {
    let mut rest = bytes.strip_prefix(&[0xFF, SOI])?;
    loop {
        let (marker, after) = next_marker(rest)?;
        rest = match marker {
            EOI => return Some(()),
            TEM | SOI | 0xD0..=0xD7 => after,
            SOS => skip_entropy_coded(skip_segment(after)?)?,
            _ => skip_segment(after)?,
        };
    }
}

/// The marker at the start of `bytes`, fill bytes skipped, and what follows it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let start = bytes.iter().position(|byte| *byte == 0xFF)?;
    let after_fill = &bytes[start..];
    let code = after_fill.iter().position(|byte| *byte != 0xFF)?;
    Some((after_fill[code], &after_fill[code + 1..]))
}

/// What follows a segment whose two-byte length stands first.
fn skip_segment(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes(bytes.first_chunk().copied()?));
    bytes.get(length.max(2)..)
}

/// From entropy-coded data to the next marker: stuffed zeros and restart markers belong to the data.
fn skip_entropy_coded(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let start = bytes.iter().position(|byte| *byte == 0xFF)?;
        match bytes.get(start + 1)? {
            0x00 | 0xD0..=0xD7 => bytes = &bytes[start + 2..],
            0xFF => bytes = &bytes[start + 1..],
            _ => return Some(&bytes[start..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    const STREAM: &[u8] = &[
        0xFF, 0xD8, // SOI
        0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 0xFF, 0xD9, // APP1 whose content looks like EOI
        0xFF, 0xFF, 0xC0, 0, 2, // fill byte, SOF0
        0xFF, 0xDA, 0, 3, 7, // SOS
        1, 2, 0xFF, 0x00, 3, 0xFF, 0xD0, 4, // data, stuffed byte, restart marker
        0xFF, 0xC4, 0, 2, // DHT between scans
        0xFF, 0xDA, 0, 2, 5, // second scan
        0xFF, 0xD9,
    ];

    #[test]
    fn a_whole_stream_is_complete() {
        assert!(is_complete(STREAM));
        let mut with_trailer = STREAM.to_vec();
        with_trailer.extend([0, 1, 2]);
        assert!(is_complete(&with_trailer));
    }

    #[test]
    fn every_truncation_is_noticed() {
        for length in 0..STREAM.len() {
            assert!(!is_complete(&STREAM[..length]), "cut at {length}");
        }
    }
}
