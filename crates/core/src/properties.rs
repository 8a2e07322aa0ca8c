//! How a picture looks, in five numbers that people can act on: "darker than before", "less sharp".

use serde::Serialize;

use crate::simd::vectorize;

/// Pixels that are summed in 32 bits, of which the squares of the Laplacian, up to 1020², take the most.
const BLOCK: usize = 2048;

/// Brightness, contrast, sharpness, noise and saturation of a picture as the model sees it: upright, in
/// the size of the model's input, 8 bits a sample, not yet normalized.
///
/// All are of its luma in gray levels, 0 to 255, which is a gray picture itself and ITU-R 601-2 (Pillow's
/// "L") of a colored one. `N` pixels are in the picture, and `n` of them are not at its border.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageProperties {
    /// Mean, in gray levels.
    pub brightness: f32,
    /// Standard deviation (of all `N` pixels, so divided by `N`), in gray levels.
    pub contrast: f32,
    /// How fine the edges are, without unit: `√(Σ L² / Σ G²)` over the `n` pixels, 0 to √8 (a
    /// checkerboard); 0 where there are no edges at all.
    ///
    /// A pixel `p` with `a` above, `b` below, `l` left and `r` right of it has the Laplacian
    /// `L = a + b + l + r − 4p` and the gradient `G² = ((a − p)² + (b − p)² + (l − p)² + (r − p)²) / 2`.
    /// The energies of both are measures of focus (Subbarao, Choi and Nikzad, *Focusing Techniques*,
    /// Optical Engineering 32, 1993), but rise with light and contrast, too. Their ratio does not, and
    /// differs less from part to part.
    pub sharpness: f32,
    /// Standard deviation of the noise in gray levels, as Immerkær estimates it (*Fast Noise Variance
    /// Estimation*, Computer Vision and Image Understanding 64, 1996): `√(π/2) / 6n · Σ |M|` over the `n`
    /// pixels, where `M` is the picture convolved with `[1 −2 1; −2 4 −2; 1 −2 1]`. What is smooth, and
    /// edges along rows or columns, add nothing to it; fine texture does.
    pub noise: f32,
    /// Share of the `N` pixels that are black or white, luma at most 1 or at least 254; 0 to 1.
    pub saturated: f32,
}

impl ImageProperties {
    /// Their names, in the order of [`to_array`](Self::to_array).
    pub const NAMES: [&str; 5] = ["brightness", "contrast", "sharpness", "noise", "saturated"];

    /// The values in the order of [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn to_array(self) -> [f32; 5] {
        let Self { brightness, contrast, sharpness, noise, saturated } = self;
        [brightness, contrast, sharpness, noise, saturated]
    }

    /// The properties of a gray picture, rows of `width` pixels.
    ///
    /// # Panics
    /// When there are no pixels, or the last row is not whole.
    #[must_use]
    pub fn of_luma(luma: &[u8], width: usize) -> Self {
        assert!(!luma.is_empty() && width > 0 && luma.len().is_multiple_of(width));
        let sums = vectorize(
            #[inline(always)]
            || Sums::of(luma, width),
        );
        let pixels = luma.len() as f64;
        // Without any, as in a picture of a single row, their sums are 0, too.
        let inner = sums.inner.max(1) as f64;
        let mean = sums.levels as f64 / pixels;
        let variance = (sums.squares as f64 / pixels - mean * mean).max(0.0);
        let gradients = sums.differences.max(1) as f64 / 2.0;
        let sharpness = (sums.laplacians as f64 / gradients).sqrt();
        let noise = std::f64::consts::FRAC_PI_2.sqrt() / 6.0 * sums.noise as f64 / inner;
        let saturated = sums.saturated as f64 / pixels;
        #[expect(clippy::cast_possible_truncation, reason = "they are at most 255, or near it")]
        let [brightness, contrast, sharpness, noise, saturated] =
            [mean, variance.sqrt(), sharpness, noise, saturated].map(|value| value as f32);
        Self { brightness, contrast, sharpness, noise, saturated }
    }
}

/// Sums over the pixels of a picture. Whole numbers, so that they are the same on every processor.
#[derive(Debug, Default)]
struct Sums {
    levels: u64,
    squares: u64,
    saturated: u64,
    /// The number of pixels that are not at the border. All below is over these.
    inner: u64,
    /// Squared differences from the four neighbors.
    differences: u64,
    laplacians: u64,
    noise: u64,
}

// Additions that cannot overflow are told not to look for it, as no loop that does is vectorized.
#[expect(clippy::inline_always, reason = "compiled into loops of every instruction set")]
impl Sums {
    #[inline(always)]
    fn of(luma: &[u8], width: usize) -> Self {
        let mut sums = Self::default();
        for block in luma.chunks(BLOCK) {
            sums.add(block);
        }
        for rows in luma.windows(3 * width).step_by(width) {
            for start in (1..width.saturating_sub(1)).step_by(BLOCK) {
                let length = BLOCK.min(width - 1 - start);
                sums.add_inner([0, 1, 2].map(|row| {
                    let at = row * width + start;
                    [at - 1, at, at + 1].map(|first| &rows[first..][..length])
                }));
            }
        }
        sums
    }

    /// Adds what is said of all pixels.
    #[inline(always)]
    fn add(&mut self, block: &[u8]) {
        let (mut levels, mut squares, mut saturated) = (0_u32, 0_u32, 0_u32);
        for level in block.iter().copied() {
            levels = levels.wrapping_add(level.into());
            squares = squares.wrapping_add(square(level.into()));
            saturated = saturated.wrapping_add((level <= 1 || level >= 254).into());
        }
        self.levels += u64::from(levels);
        self.squares += u64::from(squares);
        self.saturated += u64::from(saturated);
    }

    /// Adds what is said of the pixels that are not at the border: those in the middle of `rows`, whose
    /// neighbors are in the other eight.
    #[inline(always)]
    fn add_inner(&mut self, rows: [[&[u8]; 3]; 3]) {
        let length = rows[1][1].len();
        // Of one length for the compiler to see, or it checks each of them for each pixel.
        let [
            [above_left, above, above_right],
            [left, pixel, right],
            [below_left, below, below_right],
        ] = rows.map(|row| row.map(|pixels| &pixels[..length]));
        let (mut differences, mut laplacians, mut noise) = (0_u32, 0_u32, 0_u32);
        for x in 0..length {
            let pixel = i16::from(pixel[x]);
            let sides = [above[x], below[x], left[x], right[x]].map(i16::from);
            let corners =
                [above_left[x], above_right[x], below_left[x], below_right[x]].map(i16::from);
            let laplacian = sides.iter().sum::<i16>() - 4 * pixel;
            // Immerkær's mask is the difference of two Laplacians, of the corners and twice that of the sides.
            let masked = corners.iter().sum::<i16>() - 4 * pixel - 2 * laplacian;
            let squares = sides.map(|side| square(side - pixel)).iter().sum();
            differences = differences.wrapping_add(squares);
            laplacians = laplacians.wrapping_add(square(laplacian));
            noise = noise.wrapping_add(masked.unsigned_abs().into());
        }
        self.inner += length as u64;
        self.differences += u64::from(differences);
        self.laplacians += u64::from(laplacians);
        self.noise += u64::from(noise);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled into loops of every instruction set")]
fn square(value: i16) -> u32 {
    (i32::from(value) * i32::from(value)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, ImageProperties};

    fn assert_close(found: ImageProperties, expected: [f64; 5]) {
        for ((name, found), expected) in
            ImageProperties::NAMES.iter().zip(found.to_array()).zip(expected)
        {
            assert!((f64::from(found) - expected).abs() < 1e-4, "{name}: {found}, not {expected}");
        }
    }

    #[test]
    fn one_bright_pixel_is_as_calculated_by_hand() {
        let found = ImageProperties::of_luma(&[0, 0, 0, 0, 10, 0, 0, 0, 0], 3);
        // L = -40, G² = 4 · 10² / 2, M = 40.
        let (contrast, noise) = (800.0_f64.sqrt() / 9.0, 1.253_314_137 * 40.0 / 6.0);
        assert_close(found, [10.0 / 9.0, contrast, 40.0 / 200.0_f64.sqrt(), noise, 8.0 / 9.0]);
    }

    #[test]
    fn what_is_flat_has_only_a_brightness() {
        for (level, saturated) in [(0, 1.0), (1, 1.0), (2, 0.0), (253, 0.0), (254, 1.0), (255, 1.0)]
        {
            for (pixels, width) in [(1, 1), (2, 1), (4, 4), (9, 3), (70, 7)] {
                let found = ImageProperties::of_luma(&vec![level; pixels], width);
                assert_close(found, [level.into(), 0.0, 0.0, 0.0, saturated]);
            }
        }
    }

    #[test]
    fn a_ramp_is_neither_sharp_nor_noisy() {
        let ramp: Vec<u8> = (0..8).flat_map(|y| (0..8).map(move |x| 20 + 10 * x + 3 * y)).collect();
        // 0..8 has a variance of 63/12, and the squared steps add up.
        let contrast = (109.0_f64 * 63.0 / 12.0).sqrt();
        assert_close(ImageProperties::of_luma(&ramp, 8), [65.5, contrast, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_largest_sums_fit() {
        let height = 5;
        for width in [3, BLOCK, BLOCK + 1, BLOCK + 2, BLOCK + 3, 8192] {
            let checkerboard: Vec<u8> = (0..height)
                .flat_map(|y| (0..width).map(move |x| if (x + y) % 2 == 0 { 255 } else { 0 }))
                .collect();
            let white = (width * height).div_ceil(2) as f64 / (width * height) as f64;
            let contrast = 255.0 * (white * (1.0 - white)).sqrt();
            let noise = 1.253_314_137 / 6.0 * 8.0 * 255.0;
            let found = ImageProperties::of_luma(&checkerboard, width);
            assert_close(found, [255.0 * white, contrast, 8.0_f64.sqrt(), noise, 1.0]);
        }
    }
}
