//! Image files that mean harm.

use std::fs;

use sdd_core::ImageError;
use sdd_core::image::{ImageLimits, decode};
use sdd_core::spec::Color;

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
    assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
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
    let mut bmp = fs::read(data("images/bmp_rgb.bmp")).unwrap();
    bmp[28] = 16;
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
    for (file, what) in [(bmp, "16 bits a pixel"), (tiff, "JPEG")] {
        let error = decode(&file, Color::Rgb, &ImageLimits::default()).unwrap_err();
        assert!(matches!(error, ImageError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}
