//! What is odd about images that are read all the same.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// What is odd about an image that was read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ImageWarning {
    /// A JPEG has more data than its image takes.
    #[error(
        "the JPEG has bytes between its data and the next marker that belong to nothing: padding, or the rest of data \
         that is damaged, which no decoder can tell apart"
    )]
    StrayBytes,
}

impl ImageWarning {
    /// A short name that stays the same when the message is reworded.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::StrayBytes => "stray_bytes",
        }
    }
}

/// As `{"code": …, "message": …}`.
impl Serialize for ImageWarning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ImageWarning", 2)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.end()
    }
}
