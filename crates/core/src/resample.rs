//! Antialiased resizing of 8-bit pixels, bit for bit as Pillow does it.
//!
//! The model was trained on images that Pillow resized, and a resizer with coefficients of fewer
//! bits, or with its passes in the other order, gives pixels that differ by one level here and
//! there, which the model notices. So this follows Pillow 13: one pass along each axis, rounded to
//! 8 bits in between, with coefficients in fixed point of 22 fractional bits; and the vertical pass
//! comes first where it saves much more than the other.

use crate::spec::Filter;

/// Fractional bits of the coefficients: 32 less 8 for the sample, less 2 for sign and overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Resizes images to one size. Keeps its buffer and, while the source's size stays the same, its
/// coefficients.
#[derive(Debug, Clone)]
pub struct Resampler {
    filter: Filter,
    target: (usize, usize),
    source: (usize, usize),
    horizontal: Coefficients,
    vertical: Coefficients,
    /// The image between the passes.
    intermediate: Vec<u8>,
}

impl Resampler {
    /// A resampler to `width` x `height` pixels, both at least 1.
    #[must_use]
    pub fn new(filter: Filter, width: usize, height: usize) -> Self {
        Self {
            filter,
            target: (width, height),
            source: (width, height),
            horizontal: Coefficients::new(filter, width, width),
            vertical: Coefficients::new(filter, height, height),
            intermediate: Vec::new(),
        }
    }

    /// Resizes `source`, rows of `size.0` pixels of `CHANNELS` interleaved samples, into `target`.
    ///
    /// # Panics
    /// When a buffer has not the length that its size says, or the source has no pixels.
    pub fn resize<const CHANNELS: usize>(
        &mut self,
        source: &[u8],
        size: (usize, usize),
        target: &mut [u8],
    ) {
        let (width, height) = self.target;
        assert!(!source.is_empty() && source.len() == size.0 * size.1 * CHANNELS);
        assert_eq!(target.len(), width * height * CHANNELS);
        if size != self.source {
            self.horizontal = Coefficients::new(self.filter, size.0, width);
            self.vertical = Coefficients::new(self.filter, size.1, height);
            self.source = size;
        }
        if vertical_first(size, self.target) {
            self.intermediate.resize(size.0 * height * CHANNELS, 0);
            self.vertical.apply_to_columns(source, size.0 * CHANNELS, &mut self.intermediate);
            self.horizontal.apply_to_rows::<CHANNELS>(&self.intermediate, size.0, target);
        } else {
            self.intermediate.resize(width * size.1 * CHANNELS, 0);
            self.horizontal.apply_to_rows::<CHANNELS>(source, size.0, &mut self.intermediate);
            self.vertical.apply_to_columns(&self.intermediate, width * CHANNELS, target);
        }
    }
}

/// Which pass Pillow 13 begins with, as its results show. Earlier versions always began with the
/// horizontal one.
fn vertical_first(source: (usize, usize), target: (usize, usize)) -> bool {
    let saved = |source: usize, target: usize| source.saturating_sub(target);
    saved(source.1, target.1) > 2 * saved(source.0, target.0)
}

/// For each target position along one axis, the source positions it is made of and their weights.
#[derive(Debug, Clone)]
struct Coefficients {
    windows: Vec<Window>,
    /// The weights of all windows, one window after the other.
    weights: Vec<i32>,
}

#[derive(Debug, Clone)]
struct Window {
    /// The first source position.
    start: usize,
    /// Where its weights stand in [`Coefficients::weights`].
    weights: std::ops::Range<usize>,
}

impl Coefficients {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positions within an image, rounded as Pillow does"
    )]
    fn new(filter: Filter, source: usize, target: usize) -> Self {
        let scale = source as f64 / target as f64;
        let filter_scale = scale.max(1.0);
        let support = filter.support() * filter_scale;
        let mut coefficients = Self { windows: Vec::with_capacity(target), weights: Vec::new() };
        for position in 0..target {
            let center = (position as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(source);
            let exact: Vec<f64> = (start..end)
                .map(|at| filter.weight((at as f64 - center + 0.5) * (1.0 / filter_scale)))
                .collect();
            let sum: f64 = exact.iter().sum();
            let first = coefficients.weights.len();
            let normalized =
                exact.iter().map(|weight| if sum == 0.0 { *weight } else { weight / sum });
            coefficients.weights.extend(normalized.map(fixed_point));
            let weights = first..coefficients.weights.len();
            coefficients.windows.push(Window { start, weights });
        }
        coefficients
    }

    /// Resizes along rows: `width` pixels a row become as many as there are windows.
    fn apply_to_rows<const CHANNELS: usize>(&self, source: &[u8], width: usize, target: &mut [u8]) {
        let rows = source.chunks_exact(width * CHANNELS);
        for (row, target) in rows.zip(target.chunks_exact_mut(self.windows.len() * CHANNELS)) {
            let (pixels, _) = row.as_chunks::<CHANNELS>();
            let (targets, _) = target.as_chunks_mut::<CHANNELS>();
            for (target, window) in targets.iter_mut().zip(&self.windows) {
                let mut sums = [ROUNDING; CHANNELS];
                let weights = &self.weights[window.weights.clone()];
                for (pixel, weight) in pixels[window.start..].iter().zip(weights) {
                    for (sum, sample) in sums.iter_mut().zip(pixel) {
                        *sum = add_product(*sum, *sample, *weight);
                    }
                }
                *target = sums.map(to_sample);
            }
        }
    }

    /// Resizes along columns: rows of `row` samples become as many as there are windows.
    fn apply_to_columns(&self, source: &[u8], row: usize, target: &mut [u8]) {
        let mut sums = vec![ROUNDING; row];
        for (target, window) in target.chunks_exact_mut(row).zip(&self.windows) {
            sums.fill(ROUNDING);
            let rows = source[window.start * row..].chunks_exact(row);
            for (samples, weight) in rows.zip(&self.weights[window.weights.clone()]) {
                for (sum, sample) in sums.iter_mut().zip(samples) {
                    *sum = add_product(*sum, *sample, *weight);
                }
            }
            for (target, sum) in target.iter_mut().zip(&sums) {
                *target = to_sample(*sum);
            }
        }
    }
}

/// One half, so that the shift rounds.
const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);

/// Wrapping only in name: the precision is chosen so that sums fit, and checks would keep the
/// compiler from vectorising.
#[inline]
fn add_product(sum: i32, sample: u8, weight: i32) -> i32 {
    sum.wrapping_add(i32::from(sample).wrapping_mul(weight))
}

#[inline]
#[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn to_sample(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

#[expect(clippy::cast_possible_truncation, reason = "weights are about 1 at most")]
fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION_BITS);
    // Half away from zero, then towards zero, as Pillow.
    (scaled + 0.5_f64.copysign(scaled)) as i32
}

impl Filter {
    /// Half the width of the kernel, in source pixels at scale 1.
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Hamming if x == 0.0 => 1.0,
            Self::Hamming if x.abs() >= 1.0 => 0.0,
            Self::Hamming => {
                let angle = x.abs() * std::f64::consts::PI;
                // Pillow has these as single-precision constants, which now and then shows in a pixel.
                let window = f64::from(0.54_f32) + f64::from(0.46_f32) * angle.cos();
                angle.sin() / angle * window
            }
            Self::Bicubic => cubic(x.abs()),
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

/// Keys' cubic convolution with a = -0.5, of a distance that is not negative.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let angle = x * std::f64::consts::PI;
    angle.sin() / angle
}
