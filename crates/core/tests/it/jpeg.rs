//! Streams that libjpeg warns of: what is odd about headers is no damage, and hides none.

use std::fs;

use sdd_core::image::{Decoder, ImageLimits};
use sdd_core::spec::Color;
use sdd_core::{ImageError, ImageWarning};

use crate::data;

const RST0: u8 = 0xD0;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DRI: u8 = 0xDD;

/// Baseline, with restart markers.
fn clean() -> Vec<u8> {
    fs::read(data("formats/jpeg_restarts.jpg")).unwrap()
}

fn decoded(file: &[u8]) -> Result<(Vec<u8>, Option<ImageWarning>), ImageError> {
    let mut decoder = Decoder::new(ImageLimits::default());
    let pixels = decoder.decode(file, Color::Rgb)?.data.to_vec();
    Ok((pixels, decoder.warning()))
}

/// Where a marker begins, the first of its kind.
fn first(file: &[u8], marker: u8) -> usize {
    file.windows(2).position(|pair| pair == [0xFF, marker]).unwrap()
}

fn with(file: &[u8], place: usize, bytes: &[u8]) -> Vec<u8> {
    [&file[..place], bytes, &file[place..]].concat()
}

/// The same image with everything odd about its headers that libjpeg warns of.
fn with_odd_headers(file: &[u8]) -> Vec<u8> {
    let mut odd = file.to_vec();
    let jfif = odd.windows(5).position(|bytes| bytes == b"JFIF\0").unwrap();
    odd[jfif + 5] = 2;
    let scan = first(&odd, SOS) + 2;
    let length = usize::from(u16::from_be_bytes([odd[scan], odd[scan + 1]]));
    odd[scan + length - 2] = 20;
    let tables = first(&odd, DQT);
    let adobe = [&[0xFF, 0xEE, 0, 14], &b"Adobe"[..], &[0, 100, 0, 0, 0, 0, 7]].concat();
    with(&odd, tables, &[&[0, 7, 7], &adobe[..]].concat())
}

#[test]
fn odd_headers_are_read_without_a_word() {
    let odd = with_odd_headers(&clean());
    assert!(decoded(&odd).unwrap() == (decoded(&clean()).unwrap().0, None));
}

#[test]
fn zeros_before_markers_are_read_without_a_word_and_hide_no_damage() {
    let clean = clean();
    let (restart, end) = (first(&clean, RST0), clean.len() - 2);
    let padded = with(&clean, restart, &[0; 64]);
    let padded = with_odd_headers(&with(&padded, padded.len() - 2, &[0; 64]));
    assert!(decoded(&padded).unwrap() == (decoded(&clean).unwrap().0, None));
    let cut = [&clean[..end - 30], &clean[end..]].concat();
    assert!(matches!(decoded(&with(&cut, restart, &[0; 64])), Err(ImageError::Damaged { .. })));
}

#[test]
fn an_interval_between_restart_markers_that_is_not_theirs_is_damage() {
    let mut file = clean();
    let interval = first(&file, DRI) + 5;
    file[interval] += 1;
    assert!(matches!(decoded(&file), Err(ImageError::Damaged { .. })));
}

#[test]
fn other_bytes_that_belong_to_nothing_are_read_with_a_warning() {
    let (pixels, warning) = decoded(&clean()).unwrap();
    assert_eq!(warning, None);
    for marker in [RST0, EOI] {
        for padding in [&[0x55; 9][..], &[1, 2, 3, 4, 5, 6, 7]] {
            let padded = with(&clean(), first(&clean(), marker), padding);
            for file in [padded.clone(), with_odd_headers(&padded)] {
                let (found, warning) = decoded(&file).unwrap();
                assert_eq!(warning, Some(ImageWarning::StrayBytes));
                assert!(found == pixels, "{padding:?} before {marker:#x}");
            }
        }
    }
}

#[test]
fn missing_data_is_damage_whatever_the_headers_are_like() {
    let clean = clean();
    let (scan, end) = (first(&clean, SOS), clean.len() - 2);
    let restart = first(&clean, RST0);
    let cases = [
        ("the end of the data", [&clean[..end - 30], &clean[end..]].concat()),
        ("a restart marker", [&clean[..restart], &clean[restart + 2..]].concat()),
        ("all of the data", [&clean[..scan + 14], &clean[end..]].concat()),
    ];
    for (missing, file) in cases {
        for file in [with_odd_headers(&file), file] {
            let damaged = matches!(decoded(&file), Err(ImageError::Damaged { .. }));
            assert!(damaged, "without {missing}");
        }
    }
}
