//! Uploads that mean harm.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use image::{DynamicImage, ExtendedColorType, GrayImage, ImageEncoder, ImageFormat};

use crate::server::{Server, picture};
use crate::socket::{answer_to, connect, predict_request, small_upload};

/// A generator of the test's own, so that a failure can be repeated (Steele et al., `SplitMix64`).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

#[test]
fn a_thousand_random_and_damaged_uploads_are_all_the_clients_fault() {
    let server = Server::start(&[]);
    let originals: Vec<_> = std::fs::read_dir(crate::server::data("images"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let mut random = Random(1);
    let mut refused = 0;
    for round in 0..1000 {
        let mut image = originals[random.below(originals.len())].clone();
        match round % 4 {
            0 => {
                let length = random.below(3000);
                image = random.bytes(length);
            }
            1 => image.truncate(random.below(image.len())),
            2 => {
                for _ in 0..=random.below(20) {
                    let at = random.below(image.len());
                    image[at] ^= 1 << random.below(8);
                }
            }
            _ => {
                let at = random.below(image.len());
                let length = random.below(40);
                image.splice(at..at, random.bytes(length));
            }
        }
        let answer = server.predict(&image);
        assert!(answer.status < 500, "round {round}: {answer:?}");
        refused += usize::from(answer.status != 200);
    }
    assert!(refused > 500, "only {refused} were refused");
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
}

#[test]
fn a_bomb_of_144_megapixels_is_refused_without_decoding_it() {
    let mut bomb = Vec::new();
    let pixels = vec![0; 12_000 * 12_000];
    image::codecs::png::PngEncoder::new(&mut bomb)
        .write_image(&pixels, 12_000, 12_000, ExtendedColorType::L8)
        .unwrap();
    drop(pixels);
    assert!(bomb.len() < 1 << 20, "it is small to send: {} bytes", bomb.len());

    let server = Server::start(&[]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    let before = server.memory_kib("VmHWM");
    for _ in 0..5 {
        let answer = server.predict(&bomb);
        assert_eq!((answer.status, answer.code()), (413, "too_many_pixels"));
    }
    let grown = server.memory_kib("VmHWM") - before;
    assert!(grown < 20 << 10, "decoding it takes 140,625 KiB, the server grew by {grown}");
}

#[test]
fn headers_that_promise_the_moon_are_refused() {
    let server = Server::start(&[]);
    for (format, at, width) in [
        (ImageFormat::Bmp, 18, i32::MAX.to_le_bytes()),
        (ImageFormat::Png, 16, i32::MAX.to_be_bytes()),
    ] {
        let mut file = Cursor::new(Vec::new());
        DynamicImage::from(GrayImage::new(8, 8)).write_to(&mut file, format).unwrap();
        let mut file = file.into_inner();
        file[at..at + 4].copy_from_slice(&width);
        let status = server.predict(&file).status;
        assert!(status == 400 || status == 413, "{format:?}: {status}");
    }
    assert!(server.memory_kib("VmHWM") < 500 << 10);
}

#[test]
fn an_upload_that_trickles_in_times_out() {
    let server = Server::start(&["--upload-timeout", "1s"]);
    let request = predict_request(&small_upload(), "");
    let start = Instant::now();
    let answer = answer_to(&server, &request[..request.len() / 2]);
    assert_eq!((answer.status, answer.code()), (408, "upload_timeout"));
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn clients_that_leave_half_way_do_no_harm() {
    let server = Server::start(&["--workers", "1"]);
    let request = predict_request(&small_upload(), "");
    let body = request.len() - small_upload().len();
    let half = usize::midpoint(body, request.len());
    for sent in [0, 1, body, body + 1, body + 100, half, request.len()] {
        connect(&server).write_all(&request[..sent]).unwrap();
    }
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
}
