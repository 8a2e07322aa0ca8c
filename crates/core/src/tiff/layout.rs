//! Where the samples of an image stand: strips or tiles, of all samples together or plane after plane.

use super::compression::Compression;
use super::directory::{ByteOrder, Directory, tag};
use super::refusal::{damaged, unsupported};
use crate::error::ImageError;

/// Strips or tiles that a plane may have, each of which costs a start of the decoder: a strip for each row of the
/// longest side.
const MAX_CHUNKS: usize = 65_536;

/// The size and kind of an image's samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub width: usize,
    pub height: usize,
    /// Samples of a pixel.
    pub samples: usize,
    /// Bits of a sample: 1, 2, 4 (one sample a pixel), 8 or 16.
    pub bits: u8,
}

/// Samples of 8 or 16 bits.
pub(super) trait Sample: Copy + Default {
    /// Samples of `bits` bits, one after the other.
    fn unpack(bytes: &[u8], bits: u8, order: ByteOrder, samples: &mut [Self]);
    /// Without carry.
    fn plus(self, other: Self) -> Self;
}

impl Sample for u8 {
    fn unpack(bytes: &[u8], bits: u8, _order: ByteOrder, samples: &mut [Self]) {
        if bits == 8 {
            return samples.copy_from_slice(&bytes[..samples.len()]);
        }
        let bits = usize::from(bits);
        for (place, sample) in samples.iter_mut().enumerate() {
            let first = place * bits;
            *sample = bytes[first / 8] << (first % 8) >> (8 - bits);
        }
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

impl Sample for u16 {
    fn unpack(bytes: &[u8], _bits: u8, order: ByteOrder, samples: &mut [Self]) {
        for (sample, pair) in samples.iter_mut().zip(bytes.as_chunks().0) {
            *sample = match order {
                ByteOrder::Little => Self::from_le_bytes(*pair),
                ByteOrder::Big => Self::from_be_bytes(*pair),
            };
        }
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

/// How the samples are stored.
pub(super) struct Layout<'a> {
    file: &'a [u8],
    order: ByteOrder,
    shape: Shape,
    compression: Compression,
    /// The least significant bit of a byte stands first.
    reversed: bool,
    /// Differences of neighbors are stored.
    differences: bool,
    /// One sample of all pixels after the other.
    planes: bool,
    chunk_width: usize,
    chunk_height: usize,
    /// Rows of each tile, also of those that hang over; strips end with the image.
    whole: Option<usize>,
    offsets: Vec<u64>,
    /// Empty where nothing is said.
    lengths: Vec<u64>,
}

impl<'a> Layout<'a> {
    /// `max_bytes` is what unpacking may come to in all.
    pub fn read(
        file: &'a [u8],
        directory: &Directory<'_>,
        shape: Shape,
        max_bytes: u64,
    ) -> Result<Self, ImageError> {
        let number = |tag, default| Ok(directory.number(tag)?.unwrap_or(default));
        let compression = Compression::of(number(tag::COMPRESSION, 1)?)?;
        let differences = match number(tag::PREDICTOR, 1)? {
            _ if !compression.has_predictor() => false,
            1 => false,
            2 if shape.bits >= 8 => true,
            other => {
                return Err(unsupported(&format!(
                    "predictor {other} of {} bits a sample",
                    shape.bits
                )));
            }
        };
        let planes = number(tag::PLANAR_CONFIGURATION, 1)? == 2 && shape.samples > 1;
        let reversed = number(tag::FILL_ORDER, 1)? == 2;
        if planes && (shape.bits > 8 || reversed) {
            // Pillow scrambles them, or leaves the alpha in the colors.
            return Err(unsupported("planes of 16 bits a sample, or of reversed bits"));
        }
        let tiled = directory.number(tag::TILE_WIDTH)?.is_some();
        if tiled && directory.number(tag::STRIP_OFFSETS)?.is_some() {
            return Err(unsupported("strips beside tiles"));
        }
        let side = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (chunk_width, chunk_height, offsets, lengths) = if tiled {
            let (width, height) = (number(tag::TILE_WIDTH, 0)?, number(tag::TILE_HEIGHT, 0)?);
            (side(width), side(height), tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS)
        } else {
            let rows = number(tag::ROWS_PER_STRIP, u64::MAX)?;
            let rows = side(rows).min(shape.height);
            (shape.width, rows, tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS)
        };
        let most = MAX_CHUNKS * shape.samples + 1;
        let layout = Self {
            file,
            order: directory.order(),
            shape,
            compression,
            reversed,
            differences,
            planes,
            chunk_width,
            chunk_height,
            whole: tiled.then_some(chunk_height),
            offsets: directory.numbers(offsets, most)?,
            lengths: directory.numbers(lengths, most)?,
        };
        layout.check(max_bytes)?;
        Ok(layout)
    }

    /// Checks that unpacking does no more work than the file is worth: its strips or tiles may all be the same few
    /// bytes, or of a single pixel each.
    fn check(&self, max_bytes: u64) -> Result<(), ImageError> {
        if self.chunk_width == 0 || self.chunk_height == 0 {
            return Err(damaged("its strips or tiles have no size"));
        }
        let a_plane = self.chunks_of_plane();
        if a_plane > MAX_CHUNKS {
            let reason = format!("it has {a_plane} strips or tiles: {MAX_CHUNKS} at most");
            return Err(damaged(reason));
        }
        let chunks = self.chunk_count();
        if self.offsets.len() < chunks {
            return Err(damaged("strips or tiles are missing"));
        }
        if self.offsets.len() > chunks {
            return Err(unsupported("more strips or tiles than it needs"));
        }
        let unpacked = (self.row_bytes() as u64)
            .saturating_mul(self.chunk_height as u64)
            .saturating_mul(chunks as u64);
        if unpacked > max_bytes {
            return Err(ImageError::TooMuchMemory { format: "TIFF" });
        }
        let stored = self.lengths.iter().fold(0, |sum: u64, length| sum.saturating_add(*length));
        if self.compression != Compression::None && stored > self.file.len() as u64 {
            return Err(damaged("its strips or tiles are longer than the file"));
        }
        Ok(())
    }

    fn across(&self) -> usize {
        self.shape.width.div_ceil(self.chunk_width)
    }

    fn chunks_of_plane(&self) -> usize {
        self.across().saturating_mul(self.shape.height.div_ceil(self.chunk_height))
    }

    fn chunk_count(&self) -> usize {
        self.chunks_of_plane().saturating_mul(if self.planes { self.shape.samples } else { 1 })
    }

    /// Samples of a pixel that a strip or tile has.
    fn together(&self) -> usize {
        if self.planes { 1 } else { self.shape.samples }
    }

    fn row_bytes(&self) -> usize {
        let bits = usize::from(self.shape.bits) * self.together();
        self.chunk_width.saturating_mul(bits).div_ceil(8)
    }

    /// All samples, row after row, those of a pixel together.
    pub fn samples<S: Sample>(&self) -> Result<Vec<S>, ImageError> {
        let Shape { width, height, samples: channels, bits } = self.shape;
        let mut samples = vec![S::default(); width * height * channels];
        let mut row = vec![S::default(); self.chunk_width * self.together()];
        let a_plane = self.chunks_of_plane();
        for chunk in 0..self.chunk_count() {
            let (plane, place) = (chunk / a_plane, chunk % a_plane);
            let left = place % self.across() * self.chunk_width;
            let top = place / self.across() * self.chunk_height;
            let rows = self.chunk_height.min(height - top);
            let columns = self.chunk_width.min(width - left);
            let bytes = self.unpacked(chunk, self.whole.unwrap_or(rows))?;
            for (y, bytes) in (top..top + rows).zip(bytes.chunks_exact(self.row_bytes())) {
                S::unpack(bytes, bits, self.order, &mut row);
                self.add_up(&mut row);
                let start = (y * width + left) * channels;
                if self.planes {
                    let to = samples[start + plane..].iter_mut().step_by(channels);
                    to.zip(&row).take(columns).for_each(|(to, from)| *to = *from);
                } else {
                    let length = columns * channels;
                    samples[start..start + length].copy_from_slice(&row[..length]);
                }
            }
        }
        Ok(samples)
    }

    /// Makes samples of differences.
    fn add_up<S: Sample>(&self, row: &mut [S]) {
        if self.differences {
            let stride = self.together();
            for place in stride..row.len() {
                row[place] = row[place].plus(row[place - stride]);
            }
        }
    }

    /// The bytes of the rows of a strip or tile.
    fn unpacked(&self, chunk: usize, rows: usize) -> Result<Vec<u8>, ImageError> {
        let length = self.row_bytes() * rows;
        let stored = match (self.compression, self.lengths.get(chunk)) {
            // What a file says of their length may be wrong, and is not needed.
            (Compression::None, _) => length as u64,
            (_, Some(stored)) => *stored,
            (_, None) => return Err(damaged("the length of a strip or tile is missing")),
        };
        let start = self.offsets[chunk];
        let packed = start.checked_add(stored).and_then(|end| {
            self.file.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
        });
        let packed = packed.ok_or_else(|| damaged("it is truncated"))?;
        let width = u16::try_from(self.chunk_width);
        let width = width.map_err(|_| unsupported("strips as wide as these"))?;
        if self.reversed {
            let packed: Vec<u8> = packed.iter().map(|byte| byte.reverse_bits()).collect();
            return self.compression.unpack(&packed, width, length);
        }
        self.compression.unpack(packed, width, length)
    }
}
