//! The images that are uploaded: drawn from a seed, or a folder's.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

/// Different images of one kind: enough that no cache holds what an image leaves behind.
const COUNT: usize = 16;

/// At most so many of a folder are taken.
const MOST_OF_A_FOLDER: usize = 256;

/// Encoded images, and what they are, for the reader of a result.
#[derive(Debug, Clone)]
pub struct Images {
    /// As `500 x 1256 gray JPEG, 240 kB`.
    pub name: String,
    /// The files' contents.
    pub files: Vec<Vec<u8>>,
}

/// A kind of drawn image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Three channels, with the chroma halved as cameras do; else gray.
    pub color: bool,
    /// What the JPEG should be long, in bytes; its quality is chosen for that.
    pub bytes: usize,
}

/// What the photographs are like that the shipped model was trained on.
pub const PART: Kind = Kind { width: 500, height: 1256, color: false, bytes: 240_000 };

/// What a camera gives.
pub const FULL_HD: Kind = Kind { width: 1920, height: 1080, color: true, bytes: 480_000 };

/// Draws images of one kind, the same ones each time.
///
/// # Errors
/// When the encoder fails.
pub fn drawn(kind: Kind) -> Result<Images> {
    let files = (0..COUNT as u64).map(|seed| draw(kind, seed)).collect::<Result<Vec<_>>>()?;
    let Kind { width, height, color, .. } = kind;
    let samples = if color { "color" } else { "gray" };
    let kilobytes = files.iter().map(Vec::len).sum::<usize>() as f64 / COUNT as f64 / 1e3;
    Ok(Images { name: format!("{width} x {height} {samples} JPEG, {kilobytes:.0} kB"), files })
}

/// Draws images of many sizes, from a thumbnail to 1080p, gray and in color, the same ones each time.
///
/// # Errors
/// When the encoder fails.
pub fn mixed() -> Result<Images> {
    let mut rng = Rng::with_seed(1);
    let mut files = Vec::new();
    for seed in 0..48 {
        let (width, height) = (rng.usize(64..=1920), rng.usize(64..=1080));
        let kind = Kind { width, height, color: rng.bool(), bytes: width * height / 3 };
        files.push(draw(kind, seed)?);
    }
    Ok(Images { name: "JPEGs from 64 x 64 to 1920 x 1080, gray and color".into(), files })
}

/// The images in a folder, by name.
///
/// # Errors
/// When there are none, or one cannot be read.
pub fn of_folder(folder: &Path) -> Result<Images> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()
        .with_context(|| folder.display().to_string())?;
    paths.retain(|path| path.is_file() && is_image(path));
    paths.sort();
    paths.truncate(MOST_OF_A_FOLDER);
    if paths.is_empty() {
        bail!("{}: no JPEG, PNG, BMP, TIFF or WebP is directly in it", folder.display());
    }
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    let files = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let kilobytes = files.iter().map(Vec::len).sum::<usize>() as f64 / files.len() as f64 / 1e3;
    Ok(Images { name: format!("{} files of a folder, {kilobytes:.0} kB", files.len()), files })
}

fn is_image(path: &Path) -> bool {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    ["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"]
        .contains(&suffix.to_ascii_lowercase().as_str())
}

/// One brushed metal surface, in the quality that comes nearest below the wanted length.
fn draw(kind: Kind, seed: u64) -> Result<Vec<u8>> {
    let pixels = texture(kind, seed);
    let (format, sampling) = if kind.color {
        (PixelFormat::RGB, Subsamp::Sub2x2)
    } else {
        (PixelFormat::GRAY, Subsamp::Gray)
    };
    let Kind { width, height, .. } = kind;
    let image = Image { pixels: &pixels[..], width, pitch: width * format.size(), height, format };
    let mut compressor = Compressor::new()?;
    compressor.set_subsamp(sampling)?;
    let mut encode = |quality| -> Result<Vec<u8>> {
        compressor.set_quality(quality)?;
        Ok(compressor.compress_to_vec(image)?)
    };
    let (mut low, mut high) = (30, 100);
    while low < high {
        let middle = (low + high + 1) / 2;
        if encode(middle)?.len() <= kind.bytes { low = middle } else { high = middle - 1 }
    }
    encode(low)
}

/// Light from one side, streaks along the rows, grain.
fn texture(kind: Kind, seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut pixels = Vec::with_capacity(kind.width * kind.height * 3);
    let mut streak = 0.0_f32;
    for row in 0..kind.height {
        streak = 0.8 * streak + 12.0 * (rng.f32() - 0.5);
        let mut drift = 0.0_f32;
        for column in 0..kind.width {
            drift = 0.95 * drift + 3.0 * (rng.f32() - 0.5);
            // Two uniform numbers together come near enough to a bell.
            let grain = 14.0 * (rng.f32() + rng.f32() - 1.0);
            let light =
                40.0 * column as f32 / kind.width as f32 - 20.0 * row as f32 / kind.height as f32;
            let gray = 120.0 + light + streak + drift + grain;
            if kind.color {
                pixels.extend([gray + 3.0, gray, gray - 4.0].map(sample));
            } else {
                pixels.push(sample(gray));
            }
        }
    }
    pixels
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 255")]
fn sample(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Kind = Kind { width: 100, height: 60, color: false, bytes: 2_000 };

    #[test]
    fn a_drawn_image_is_the_same_each_time_and_has_the_wanted_size() {
        for color in [false, true] {
            let kind = Kind { color, ..SMALL };
            let one = draw(kind, 1).unwrap();
            assert_eq!(one, draw(kind, 1).unwrap());
            assert_ne!(one, draw(kind, 2).unwrap());
            assert!((kind.bytes * 8 / 10..=kind.bytes).contains(&one.len()), "{}", one.len());
            let header = turbojpeg::read_header(&one).unwrap();
            assert_eq!((header.width, header.height), (100, 60));
        }
    }

    #[test]
    fn a_folder_gives_its_images_by_name_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of_folder(folder.path()).is_err());
        for (name, content) in [("b.JPG", "second"), ("a.png", "first"), ("c.txt", "no image")] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        assert_eq!(of_folder(folder.path()).unwrap().files, [&b"first"[..], b"second"]);
        assert!(of_folder(&folder.path().join("absent")).is_err());
    }
}
