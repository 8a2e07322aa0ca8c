//! The file format of FAISS's `IndexFlatL2`: a header of 45 bytes and the rows, all little-endian.
//!
//! ```text
//! offset  bytes  content
//!      0      4  "IxF2"
//!      4      4  D, i32
//!      8      8  N, i64
//!     16     16  1 << 20 twice, i64 (left over from old versions)
//!     32      1  1 (trained)
//!     33      4  1 (metric type L2), i32
//!     37      8  N * D, u64 (the length of the vector that follows)
//!     45  N*D*4  the rows, f32
//! ```

use crate::limits::MAX_DIMENSION;

pub(super) const HEADER_BYTES: usize = 45;
const FOURCC: &[u8; 4] = b"IxF2";
const DUMMY: i64 = 1 << 20;
const METRIC_L2: i32 = 1;

/// The header of a file of `count` rows of `dimension` values. `None` where they do not fit it.
pub(super) fn header(dimension: usize, count: usize) -> Option<[u8; HEADER_BYTES]> {
    let d = i32::try_from(dimension).ok()?;
    let n = i64::try_from(count).ok()?;
    let values = u64::try_from(dimension.checked_mul(count)?).ok()?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(FOURCC);
    bytes.extend_from_slice(&d.to_le_bytes());
    bytes.extend_from_slice(&n.to_le_bytes());
    bytes.extend_from_slice(&DUMMY.to_le_bytes());
    bytes.extend_from_slice(&DUMMY.to_le_bytes());
    bytes.push(1);
    bytes.extend_from_slice(&METRIC_L2.to_le_bytes());
    bytes.extend_from_slice(&values.to_le_bytes());
    bytes.try_into().ok()
}

/// The number of bytes of a whole file, if it can be counted at all.
pub(super) fn file_bytes(dimension: usize, count: usize) -> Option<u64> {
    let rows = dimension.checked_mul(count)?.checked_mul(size_of::<f32>())?;
    u64::try_from(rows.checked_add(HEADER_BYTES)?).ok()
}

/// Checks every field of a header against what the manifest says and against the file's length, and
/// says what is wrong, if anything.
pub(super) fn check_header(
    bytes: &[u8; HEADER_BYTES],
    dimension: usize,
    count: usize,
    file_len: u64,
) -> Result<(), String> {
    let fourcc = field::<4>(bytes, 0);
    if &fourcc != FOURCC {
        return Err(format!(
            "expected a FAISS IndexFlatL2 (first bytes \"IxF2\"), found \"{}\"",
            fourcc.escape_ascii()
        ));
    }
    let d = i32::from_le_bytes(field(bytes, 4));
    if usize::try_from(d).ok() != Some(dimension) || dimension == 0 || dimension > MAX_DIMENSION {
        return Err(format!("expected dimension {dimension} in its header, found {d}"));
    }
    let n = i64::from_le_bytes(field(bytes, 8));
    if usize::try_from(n).ok() != Some(count) {
        return Err(format!("expected {count} rows in its header, found {n}"));
    }
    for offset in [16, 24] {
        let dummy = i64::from_le_bytes(field(bytes, offset));
        if dummy != DUMMY {
            return Err(format!("expected {DUMMY} at byte {offset}, found {dummy}"));
        }
    }
    if bytes[32] != 1 {
        return Err(format!("expected 1 (trained) at byte 32, found {}", bytes[32]));
    }
    let metric = i32::from_le_bytes(field(bytes, 33));
    if metric != METRIC_L2 {
        return Err(format!("expected metric type {METRIC_L2} (L2) at byte 33, found {metric}"));
    }
    let values = u64::from_le_bytes(field(bytes, 37));
    let expected = dimension.checked_mul(count).and_then(|values| u64::try_from(values).ok());
    if expected != Some(values) {
        return Err(format!(
            "expected {count} x {dimension} values in its size field, found {values}"
        ));
    }
    match file_bytes(dimension, count) {
        Some(expected) if expected == file_len => Ok(()),
        _ => Err(format!(
            "expected {HEADER_BYTES} + {count} x {dimension} x 4 bytes, found {file_len}"
        )),
    }
}

fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[offset..offset + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_refused() {
        let bytes = header(512, 960).expect("fits");
        assert_eq!(check_header(&bytes, 512, 960, 45 + 512 * 960 * 4), Ok(()));
        for offset in 0..HEADER_BYTES {
            for bit in 0..8 {
                let mut forged = bytes;
                forged[offset] ^= 1 << bit;
                assert!(
                    check_header(&forged, 512, 960, 45 + 512 * 960 * 4).is_err(),
                    "byte {offset} bit {bit}"
                );
            }
        }
    }

    /// Also where the manifest and the file's length agree with it.
    #[test]
    fn counts_that_overflow_are_refused_without_a_panic() {
        assert_eq!((file_bytes(usize::MAX, 2), header(512, usize::MAX)), (None, None));
        // Of 4 values: more bytes than can be counted, and numbers of values and bytes that are 0 in 64 bits.
        for rows in [1_usize << 53, 1 << 60, 1 << 61, 1 << 62] {
            let mut forged = header(4, 1).expect("fits");
            forged[8..16].copy_from_slice(&rows.to_le_bytes());
            for size in [0_u64, 4, 4_u64.wrapping_mul(rows as u64)] {
                forged[37..45].copy_from_slice(&size.to_le_bytes());
                for (count, bytes) in [(1, 61), (rows, 45), (rows, 61), (0, 45)] {
                    assert!(check_header(&forged, 4, count, bytes).is_err(), "{rows} {size}");
                }
            }
        }
    }
}
