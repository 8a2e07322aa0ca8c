//! Decoding one image after another, in buffers that are kept.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage,
};

use super::format::{explain, name, recognize};
use super::limits::ImageLimits;
use super::pixels::{Pixels, PixelsView};
use crate::error::ImageError;
use crate::spec::Color;
use crate::warning::ImageWarning;
use crate::{bmp, buffer, jpeg, luma, orientation, png, samples, tiff, webp};

/// What a decoder may allocate before the image's size is known: for tables and metadata.
const METADATA_BYTES: u64 = 16 << 20;

/// Scans that a progressive JPEG of the largest size may have. Encoders make about ten; libjpeg makes 18 of
/// four components.
const MAX_FULL_SCANS: u64 = 18;

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is decoding an image, so that a panic is caught, and is what the image's sender is told: for
/// whoever reports panics.
#[must_use]
pub fn is_decoding() -> bool {
    DECODING.get()
}

/// Decodes images, each into the buffer of the one before.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: ImageLimits,
    smallest: Option<(u32, u32)>,
    bit_depth: Option<u8>,
    warning: Option<ImageWarning>,
    /// The samples of the last image come first. What follows them is left from earlier ones.
    samples: Vec<u8>,
}

/// What was decoded.
enum Decoded {
    /// Of this size and color, into [`Decoder::samples`].
    Samples((u32, u32), Color),
    /// Samples of some other kind.
    Image(DynamicImage),
}

impl Decoder {
    /// A decoder of images within these limits.
    #[must_use]
    pub fn new(limits: ImageLimits) -> Self {
        Self { limits, smallest: None, bit_depth: None, warning: None, samples: Vec::new() }
    }

    /// Lets a JPEG come out at 1/2, 1/4 or 1/8 of its size, as long as it is upright at least
    /// `width` x `height`. It takes less time, and the pixels are not those that Pillow gives.
    #[must_use]
    pub fn scaling_down_to(mut self, width: u32, height: u32) -> Self {
        self.smallest = Some((width, height));
        self
    }

    /// States how many bits the samples of 16-bit files have: 9 to 16, of which the 8 highest are taken. By
    /// default the high byte is, and what may be a picture of fewer bits is refused.
    #[must_use]
    pub fn of_bit_depth(mut self, bit_depth: Option<u8>) -> Self {
        self.bit_depth = bit_depth;
        self
    }

    /// Decodes an image to pixels of the asked-for color space.
    ///
    /// # Errors
    /// [`ImageError`], each variant with what was found and what is expected.
    pub fn decode(&mut self, bytes: &[u8], color: Color) -> Result<PixelsView<'_>, ImageError> {
        self.warning = None;
        let format = recognize(bytes, &self.limits)?;
        // A decoder that panics has met data that its authors did not think of: that is damage to
        // us, and must not take the worker with it. Only the buffer is shared with the closure, and
        // what is left in that has no meaning.
        DECODING.set(true);
        let decoded = catch_unwind(AssertUnwindSafe(|| self.decode_upright(bytes, format, color)));
        DECODING.set(false);
        let (width, height) = decoded
            .unwrap_or_else(|_| {
                Err(ImageError::damaged(name(format), "the decoder cannot make sense of it"))
            })
            .inspect_err(|_| buffer::release_if_large(&mut self.samples))?;
        let length = width as usize * height as usize * color.channels();
        Ok(PixelsView { width, height, color, data: &self.samples[..length] })
    }

    /// What was odd about the image that was decoded last.
    #[must_use]
    pub fn warning(&self) -> Option<ImageWarning> {
        self.warning
    }

    /// Gives back a buffer that only a very large image needs; for when its pixels have been used.
    pub fn release(&mut self) {
        buffer::release_if_large(&mut self.samples);
    }

    /// As [`decode`](Self::decode), for one image.
    pub(crate) fn decode_owned(mut self, bytes: &[u8], color: Color) -> Result<Pixels, ImageError> {
        let PixelsView { width, height, data, .. } = self.decode(bytes, color)?;
        let length = data.len();
        self.samples.truncate(length);
        Ok(Pixels { width, height, color, data: self.samples })
    }

    /// Leaves pixels of `color` in the buffer, and gives their width and height.
    fn decode_upright(
        &mut self,
        bytes: &[u8],
        format: ImageFormat,
        color: Color,
    ) -> Result<(u32, u32), ImageError> {
        let (decoded, orientation) = self.decode_as_stored(bytes, format, color)?;
        let mut image = match decoded {
            Decoded::Samples(size, found) => {
                if (found, color) == (Color::Rgb, Color::Gray) {
                    let rgb = size.0 as usize * size.1 as usize * 3;
                    luma::in_place(&mut self.samples[..rgb]);
                }
                if orientation == Orientation::NoTransforms {
                    return Ok(size);
                }
                let samples = std::mem::take(&mut self.samples);
                image_of(samples, size, color).ok_or_else(|| wrong_size(format))?
            }
            Decoded::Image(image) => image,
        };
        image.apply_orientation(orientation);
        let size = (image.width(), image.height());
        self.samples = match color {
            Color::Gray => samples::to_gray(image, self.bit_depth)?,
            Color::Rgb => samples::to_rgb(image, self.bit_depth)?,
        };
        Ok(size)
    }

    /// Decodes without regard to the orientation, which is given, too.
    fn decode_as_stored(
        &mut self,
        bytes: &[u8],
        format: ImageFormat,
        color: Color,
    ) -> Result<(Decoded, Orientation), ImageError> {
        match format {
            ImageFormat::Jpeg => return self.decode_jpeg(bytes, color),
            ImageFormat::Tiff => {
                let image = tiff::decode(bytes, &self.limits, self.bit_depth)?;
                return Ok((Decoded::Image(image), orientation::of(bytes, format)?));
            }
            ImageFormat::Bmp => {
                if let Some(image) = bmp::decode(bytes, &self.limits)? {
                    return Ok((Decoded::Image(image), Orientation::NoTransforms));
                }
            }
            _ => {}
        }
        let bytes = match format {
            ImageFormat::Png => png::adapted(bytes)?,
            _ => bytes.into(),
        };
        let orientation = orientation::of(&bytes, format)?;
        let webp = (format == ImageFormat::WebP).then(|| webp::adapted(&bytes)).flatten();
        let decoder = self.open(webp.as_deref().unwrap_or(&bytes), format)?;
        let size = decoder.dimensions();
        let found = match decoder.color_type() {
            ColorType::L8 if color == Color::Gray => Some(Color::Gray),
            ColorType::Rgb8 => Some(Color::Rgb),
            _ => None,
        };
        let decoded = if let Some(color) = found {
            let length = usize::try_from(decoder.total_bytes()).map_err(|_| wrong_size(format))?;
            decoder
                .read_image(buffer::first(&mut self.samples, length))
                .map_err(|error| explain(error, format))?;
            Decoded::Samples(size, color)
        } else {
            let image = DynamicImage::from_decoder(decoder);
            Decoded::Image(image.map_err(|error| explain(error, format))?)
        };
        Ok((decoded, orientation))
    }

    fn decode_jpeg(
        &mut self,
        bytes: &[u8],
        color: Color,
    ) -> Result<(Decoded, Orientation), ImageError> {
        let stream = jpeg::Stream::read(bytes)?;
        let libjpeg = ImageLimits {
            max_side: self.limits.max_side.min(jpeg::MAX_SIDE),
            ..self.limits.clone()
        };
        libjpeg.check(stream.width, stream.height)?;
        let pixels = u64::from(stream.width) * u64::from(stream.height);
        if pixels.saturating_mul(stream.scans)
            > self.limits.max_pixels.saturating_mul(MAX_FULL_SCANS)
        {
            let kind = format!("a JPEG of {} scans at this size", stream.scans);
            return Err(ImageError::unsupported(kind));
        }
        let orientation = orientation::of(bytes, ImageFormat::Jpeg)?;
        let upright = orientation.to_exif() < Orientation::Rotate90FlipH.to_exif();
        let smallest = self.smallest.map(|(w, h)| if upright { (w, h) } else { (h, w) });
        let jpeg::Decoded { size, color, warning } =
            jpeg::decode(bytes, &stream, color, smallest, &mut self.samples)?;
        self.warning = warning;
        Ok((Decoded::Samples(size, color), orientation))
    }

    /// Reads the header and checks the limits.
    fn open<'a>(
        &self,
        bytes: &'a [u8],
        format: ImageFormat,
    ) -> Result<impl ImageDecoder + use<'a>, ImageError> {
        let limits = &self.limits;
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(allocation(METADATA_BYTES));
        let mut decoder = reader.into_decoder().map_err(|error| explain(error, format))?;
        let (width, height) = decoder.dimensions();
        limits.check(width, height)?;
        if decoder.total_bytes() > limits.max_decoded_bytes() {
            return Err(limits.exceeded_by(width, height));
        }
        decoder
            .set_limits(allocation(limits.max_decoded_bytes().saturating_mul(2)))
            .map_err(|error| explain(error, format))?;
        Ok(decoder)
    }
}

fn allocation(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// The image of the first samples.
fn image_of(mut samples: Vec<u8>, size: (u32, u32), color: Color) -> Option<DynamicImage> {
    samples.truncate(size.0 as usize * size.1 as usize * color.channels());
    match color {
        Color::Gray => GrayImage::from_raw(size.0, size.1, samples).map(DynamicImage::from),
        Color::Rgb => RgbImage::from_raw(size.0, size.1, samples).map(DynamicImage::from),
    }
}

fn wrong_size(format: ImageFormat) -> ImageError {
    ImageError::damaged(name(format), "its size is not what its header says")
}
