//! Image files that mean harm.

use std::fs;
use std::io::{Cursor, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use sdd_core::ImageError;
use sdd_core::image::{ImageLimits, decode};
use sdd_core::spec::Color;
use tiff::encoder::TiffEncoder;
use tiff::tags::Tag;

use crate::data;

/// Where the last scan of a JPEG begins.
fn last_scan(jpeg: &[u8]) -> usize {
    jpeg.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap()
}

#[test]
fn a_jpeg_of_more_scans_than_an_encoder_makes_is_refused() {
    let mut jpeg = fs::read(data("images/jpeg_rgb_progressive.jpg")).unwrap();
    // So that its own scans are just within what an image of the largest size may have.
    let limits = ImageLimits { max_pixels: 61 * 47, ..ImageLimits::default() };
    decode(&jpeg, Color::Gray, &limits).unwrap();
    let end = jpeg.len() - 2;
    let scan = jpeg[last_scan(&jpeg)..end].to_vec();
    for _ in 0..20 {
        jpeg.splice(end..end, scan.iter().copied());
    }
    let error = decode(&jpeg, Color::Gray, &limits).unwrap_err();
    assert!(matches!(error, ImageError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("scans"), "{error}");
}

#[test]
fn every_truncation_of_cmyk_is_damage_and_no_flipped_byte_is_too_much() {
    let limits = ImageLimits { max_pixels: 1 << 20, ..ImageLimits::default() };
    for name in ["tiff_cmyk.tiff", "jpeg_cmyk.jpg"] {
        let file = fs::read(data("images").join(name)).unwrap();
        for length in (8..file.len() - 1).step_by(97) {
            let error = decode(&file[..length], Color::Rgb, &limits).unwrap_err();
            assert!(matches!(error, ImageError::Damaged { .. }), "{name} cut to {length}: {error}");
        }
        for position in 0..file.len().min(400) {
            let mut flipped = file.clone();
            flipped[position] ^= 0x55;
            // An image or an error, and neither a panic that leaves here nor a large allocation.
            if let Ok(pixels) = decode(&flipped, Color::Rgb, &limits) {
                assert!(pixels.data.len() <= 3 << 20, "{name} flipped at {position}");
            }
        }
    }
}

/// Files whose pixels Pillow would give in another way than the decoders here.
#[test]
fn what_cannot_be_decoded_as_pillow_does_is_refused() {
    let mut tiff = fs::read(data("images/tiff_rgb.tiff")).unwrap();
    let number =
        |bytes: &[u8], at: usize| usize::from(bytes[at]) + 256 * usize::from(bytes[at + 1]);
    let directory = number(&tiff, 4);
    let entries = number(&tiff, directory);
    let compression = (0..entries)
        .map(|entry| directory + 2 + 12 * entry)
        .find(|entry| number(&tiff, *entry) == 259)
        .unwrap();
    tiff[compression + 8] = 7;
    let error = decode(&tiff, Color::Rgb, &ImageLimits::default()).unwrap_err();
    assert!(matches!(error, ImageError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("JPEG"), "{error}");
}

const TIFF_SIDE: u32 = 4;
// Of `PhotometricInterpretation`.
const BLACK_IS_ZERO: u16 = 1;
const RGB: u16 = 2;
const CMYK: u16 = 5;
/// Of `ExtraSamples`.
const ASSOCIATED_ALPHA: u16 = 1;
/// Of `SampleFormat`.
const FLOATING_POINT: u16 = 3;
/// Of `Compression`.
const PACK_BITS: u16 = 32773;

/// A TIFF of `TIFF_SIDE` pixels a side, all samples 0, with these tags beside those that every one has.
fn tiff(photometric: u16, bits: &[u16], planes: u32, others: &[(Tag, &[u16])]) -> Vec<u8> {
    let samples = u32::try_from(bits.len()).unwrap();
    let length = TIFF_SIDE * TIFF_SIDE * samples * u32::from(bits[0]) / 8 / planes;
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut directory = encoder.image_directory().unwrap();
    let strips: Vec<u32> = (0..planes)
        .map(|_| {
            let place = directory.write_data(&vec![0_u8; length as usize][..]).unwrap();
            u32::try_from(place).unwrap()
        })
        .collect();
    for tag in [Tag::ImageWidth, Tag::ImageLength, Tag::RowsPerStrip] {
        directory.write_tag(tag, TIFF_SIDE).unwrap();
    }
    directory.write_tag(Tag::BitsPerSample, bits).unwrap();
    directory.write_tag(Tag::SamplesPerPixel, samples).unwrap();
    directory.write_tag(Tag::Compression, 1_u16).unwrap();
    directory.write_tag(Tag::PhotometricInterpretation, photometric).unwrap();
    directory.write_tag(Tag::StripOffsets, &strips[..]).unwrap();
    directory.write_tag(Tag::StripByteCounts, &vec![length; planes as usize][..]).unwrap();
    for (tag, values) in others {
        directory.write_tag(*tag, *values).unwrap();
    }
    directory.finish().unwrap();
    file.into_inner()
}

#[test]
fn kinds_of_tiff_that_are_not_decoded_are_refused_as_unsupported() {
    let limits = ImageLimits::default();
    let decoded = decode(&tiff(CMYK, &[8; 4], 1, &[]), Color::Rgb, &limits).unwrap();
    assert_eq!(decoded.data, [255; 3 * 16]);

    let float: &[(Tag, &[u16])] = &[(Tag::SampleFormat, &[FLOATING_POINT])];
    let alpha: &[(Tag, &[u16])] = &[(Tag::ExtraSamples, &[ASSOCIATED_ALPHA])];
    let floats = "signed or floating-point samples";
    for (kind, file, reason) in [
        ("gray of 16-bit floats", tiff(BLACK_IS_ZERO, &[16], 1, float), floats),
        ("RGB of 32-bit floats", tiff(RGB, &[32; 3], 1, float), floats),
        ("gray of 32 bits", tiff(BLACK_IS_ZERO, &[32], 1, &[]), "32 bits a sample"),
        ("RGB of 4 bits", tiff(RGB, &[4; 3], 1, &[]), "4 bits a sample"),
        ("gray times alpha", tiff(BLACK_IS_ZERO, &[8; 2], 1, alpha), "premultiplied alpha"),
        ("two undeclared samples", tiff(RGB, &[8; 5], 1, &[]), "5 samples a pixel"),
        ("CIELAB", tiff(8, &[8; 3], 1, &[]), "CIELAB"),
    ] {
        for color in [Color::Gray, Color::Rgb] {
            let error = decode(&file, color, &limits).unwrap_err();
            assert!(matches!(error, ImageError::Unsupported { .. }), "{kind}: {error}");
            assert!(error.to_string().contains(reason), "{kind}: {error}");
        }
    }
}

/// A TIFF of one pixel a row, each row a strip: `shared` packed bytes at the same place, or one of its own.
fn strips_of_one_row(rows: u32, shared: Option<u32>) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut directory = encoder.image_directory().unwrap();
    let data = vec![7_u8; shared.unwrap_or(rows) as usize];
    let start = u32::try_from(directory.write_data(&data[..]).unwrap()).unwrap();
    let offsets: Vec<u32> =
        (0..rows).map(|row| if shared.is_some() { start } else { start + row }).collect();
    directory.write_tag(Tag::ImageWidth, 1_u32).unwrap();
    directory.write_tag(Tag::ImageLength, rows).unwrap();
    directory.write_tag(Tag::RowsPerStrip, 1_u32).unwrap();
    directory.write_tag(Tag::BitsPerSample, 8_u16).unwrap();
    let compression = if shared.is_some() { PACK_BITS } else { 1 };
    directory.write_tag(Tag::Compression, compression).unwrap();
    directory.write_tag(Tag::PhotometricInterpretation, BLACK_IS_ZERO).unwrap();
    directory.write_tag(Tag::StripOffsets, &offsets[..]).unwrap();
    let lengths = vec![shared.unwrap_or(1); rows as usize];
    directory.write_tag(Tag::StripByteCounts, &lengths[..]).unwrap();
    directory.finish().unwrap();
    file.into_inner()
}

#[test]
fn a_tiff_that_has_the_decoder_read_the_same_bytes_again_and_again_is_refused() {
    let limits = ImageLimits { max_side: u32::MAX, ..ImageLimits::default() };
    let decoded = decode(&strips_of_one_row(65_536, None), Color::Gray, &limits).unwrap();
    assert_eq!((decoded.height, decoded.data[65_535]), (65_536, 7));
    for (file, reason) in [
        (strips_of_one_row(1000, Some(1000)), "longer than the file"),
        (strips_of_one_row(65_537, None), "65537 strips or tiles"),
    ] {
        let error = decode(&file, Color::Gray, &limits).unwrap_err();
        assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// The decoder goes on after some codes that cannot be.
#[test]
fn a_fax_page_whose_codes_do_not_end_where_it_does_is_damage() {
    let limits = ImageLimits::default();
    let page = fs::read(data("formats/tiff_1bit_group4.tiff")).unwrap();
    let intact = decode(&page, Color::Gray, &limits).unwrap();
    // The one strip stands right behind the header.
    for from in [8, 12, 20] {
        let mut zeroed = page.clone();
        zeroed[from..from + 8].fill(0);
        match decode(&zeroed, Color::Gray, &limits) {
            Err(ImageError::Damaged { .. }) => {}
            Err(other) => panic!("{other}"),
            Ok(found) => assert!(found == intact, "other pixels, from {from} on"),
        }
    }
}

/// The decoder's authors took for granted that a palette is whole and of 256 colors at most.
#[test]
fn a_palette_of_any_length_is_read_or_refused_without_a_panic() {
    let limits = ImageLimits::default();
    for (length, colors) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (768, 256), (770, 256)]
    {
        let palette: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[0] | 1).collect();
        let pixels = decode(&indexed(&palette), Color::Rgb, &limits).unwrap();
        for (index, pixel) in pixels.data.as_chunks::<3>().0.iter().enumerate() {
            let color = palette.as_chunks::<3>().0.get(index).filter(|_| index < colors);
            assert_eq!(pixel, color.unwrap_or(&[0; 3]), "{length} bytes, color {index}");
        }
    }
    for length in [771, 1000, 3000] {
        let error = decode(&indexed(&vec![7; length]), Color::Rgb, &limits).unwrap_err();
        assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("256 at most"), "{error}");
    }
}

/// A PNG of 256 pixels in a row, each of the color of its place in the palette.
fn indexed(palette: &[u8]) -> Vec<u8> {
    let mut row = vec![0];
    row.extend(0..=255_u8);
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&row).unwrap();
    let header = [&256_u32.to_be_bytes()[..], &1_u32.to_be_bytes(), &[8, 3, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in [
        (b"IHDR", &header[..]),
        (b"PLTE", palette),
        (b"IDAT", &packed.finish().unwrap()),
        (b"IEND", b""),
    ] {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(content);
        file.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        file.extend([name, content, &crc.sum().to_be_bytes()].concat());
    }
    file
}

#[test]
fn what_is_wrong_with_a_png_is_said_in_words() {
    let file = fs::read(data("formats/png_wrong_checksum_of_pixels.png")).unwrap();
    let error = decode(&file, Color::Rgb, &ImageLimits::default()).unwrap_err().to_string();
    assert!(error.contains("IDAT") && !error.contains("ChunkType"), "{error}");
}

#[test]
fn a_bmp_without_a_size_is_damaged_and_not_too_large() {
    let whole = fs::read(data("formats/bmp_32bit.bmp")).unwrap();
    for bits in [1_u16, 4, 8, 16, 24, 32] {
        for (width, height) in [(0, 17), (23, 0), (0, 0), (-23, 17), (i32::MIN, 17)] {
            let mut file = whole.clone();
            file[18..22].copy_from_slice(&i32::to_le_bytes(width));
            file[22..26].copy_from_slice(&i32::to_le_bytes(height));
            file[28..30].copy_from_slice(&bits.to_le_bytes());
            let error = decode(&file, Color::Rgb, &ImageLimits::default()).unwrap_err();
            assert!(matches!(error, ImageError::Damaged { .. }), "{width} x {height}: {error}");
            assert!(error.to_string().contains("no size"), "{error}");
        }
    }
}

/// An alpha of 16 bits says nothing of how many the colors have.
#[test]
fn a_premultiplied_picture_of_12_bits_is_ambiguous_whatever_its_alpha() {
    let file = fs::read(data("formats/tiff_premultiplied_12_in_16.tiff")).unwrap();
    let decoded = |bit_depth| {
        let decoder = sdd_core::image::Decoder::new(ImageLimits::default());
        let mut decoder = decoder.of_bit_depth(bit_depth);
        decoder.decode(&file, Color::Rgb).map(|pixels| pixels.data.to_vec())
    };
    let error = decoded(None).unwrap_err();
    assert!(matches!(error, ImageError::AmbiguousBitDepth { largest: 1..4096 }), "{error}");
    assert!(decoded(Some(16)).unwrap().iter().all(|level| *level < 16));
    let error = decoded(Some(12)).unwrap_err();
    assert!(matches!(error, ImageError::BeyondBitDepth { largest: 65_535, .. }), "{error}");
}
