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
