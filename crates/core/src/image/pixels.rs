//! Decoded images.

use crate::spec::Color;

/// Upright pixels, 8 bits a sample, rows from the top, channels interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pixels<Data = Vec<u8>> {
    /// Width after the orientation was applied.
    pub width: u32,
    /// Height after the orientation was applied.
    pub height: u32,
    /// Gray has one channel, RGB three.
    pub color: Color,
    /// `width * height * channels` bytes.
    pub data: Data,
}

/// [`Pixels`] in a buffer of another owner.
pub type PixelsView<'a> = Pixels<&'a [u8]>;

impl Pixels {
    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> PixelsView<'_> {
        let Self { width, height, color, ref data } = *self;
        PixelsView { width, height, color, data }
    }
}
