//! The binary tensor data extension: JSON, and after it the tensors' values as they are, in
//! little-endian order. Before each element of a tensor of BYTES stand the 4 bytes of its length.

use std::ops::Range;

use actix_web::http::header::HeaderMap;

use crate::error::ApiError;
use crate::request::INFERENCE_HEADER_LENGTH;

/// The bytes of JSON at the body's beginning; `None` where the body has nothing else.
pub fn json_length(headers: &HeaderMap) -> Result<Option<usize>, ApiError> {
    let Some(value) = headers.get(INFERENCE_HEADER_LENGTH) else { return Ok(None) };
    let digits = value.to_str().ok().map(str::trim);
    let length = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = length.and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| ApiError::InvalidHeader {
        name: INFERENCE_HEADER_LENGTH,
        reason: "expected the number of bytes of the JSON".into(),
    })
}

/// Where the elements of a tensor of BYTES lie.
///
/// An error where they are not `count`, or do not fill the bytes.
pub fn elements(bytes: &[u8], count: usize) -> Result<Vec<Range<usize>>, String> {
    let mut elements = Vec::new();
    let mut at = 0;
    for index in 0..count {
        let broken =
            || format!("the binary data ends within element {index}: {} bytes in all", bytes.len());
        let length = bytes[at..].first_chunk().ok_or_else(broken)?;
        let start = at + length.len();
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| broken())?;
        let end = start.checked_add(length).filter(|end| *end <= bytes.len());
        at = end.ok_or_else(broken)?;
        elements.push(start..at);
    }
    if at != bytes.len() {
        return Err(format!(
            "the {count} elements take {at} bytes of binary data, found {}",
            bytes.len()
        ));
    }
    Ok(elements)
}

/// The values of a tensor of FP32; bytes beyond the last whole value are left out.
pub fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value))
}

/// Adds an element of a tensor of BYTES.
pub fn push_element(bytes: &mut Vec<u8>, element: &[u8]) -> Result<(), std::num::TryFromIntError> {
    bytes.extend(u32::try_from(element.len())?.to_le_bytes());
    bytes.extend(element);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::elements;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, count in 0..9_usize) {
            if let Ok(found) = elements(&bytes, count) {
                let total: usize = found.iter().map(|at| 4 + at.len()).sum();
                prop_assert_eq!((found.len(), total), (count, bytes.len()));
            }
        }
    }

    #[test]
    fn too_short_and_too_long_are_refused() {
        let good = [1, 0, 0, 0, b'a', 0, 0, 0, 0];
        assert_eq!(elements(&good, 2).unwrap(), [4..5, 9..9]);
        for (bytes, count) in [
            (&good[..8], 2),
            (&good[..], 1),
            (&good[..], 3),
            (&[255, 255, 255, 255, 1][..], 1),
            (&[][..], usize::MAX),
        ] {
            assert!(elements(bytes, count).is_err(), "{bytes:?}");
        }
    }
}
