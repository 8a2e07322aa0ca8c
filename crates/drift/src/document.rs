//! JSON documents with a `format_version`, kept as attachments of a store.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

#[derive(Deserialize)]
struct Header {
    format_version: u64,
}

/// Reads the version first, so that another document is refused by its version and not by whichever
/// field happens to differ.
pub(crate) fn read<T: DeserializeOwned>(
    json: &[u8],
    attachment: &'static str,
    supported: u32,
) -> Result<T> {
    let unreadable = |source: serde_json::Error| Error::UnreadableAttachment {
        attachment,
        source: source.into(),
    };
    let header: Header = serde_json::from_slice(json).map_err(unreadable)?;
    if header.format_version != u64::from(supported) {
        let found = header.format_version;
        return Err(Error::UnsupportedVersion { attachment, found, supported });
    }
    serde_json::from_slice(json).map_err(unreadable)
}

/// Readable JSON with a newline at its end.
///
/// # Panics
///
/// Never for this crate's documents: they have string keys and no foreign `Serialize`.
pub(crate) fn write<T: Serialize>(document: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "structs of numbers and strings always serialize")]
    let mut json = serde_json::to_vec_pretty(document).expect("a plain struct serializes");
    json.push(b'\n');
    json
}
