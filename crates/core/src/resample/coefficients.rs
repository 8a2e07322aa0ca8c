//! What each target position along one axis is made of: Pillow's windows and weights.

use std::ops::Range;

use crate::spec::Filter;

/// Fractional bits of the weights: 32 less 8 for the sample, less 2 for sign and overshoot.
pub(super) const PRECISION_BITS: u32 = 32 - 8 - 2;

/// For each target position along one axis, the source positions it is made of and their weights.
#[derive(Debug, Clone)]
pub(super) struct Coefficients {
    source: usize,
    windows: Vec<Window>,
    /// The weights of all windows, one window after the other.
    weights: Vec<i32>,
}

#[derive(Debug, Clone)]
struct Window {
    /// The first source position.
    start: usize,
    /// Where its weights stand in [`Coefficients::weights`].
    weights: Range<usize>,
}

impl Coefficients {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positions within an image, rounded as Pillow does"
    )]
    pub(super) fn new(filter: Filter, source: usize, target: usize) -> Self {
        let scale = source as f64 / target as f64;
        let filter_scale = scale.max(1.0);
        let support = filter.support() * filter_scale;
        let windows = Vec::with_capacity(target);
        let mut coefficients = Self { source, windows, weights: Vec::new() };
        let mut exact = Vec::new();
        for position in 0..target {
            let center = (position as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(source);
            exact.clear();
            exact.extend(
                (start..end)
                    .map(|at| filter.weight((at as f64 - center + 0.5) * (1.0 / filter_scale))),
            );
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

    /// Number of source positions.
    pub(super) fn source(&self) -> usize {
        self.source
    }

    /// Number of target positions.
    pub(super) fn target(&self) -> usize {
        self.windows.len()
    }

    /// Whether there is nothing to resize: then every weight is one or nothing.
    pub(super) fn is_identity(&self) -> bool {
        self.source == self.target()
    }

    /// For each target position, the first source position and the weights from there on.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled into loops of every instruction set")]
    pub(super) fn windows(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.windows.iter().map(|window| (window.start, &self.weights[window.weights.clone()]))
    }
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
