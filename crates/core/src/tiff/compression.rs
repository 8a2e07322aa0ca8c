//! The bytes of strips and tiles, unpacked.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Read;

use fax::Color;
use fax::decoder::{DecodeStatus, Group4Decoder, pels};
use flate2::read::ZlibDecoder;
use weezl::{BitOrder, LzwStatus};

use super::refusal::{damaged, unsupported};
use crate::error::ImageError;

/// How strips and tiles are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// Fax, of one bit a pixel.
    Group4,
    Lzw,
    Deflate,
    PackBits,
}

impl Compression {
    /// By the tag's value.
    pub fn of(code: u64) -> Result<Self, ImageError> {
        let name = match code {
            1 => return Ok(Self::None),
            4 => return Ok(Self::Group4),
            5 => return Ok(Self::Lzw),
            8 | 32946 => return Ok(Self::Deflate),
            32773 => return Ok(Self::PackBits),
            2 | 3 => "fax Group 3",
            6 | 7 => "JPEG",
            34712 => "JPEG 2000",
            34925 => "LZMA",
            50000 => "Zstandard",
            50001 => "WebP",
            _ => return Err(unsupported(&format!("compression {code}"))),
        };
        Err(unsupported(&format!("compression by {name}")))
    }

    /// Whether differences of neighbors may be stored in place of samples.
    pub fn has_predictor(self) -> bool {
        matches!(self, Self::Lzw | Self::Deflate)
    }

    /// Unpacks rows of `width` pixels to exactly `length` bytes. What is packed beyond that is left alone, as
    /// libtiff does.
    pub fn unpack(self, packed: &[u8], width: u16, length: usize) -> Result<Vec<u8>, ImageError> {
        let unpacked = match self {
            Self::None => packed.get(..length).map(<[u8]>::to_vec),
            Self::Group4 => group_4(packed, width, length),
            Self::Lzw => lzw(packed, length)?,
            Self::Deflate => deflate(packed, length),
            Self::PackBits => pack_bits(packed, length),
        };
        unpacked.ok_or_else(|| damaged("a strip or tile is cut short or corrupt"))
    }
}

/// Only what ends as it should, at the end of the block or of the data: the decoder goes on after some codes that
/// cannot be, and leaves what is missing white.
fn group_4(packed: &[u8], width: u16, length: usize) -> Option<Vec<u8>> {
    let row_bytes = usize::from(width).div_ceil(8);
    let read = Cell::new(0);
    let bytes = packed.iter().inspect(|_| read.set(read.get() + 1));
    let mut decoder =
        Group4Decoder::new(bytes.map(|byte| Ok::<u8, Infallible>(*byte)), width).ok()?;
    let mut unpacked = Vec::with_capacity(length);
    while unpacked.len() < length {
        if decoder.advance().ok()? == DecodeStatus::End {
            return None;
        }
        let mut row = vec![0; row_bytes];
        for (x, color) in pels(decoder.transition(), width).enumerate() {
            if color == Color::Black {
                row[x / 8] |= 0x80 >> (x % 8);
            }
        }
        unpacked.extend(row);
    }
    let ended = matches!(decoder.advance(), Ok(DecodeStatus::End));
    (ended || read.get() == packed.len()).then_some(unpacked)
}

/// Ends where there is enough: libtiff writes tiles whose end code stands in a width that other decoders do not
/// expect, and never looks for it itself.
fn lzw(packed: &[u8], length: usize) -> Result<Option<Vec<u8>>, ImageError> {
    if let [0, second, ..] = packed
        && second & 1 == 1
    {
        return Err(unsupported("LZW as it was before TIFF 5.0"));
    }
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut unpacked = vec![0; length];
    let (mut read, mut written) = (0, 0);
    while written < length {
        let step = decoder.decode_bytes(&packed[read..], &mut unpacked[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        let goes_on = matches!(step.status, Ok(LzwStatus::Ok));
        if !goes_on || step.consumed_in == 0 && step.consumed_out == 0 {
            break;
        }
    }
    Ok((written == length).then_some(unpacked))
}

fn deflate(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut unpacked = vec![0; length];
    ZlibDecoder::new(packed).read_exact(&mut unpacked).ok()?;
    Some(unpacked)
}

/// Runs of literal bytes and of repeated ones (TIFF 6.0, section 9).
fn pack_bits(mut packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::with_capacity(length);
    while unpacked.len() < length {
        let (head, rest) = packed.split_first()?;
        packed = rest;
        match *head {
            128 => {}
            literal @ 0..128 => {
                let run = packed.split_at_checked(usize::from(literal) + 1)?;
                unpacked.extend(run.0);
                packed = run.1;
            }
            repeated => {
                let (byte, rest) = packed.split_first()?;
                let run = 257 - usize::from(repeated);
                unpacked.resize(unpacked.len() + run, *byte);
                packed = rest;
            }
        }
    }
    unpacked.truncate(length);
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use super::Compression;

    #[test]
    fn pack_bits_knows_literals_runs_and_pauses() {
        // The example of TIFF 6.0.
        let packed = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0x80,
            0xF7, 0xAA,
        ];
        let unpacked = [
            0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0x22,
            0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA,
        ];
        assert_eq!(Compression::PackBits.unpack(&packed, 24, 24).unwrap(), unpacked);
        for length in 0..packed.len() {
            assert!(Compression::PackBits.unpack(&packed[..length], 24, 24).is_err());
        }
    }

    #[test]
    fn what_is_packed_beyond_the_image_is_left_alone() {
        assert_eq!(Compression::None.unpack(&[1, 2, 3], 2, 2).unwrap(), [1, 2]);
        assert_eq!(Compression::PackBits.unpack(&[0xFD, 7, 9], 2, 2).unwrap(), [7, 7]);
    }
}
