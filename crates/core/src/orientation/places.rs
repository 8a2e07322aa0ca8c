//! What a file says of its orientation, in the places that are asked in turn.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::{exif, xmp};

/// The content of the places.
#[derive(Debug, Default)]
pub(super) struct Places<'a> {
    /// Exif data without [`EXIF_PREFIX`](exif::EXIF_PREFIX).
    pub exif: Option<Cow<'a, [u8]>>,
    pub xmp: Option<Cow<'a, [u8]>>,
}

impl Places<'_> {
    pub fn stated(&self) -> Option<Orientation> {
        let stated = self.exif.as_deref().and_then(exif::in_exif);
        stated.or_else(|| self.xmp.as_deref().and_then(xmp::orientation))
    }
}
