//! What the crate `image` does with a TIFF in another way than Pillow, done as Pillow does it.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, RgbImage};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{PlanarConfiguration, Tag};
use tiff::{ColorType, TiffError, TiffUnsupportedError};

use crate::bit_depth::Narrowing;
use crate::cmyk;
use crate::error::ImageError;
use crate::samples::largest;

const WHITE_IS_ZERO: u16 = 0;
const JPEG_COMPRESSION: [u16; 2] = [6, 7];
const LEAST_SIGNIFICANT_BIT_FIRST: u16 = 2;
/// Of `ExtraSamples`: nobody says what it is.
const UNSPECIFIED: u16 = 0;
/// Of `ExtraSamples`: the colors have been multiplied by the alpha.
const ASSOCIATED_ALPHA: u16 = 1;

/// Strips or tiles that a file may have, each of which costs the decoder a start: a strip for each row of
/// the longest side, in each of four planes.
const MAX_CHUNKS: usize = 65_536;

/// The decoder behind the crate `image`, which says more about a file than that crate does.
pub(crate) struct TiffFile<'a> {
    decoder: Decoder<Cursor<&'a [u8]>>,
    bytes: usize,
}

/// Why a TIFF was not decoded.
pub(crate) enum Failure {
    /// By the decoder.
    Tiff(TiffError),
    /// By the crate `image`.
    Image(image::ImageError),
    /// By us: how many bits the samples have.
    Samples(ImageError),
    /// By us: the decoder would give other pixels than Pillow, without a word.
    Unsupported(&'static str),
    /// By us: it takes more time than an image that somebody made.
    Bomb(String),
}

impl From<TiffError> for Failure {
    fn from(error: TiffError) -> Self {
        Self::Tiff(error)
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Self::Samples(error)
    }
}

impl<'a> TiffFile<'a> {
    /// `max_bytes` is what the samples may take, and what decoding them may take beside;
    /// `max_metadata` what one tag may take.
    pub(crate) fn open(
        bytes: &'a [u8],
        max_bytes: u64,
        max_metadata: u64,
    ) -> Result<Self, TiffError> {
        let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut limits = Limits::default();
        limits.decoding_buffer_size = size(max_bytes);
        limits.intermediate_buffer_size = size(max_bytes);
        limits.ifd_value_size = size(max_metadata);
        let decoder = Decoder::new(Cursor::new(bytes))?.with_limits(limits);
        Ok(Self { decoder, bytes: bytes.len() })
    }

    /// Checks that decoding does no more work than the file is worth: its strips or
    /// tiles may all be the same few bytes, or of a single pixel each.
    fn check_work(&mut self) -> Result<(), Failure> {
        let tiles: Option<Vec<u64>> = self.decoder.find_tag_unsigned_vec(Tag::TileByteCounts)?;
        let chunks = match tiles {
            Some(tiles) => tiles,
            None => self.decoder.find_tag_unsigned_vec(Tag::StripByteCounts)?.unwrap_or_default(),
        };
        if chunks.len() > MAX_CHUNKS {
            let count = chunks.len();
            return Err(Failure::Bomb(format!(
                "it has {count} strips or tiles: {MAX_CHUNKS} at most"
            )));
        }
        let stored = chunks.iter().fold(0, |sum: u64, length| sum.saturating_add(*length));
        if stored > self.bytes as u64 {
            return Err(Failure::Bomb("its strips or tiles are longer than the file".into()));
        }
        Ok(())
    }

    /// Decodes with `decoder`, which is of the same file, what it decodes as Pillow does.
    /// `bit_depth` is what the model's description states of 16-bit samples.
    pub(crate) fn decode(
        mut self,
        decoder: impl ImageDecoder,
        bit_depth: Option<u8>,
    ) -> Result<DynamicImage, Failure> {
        self.check_work()?;
        if self.number(Tag::Compression).is_some_and(|found| JPEG_COMPRESSION.contains(&found)) {
            // Other pixels than libjpeg-turbo's would come of it.
            let unsupported = TiffUnsupportedError::UnsupportedCompressionMethod;
            return Err(TiffError::from(unsupported(tiff::tags::CompressionMethod::JPEG)).into());
        }
        if self.number(Tag::FillOrder) == Some(LEAST_SIGNIFICANT_BIT_FIRST) {
            return Err(Failure::Unsupported("fill order 2"));
        }
        if self.number(Tag::TileWidth).is_some() && self.has_more_than_alpha()? {
            // At the right border the decoder mixes up the samples.
            return Err(Failure::Unsupported("tiles with extra samples"));
        }
        if matches!(self.decoder.colortype()?, ColorType::CMYK(_)) {
            return self.decode_cmyk(bit_depth);
        }
        let decoded = DynamicImage::from_decoder(decoder).map_err(Failure::Image)?;
        Ok(match decoded {
            // Pillow takes 16-bit gray as it stands.
            DynamicImage::ImageLuma16(mut samples)
                if self.number(Tag::PhotometricInterpretation) == Some(WHITE_IS_ZERO) =>
            {
                samples.iter_mut().for_each(|sample| *sample = !*sample);
                samples.into()
            }
            DynamicImage::ImageRgba8(samples) if self.has_associated_alpha() => {
                let (pixels, _) = samples.as_chunks::<4>();
                rgb(samples.dimensions(), pixels.iter().map(|pixel| divided(*pixel)))?
            }
            DynamicImage::ImageRgba16(samples) if self.has_associated_alpha() => {
                let (pixels, _) = samples.as_chunks::<4>();
                let narrowing = Narrowing::of(largest(samples.as_raw()), bit_depth)?;
                let narrow = |pixel: &[u16; 4]| divided(pixel.map(|s| narrowing.eight_bit(s)));
                rgb(samples.dimensions(), pixels.iter().map(narrow))?
            }
            other => other,
        })
    }

    /// CMYK of 8 or 16 bits a sample whose planes are interleaved.
    fn decode_cmyk(mut self, bit_depth: Option<u8>) -> Result<DynamicImage, Failure> {
        if self.decoder.image_buffer_layout()?.planes > 1 {
            let planar = Some(PlanarConfiguration::Planar);
            return Err(
                TiffError::from(TiffUnsupportedError::UnsupportedPlanarConfig(planar)).into()
            );
        }
        let size = self.decoder.dimensions()?;
        match self.decoder.read_image()? {
            DecodingResult::U8(samples) => {
                Ok(rgb(size, samples.as_chunks().0.iter().map(|ink| cmyk::rgb(*ink)))?)
            }
            DecodingResult::U16(samples) => {
                let (inks, _) = samples.as_chunks::<4>();
                let narrowing = Narrowing::of(largest(&samples), bit_depth)?;
                let narrow = |ink: &[u16; 4]| cmyk::rgb(ink.map(|s| narrowing.eight_bit(s)));
                Ok(rgb(size, inks.iter().map(narrow))?)
            }
            _ => {
                Err(TiffError::from(TiffUnsupportedError::UnsupportedSampleFormat(Vec::new()))
                    .into())
            }
        }
    }

    fn has_associated_alpha(&mut self) -> bool {
        self.extra_samples().first() == Some(&ASSOCIATED_ALPHA)
    }

    /// Whether there are samples besides the colors that are no alpha.
    fn has_more_than_alpha(&mut self) -> Result<bool, TiffError> {
        let extra = self.extra_samples();
        let colors_are_inks =
            matches!(self.decoder.colortype()?, ColorType::CMYK(_) | ColorType::CMYKA(_));
        Ok(extra.len() > 1
            || extra.first() == Some(&UNSPECIFIED)
            || colors_are_inks && !extra.is_empty())
    }

    /// What the samples besides the colors are.
    fn extra_samples(&mut self) -> Vec<u16> {
        self.decoder.find_tag_unsigned_vec(Tag::ExtraSamples).ok().flatten().unwrap_or_default()
    }

    fn number(&mut self, tag: Tag) -> Option<u16> {
        self.decoder.find_tag_unsigned(tag).ok().flatten()
    }
}

fn rgb(
    (width, height): (u32, u32),
    pixels: impl Iterator<Item = [u8; 3]>,
) -> Result<DynamicImage, TiffError> {
    let samples: Vec<[u8; 3]> = pixels.collect();
    RgbImage::from_raw(width, height, samples.into_flattened())
        .map(DynamicImage::from)
        .ok_or_else(|| std::io::Error::other("it has not as many samples as pixels").into())
}

/// A pixel's colors without the alpha that they were multiplied by (`unpackRGBa` in Pillow's
/// `Unpack.c`).
fn divided([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    [red, green, blue].map(|color| {
        let exact = (u32::from(color) * 255).checked_div(u32::from(alpha)).unwrap_or(0);
        u8::try_from(exact).unwrap_or(u8::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::divided;

    #[test]
    fn alpha_is_divided_out_as_pillow_does() {
        assert_eq!(divided([1, 2, 255, 255]), [1, 2, 255]);
        assert_eq!(divided([10, 20, 40, 128]), [19, 39, 79]);
        assert_eq!(divided([10, 20, 40, 0]), [0, 0, 0]);
        // Colors brighter than their alpha allows.
        assert_eq!(divided([200, 100, 50, 100]), [255, 255, 127]);
    }
}
