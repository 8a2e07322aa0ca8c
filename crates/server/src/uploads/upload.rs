//! An image as a client sends it, and what can be wrong with its way here.

use actix_web::error::PayloadError;
use bytes::Bytes;
use sdd_serving::Origin;
use sdd_serving::causes::chain_of;

/// An uploaded image.
#[derive(Debug)]
pub struct Upload {
    /// The encoded image.
    pub bytes: Bytes,
    /// The type that the client declared for it.
    pub content_type: Option<String>,
    /// The name that the client gave the file.
    pub file_name: Option<String>,
    /// Where the client says that it comes from.
    pub origin: Origin,
}

/// Why a body could not be read to its end, for whoever sends it.
pub fn why_unread(error: &PayloadError) -> String {
    match error {
        PayloadError::Incomplete(_) => {
            "it ended before all of it had come: the connection broke off, or it is not as long as its Content-Length, or \
             its chunks, say"
                .into()
        }
        // It is decompressed elsewhere: the HTTP library says so of chunks.
        PayloadError::EncodingCorrupted => {
            "its chunks (Transfer-Encoding: chunked) are malformed: each begins with its length in hexadecimal digits"
                .into()
        }
        PayloadError::Io(error) => error.to_string(),
        error => chain_of(error),
    }
}
