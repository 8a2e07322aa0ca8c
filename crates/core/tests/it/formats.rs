//! The table of images in README.md: what is read and refused, and what Pillow makes of the same files.
//!
//! A row is a format, an encoding and a file of `tests/data` of that kind. What comes of it is not written
//! here: each file goes through the decoder, the answers are put together with Pillow's (`formats.json`), and
//! the table has to be the README's. To add a row, put a small file into `tests/data/formats` (by hand or by
//! `scripts/train/make_format_files.py`), run that script, which asks Pillow, and add a line to [`ROWS`]. To
//! rewrite the README's table, run this test with `UPDATE_README=1`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use sdd_core::image::{ImageLimits, Pixels, decode};
use sdd_core::spec::Color;
use sdd_core::{ImageError, thumbnail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::data;

const BEGIN: &str = "<!-- images:begin -->\n";
const END: &str = "<!-- images:end -->\n";

/// Format, encoding (with a note where it needs one), file.
const ROWS: &[(&str, &str, &str)] = &[
    ("JPEG", "gray", "images/jpeg_gray.jpg"),
    ("JPEG", "4:4:4", "images/jpeg_rgb_444.jpg"),
    ("JPEG", "4:2:2", "images/jpeg_rgb_422.jpg"),
    ("JPEG", "4:2:0", "images/jpeg_rgb_420.jpg"),
    ("JPEG", "4:1:1", "formats/jpeg_411.jpg"),
    ("JPEG", "3x1", "formats/jpeg_sampling_3x1.jpg"),
    ("JPEG", "progressive", "images/jpeg_rgb_progressive.jpg"),
    ("JPEG", "restart markers", "formats/jpeg_restarts.jpg"),
    ("JPEG", "arithmetic coding", "formats/jpeg_arithmetic.jpg"),
    ("JPEG", "lossless", "formats/jpeg_lossless.jpg"),
    ("JPEG", "CMYK (as Adobe's programs write it)", "images/jpeg_cmyk.jpg"),
    ("JPEG", "turned by Exif", "images/jpeg_orientation_6.jpg"),
    ("JPEG", "turned by Exif in several segments", "formats/jpeg_two_exif_segments.jpg"),
    ("JPEG", "turned by XMP", "images/jpeg_xmp_6.jpg"),
    ("JPEG", "bytes behind the end", "formats/jpeg_trailer.jpg"),
    ("JPEG", "bytes before the end", "formats/jpeg_bytes_before_end.jpg"),
    ("JPEG", "bytes between segments", "formats/jpeg_bytes_between.jpg"),
    (
        "JPEG",
        "Exif that cannot be read, beside a resolution (not turned)",
        "formats/jpeg_unreadable_exif.jpg",
    ),
    ("JPEG", "cut", "formats/jpeg_cut.jpg"),
    ("JPEG", "without its end", "formats/jpeg_no_end.jpg"),
    ("JPEG", "12 bits", "formats/jpeg_12_bits.jpg"),
    ("JPEG", "JPEG-LS", "formats/jpeg_ls.jpg"),
    ("JPEG", "hierarchical", "formats/jpeg_hierarchical.jpg"),
    ("JPEG", "two components", "formats/jpeg_two_components.jpg"),
    ("PNG", "1-bit gray", "images/png_1bit.png"),
    ("PNG", "4-bit gray", "formats/png_gray_4bit.png"),
    ("PNG", "8-bit gray", "images/png_gray.png"),
    ("PNG", "16-bit gray", "images/png_gray16.png"),
    ("PNG", "8-bit gray with alpha (which is dropped everywhere)", "images/png_gray_alpha.png"),
    ("PNG", "16-bit gray with alpha", "images/png_gray_alpha16.png"),
    ("PNG", "8-bit RGB", "images/png_rgb.png"),
    ("PNG", "16-bit RGB", "images/png_rgb16.png"),
    ("PNG", "8-bit RGBA", "images/png_rgba.png"),
    ("PNG", "16-bit RGBA", "images/png_rgba16.png"),
    ("PNG", "8-bit palette", "images/png_palette.png"),
    ("PNG", "4-bit palette", "images/png_palette_4bit.png"),
    ("PNG", "2-bit palette", "formats/png_2bit.png"),
    ("PNG", "palette with transparency", "images/png_palette_transparent.png"),
    (
        "PNG",
        "palette with a part of a color at its end",
        "formats/png_palette_of_uneven_length.png",
    ),
    ("PNG", "interlaced", "formats/png_interlaced.png"),
    ("PNG", "animated (its first image)", "formats/png_animated.png"),
    ("PNG", "without its end chunk", "formats/png_no_end.png"),
    ("PNG", "turned by Exif", "images/png_rgb_orientation_6.png"),
    ("PNG", "turned by Exif behind the pixels", "formats/png_exif_behind.png"),
    ("PNG", "turned by a text profile", "formats/png_exif_profile.png"),
    ("PNG", "turned by a packed text profile", "formats/png_exif_packed_profile.png"),
    ("PNG", "turned by XMP", "images/png_xmp_6.png"),
    ("PNG", "turned by XMP in a plain text chunk", "formats/png_xmp_text.png"),
    ("PNG", "Exif that cannot be read (not turned)", "formats/png_unreadable_exif.png"),
    ("PNG", "packed text of more than 1 MiB in other places", "formats/png_bomb_comment.png"),
    ("PNG", "wrong Adler-32", "formats/png_wrong_adler.png"),
    (
        "PNG",
        "wrong checksum of a chunk that is not needed",
        "formats/png_wrong_checksum_of_resolution.png",
    ),
    ("PNG", "wrong checksum of Exif", "formats/png_wrong_checksum_of_exif.png"),
    (
        "PNG",
        "wrong checksum of the pixels (which Pillow does not look at)",
        "formats/png_wrong_checksum_of_pixels.png",
    ),
    (
        "PNG",
        "samples of 16 bits below 4096 (read where the model states `bit_depth`)",
        "formats/png_12_in_16.png",
    ),
    (
        "PNG",
        "packed text of more than 1 MiB where an orientation may stand",
        "formats/png_bomb.png",
    ),
    ("PNG", "cut pixels", "formats/png_cut.png"),
    ("PNG", "cut metadata", "formats/png_cut_metadata.png"),
    ("BMP", "1-bit palette", "formats/bmp_1bit.bmp"),
    ("BMP", "4-bit palette", "formats/bmp_4bit.bmp"),
    ("BMP", "8-bit palette", "images/bmp_palette.bmp"),
    ("BMP", "gray palette", "images/bmp_gray.bmp"),
    ("BMP", "24 bits", "images/bmp_rgb.bmp"),
    ("BMP", "32 bits", "formats/bmp_32bit.bmp"),
    ("BMP", "32 bits with alpha", "formats/bmp_32bit_alpha.bmp"),
    ("BMP", "32 bits with masks", "formats/bmp_32bit_masks.bmp"),
    ("BMP", "rows from the top", "formats/bmp_top_down.bmp"),
    ("BMP", "OS/2 header", "formats/bmp_os2.bmp"),
    ("BMP", "RLE8", "formats/bmp_rle8.bmp"),
    ("BMP", "RLE4", "formats/bmp_rle4.bmp"),
    ("BMP", "RLE8 with delta", "formats/bmp_rle8_delta.bmp"),
    ("BMP", "16 bits", "formats/bmp_16bit.bmp"),
    ("BMP", "16 bits with masks of 5, 6 and 5", "formats/bmp_16bit_565.bmp"),
    ("BMP", "without a height", "formats/bmp_no_size.bmp"),
    ("BMP", "cut", "formats/bmp_cut.bmp"),
    ("TIFF", "1-bit gray", "formats/tiff_1bit.tiff"),
    ("TIFF", "fax Group 4", "formats/tiff_1bit_group4.tiff"),
    ("TIFF", "2-bit gray", "formats/tiff_gray_2bit.tiff"),
    ("TIFF", "4-bit gray", "formats/tiff_gray_4bit.tiff"),
    ("TIFF", "8-bit gray", "images/tiff_gray.tiff"),
    ("TIFF", "16-bit gray", "images/tiff_gray16.tiff"),
    ("TIFF", "8-bit gray with white as 0", "formats/tiff_white_is_zero.tiff"),
    ("TIFF", "16-bit gray with white as 0", "images/tiff_gray16_white_is_zero.tiff"),
    ("TIFF", "8-bit RGB", "images/tiff_rgb.tiff"),
    ("TIFF", "16-bit RGB", "formats/tiff_rgb16.tiff"),
    ("TIFF", "RGBA", "images/tiff_rgba.tiff"),
    ("TIFF", "8-bit premultiplied RGBA", "images/tiff_premultiplied.tiff"),
    ("TIFF", "16-bit premultiplied RGBA", "images/tiff_premultiplied16.tiff"),
    ("TIFF", "CMYK", "images/tiff_cmyk.tiff"),
    ("TIFF", "LZW", "images/tiff_rgb_lzw.tiff"),
    ("TIFF", "LZW with predictor", "formats/tiff_lzw_predictor.tiff"),
    ("TIFF", "deflate", "images/tiff_rgb_deflate.tiff"),
    ("TIFF", "PackBits", "formats/tiff_packbits.tiff"),
    ("TIFF", "big-endian", "formats/tiff_big_endian.tiff"),
    ("TIFF", "strips", "formats/tiff_strips.tiff"),
    ("TIFF", "tiles", "formats/tiff_tiles.tiff"),
    ("TIFF", "tiles of RGB", "formats/tiff_tiles_rgb.tiff"),
    ("TIFF", "deflated tiles", "formats/tiff_tiles_deflate.tiff"),
    ("TIFF", "planes", "formats/tiff_planar.tiff"),
    ("TIFF", "deflated planes", "formats/tiff_deflate_planar.tiff"),
    ("TIFF", "planes of tiles", "formats/tiff_planar_tiles.tiff"),
    ("TIFF", "BigTIFF", "formats/tiff_big.tiff"),
    ("TIFF", "several pages (the first)", "formats/tiff_pages.tiff"),
    ("TIFF", "turned by its tag", "images/tiff_orientation_6.tiff"),
    ("TIFF", "turned by XMP", "images/tiff_xmp_6.tiff"),
    (
        "TIFF",
        "samples of 16 bits below 4096 (read where the model states `bit_depth`)",
        "formats/tiff_12_in_16.tiff",
    ),
    ("TIFF", "the same beside an alpha of 16", "formats/tiff_premultiplied_12_in_16.tiff"),
    ("TIFF", "palette", "formats/tiff_palette.tiff"),
    ("TIFF", "gray with alpha", "formats/tiff_gray_alpha.tiff"),
    ("TIFF", "fill order 2", "formats/tiff_fill_order_2.tiff"),
    ("TIFF", "JPEG", "formats/tiff_jpeg.tiff"),
    ("TIFF", "YCbCr", "formats/tiff_ycbcr.tiff"),
    ("TIFF", "CIELAB", "formats/tiff_lab.tiff"),
    ("TIFF", "LZMA", "formats/tiff_lzma.tiff"),
    ("TIFF", "Zstandard", "formats/tiff_zstd.tiff"),
    ("TIFF", "32-bit integers", "formats/tiff_32bit.tiff"),
    ("TIFF", "floating point", "formats/tiff_float.tiff"),
    ("TIFF", "cut", "formats/tiff_cut.tiff"),
    ("WebP", "lossy", "images/webp_lossy.webp"),
    ("WebP", "lossless", "images/webp_lossless.webp"),
    ("WebP", "with alpha", "images/webp_lossy_alpha.webp"),
    ("WebP", "animated (its first image)", "formats/webp_animated.webp"),
    ("WebP", "animated, blended with its empty canvas", "formats/webp_animated_blended.webp"),
    ("WebP", "animated, its first image a part of the canvas", "formats/webp_animated_part.webp"),
    ("WebP", "metadata that are announced and not there", "formats/webp_announced_metadata.webp"),
    ("WebP", "turned by Exif", "formats/webp_exif.webp"),
    ("WebP", "turned by XMP", "images/webp_xmp_6.webp"),
    ("WebP", "bytes behind the end", "formats/webp_trailer.webp"),
    ("WebP", "Exif that cannot be read (not turned)", "formats/webp_unreadable_exif.webp"),
    ("WebP", "a length beyond the file's", "formats/webp_size_too_large.webp"),
    ("WebP", "cut", "formats/webp_cut.webp"),
    ("others", "AVIF", "formats/avif.avif"),
    ("others", "HEIF", "formats/heif.heic"),
    ("others", "GIF", "formats/gif.gif"),
    ("others", "PBM", "formats/pnm_pbm.pbm"),
    ("others", "PGM", "formats/pnm_pgm.pgm"),
    ("others", "PPM", "formats/pnm_ppm.ppm"),
    ("others", "ICO", "formats/ico.ico"),
    ("others", "TGA", "formats/tga.tga"),
    ("others", "JPEG 2000", "formats/jpeg_2000.jp2"),
    ("others", "JPEG XL", "formats/jpeg_xl.jxl"),
    ("others", "PSD", "formats/psd.psd"),
    ("others", "DICOM", "formats/dicom.dcm"),
    ("others", "DDS", "formats/dds.dds"),
    ("others", "QOI", "formats/qoi.qoi"),
    ("others", "Radiance HDR", "formats/hdr.hdr"),
    ("others", "OpenEXR", "formats/exr.exr"),
    ("others", "SVG", "formats/svg.svg"),
    ("others", "PDF", "formats/pdf.pdf"),
];

/// What Pillow makes of a file.
#[derive(Debug, Deserialize)]
struct Verdict {
    pillow: String,
    /// Of the RGB samples, where training reads the file, too.
    sha256: Option<String>,
}

fn verdicts() -> BTreeMap<String, Verdict> {
    serde_json::from_str(&fs::read_to_string(data("formats.json")).unwrap()).unwrap()
}

fn read(file: &str) -> Result<Pixels, ImageError> {
    decode(&fs::read(data(file)).unwrap(), Color::Rgb, &ImageLimits::default())
}

/// The cells of a row that stand before the encodings.
fn answer(file: &str, verdict: &Verdict) -> (String, &'static str) {
    let pillow_reads = verdict.pillow == "reads";
    match read(file) {
        Ok(pixels) if pillow_reads => {
            let sha256 = format!("{:x}", Sha256::digest(&pixels.data));
            assert_eq!(Some(sha256), verdict.sha256, "{file}: not the pixels that training sees");
            ("read".into(), "the same pixels")
        }
        Ok(_) => ("read".into(), "refuses"),
        Err(error) => {
            (format!("`{}`", error.code()), if pillow_reads { "reads" } else { "refuses" })
        }
    }
}

fn table() -> String {
    let verdicts = verdicts();
    // In the order in which they are first met, the formats in that of `ROWS`.
    let mut lines: Vec<([&str; 2], String, Vec<&str>)> = Vec::new();
    for (format, encoding, file) in ROWS {
        let (answer, pillow) = answer(file, &verdicts[*file]);
        let same =
            lines.iter_mut().find(|(cells, a, _)| *cells == [format, pillow] && *a == answer);
        match same {
            Some((_, _, encodings)) => encodings.push(encoding),
            None => lines.push(([format, pillow], answer, vec![encoding])),
        }
    }
    let mut table =
        String::from("| format | answer | Pillow 13 | encodings |\n| --- | --- | --- | --- |\n");
    for ([format, pillow], answer, encodings) in lines {
        writeln!(table, "| {format} | {answer} | {pillow} | {} |", encodings.join(", ")).unwrap();
    }
    table
}

#[test]
fn the_readme_says_what_is_read_and_refused() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the place of the table");
    let (written, after) = rest.split_once(END).expect("the end of the table");
    let table = table();
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
    } else {
        assert_eq!(written, table, "run this test with UPDATE_README=1 to rewrite README.md");
    }
}

#[test]
fn every_file_has_a_row() {
    let mut rows: Vec<&str> = ROWS.iter().map(|(_, _, file)| *file).collect();
    rows.sort_unstable();
    let of_formats = verdicts().into_keys().filter(|file| file.starts_with("formats/"));
    let missing: Vec<String> =
        of_formats.filter(|file| rows.binary_search(&file.as_str()).is_err()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    rows.dedup();
    assert_eq!(rows.len(), ROWS.len(), "a file has two rows");
}

/// For people, who are to see something in what may be a picture of 12 bits.
#[test]
fn a_thumbnail_of_12_bits_in_16_is_no_black_one() {
    let file = fs::read(data("formats/png_12_in_16.png")).unwrap();
    let small = thumbnail(&file, 160, &ImageLimits::default()).unwrap();
    let shown = decode(&small, Color::Gray, &ImageLimits::default()).unwrap();
    assert!(*shown.data.iter().max().unwrap() > 128);
}
