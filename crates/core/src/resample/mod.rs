//! Antialiased resizing of 8-bit pixels, bit for bit as Pillow does it.
//!
//! The model was trained on images that Pillow resized, and a resizer with coefficients of fewer
//! bits, or with its passes in the other order, gives pixels that differ by one level here and
//! there, which the model notices. So this follows Pillow 13: one pass along each axis, rounded to
//! 8 bits in between, with coefficients in fixed point of 22 fractional bits; and the vertical pass
//! comes first where it saves much more than the other.

mod coefficients;
mod lanes;
mod passes;

use coefficients::Coefficients;
use lanes::dispatch;
use passes::{Horizontal, Turned, Vertical};

use crate::buffer;
use crate::spec::Filter;

/// Resizes images to one size. Keeps its buffers and, while the source's size stays the same, its
/// coefficients.
#[derive(Debug, Clone)]
pub struct Resampler {
    filter: Filter,
    horizontal: Coefficients,
    vertical: Coefficients,
    turned: Turned,
    /// The image between the passes.
    intermediate: Vec<u8>,
}

impl Resampler {
    /// A resampler to `width` x `height` pixels, both at least 1.
    #[must_use]
    pub fn new(filter: Filter, width: usize, height: usize) -> Self {
        Self {
            filter,
            horizontal: Coefficients::new(filter, width, width),
            vertical: Coefficients::new(filter, height, height),
            turned: Turned::default(),
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
        let (width, height) = (self.horizontal.target(), self.vertical.target());
        assert!(!source.is_empty() && source.len() == size.0 * size.1 * CHANNELS);
        assert_eq!(target.len(), width * height * CHANNELS);
        if size.0 != self.horizontal.source() {
            self.horizontal = Coefficients::new(self.filter, size.0, width);
        }
        if size.1 != self.vertical.source() {
            self.vertical = Coefficients::new(self.filter, size.1, height);
        }
        let (horizontal, vertical) = (&self.horizontal, &self.vertical);
        let turned = &mut self.turned;
        match (horizontal.is_identity(), vertical.is_identity()) {
            (true, true) => target.copy_from_slice(source),
            (true, false) => columns(vertical, source, width * CHANNELS, target),
            (false, true) => rows::<CHANNELS>(horizontal, source, target, turned),
            (false, false) if vertical_first(size, (width, height)) => {
                let row = size.0 * CHANNELS;
                let between = buffer::first(&mut self.intermediate, row * height);
                columns(vertical, source, row, between);
                rows::<CHANNELS>(horizontal, between, target, turned);
            }
            (false, false) => {
                let row = width * CHANNELS;
                let between = buffer::first(&mut self.intermediate, row * size.1);
                rows::<CHANNELS>(horizontal, source, between, turned);
                columns(vertical, between, row, target);
            }
        }
        buffer::release_if_large(&mut self.intermediate);
    }
}

/// Resizes along rows.
fn rows<const CHANNELS: usize>(
    coefficients: &Coefficients,
    source: &[u8],
    target: &mut [u8],
    turned: &mut Turned,
) {
    dispatch(Horizontal::<CHANNELS> { coefficients, source, target, turned });
}

/// Resizes along columns, of rows of `row` samples.
fn columns(coefficients: &Coefficients, source: &[u8], row: usize, target: &mut [u8]) {
    dispatch(Vertical { coefficients, source, row, target });
}

/// Which pass Pillow 13 begins with, as its results show. Earlier versions always began with the
/// horizontal one.
fn vertical_first(source: (usize, usize), target: (usize, usize)) -> bool {
    let saved = |source: usize, target: usize| source.saturating_sub(target);
    saved(source.1, target.1) > 2 * saved(source.0, target.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::coefficients::{Coefficients, PRECISION_BITS};
    use super::{Resampler, vertical_first};
    use crate::spec::Filter;

    /// One pass, written as Pillow's formula reads: `lines` lines whose samples are `step` apart.
    fn pass(
        coefficients: &Coefficients,
        sample: impl Fn(usize, usize) -> u8,
        lines: usize,
    ) -> Vec<Vec<u8>> {
        let value = |line: usize, (start, weights): (usize, &[i32])| {
            let products = weights.iter().enumerate();
            let sum: i64 = products
                .map(|(at, weight)| i64::from(sample(line, start + at)) * i64::from(*weight))
                .sum();
            let rounded = (sum + (1 << (PRECISION_BITS - 1))) >> PRECISION_BITS;
            u8::try_from(rounded.clamp(0, 255)).unwrap()
        };
        (0..lines)
            .map(|line| coefficients.windows().map(|window| value(line, window)).collect())
            .collect()
    }

    /// The same image without any of the arrangements that make it fast.
    fn plain<const CHANNELS: usize>(
        filter: Filter,
        source: &[u8],
        size: (usize, usize),
        target: (usize, usize),
    ) -> Vec<u8> {
        let horizontal = Coefficients::new(filter, size.0, target.0);
        let vertical = Coefficients::new(filter, size.1, target.1);
        let mut planes = Vec::new();
        for channel in 0..CHANNELS {
            let at = |x: usize, y: usize| source[(y * size.0 + x) * CHANNELS + channel];
            planes.push(if vertical_first(size, target) {
                let columns = pass(&vertical, at, size.0);
                pass(&horizontal, |y, x| columns[x][y], target.1)
            } else {
                let rows = pass(&horizontal, |y, x| at(x, y), size.1);
                let columns = pass(&vertical, |x, y| rows[y][x], target.0);
                (0..target.1).map(|y| columns.iter().map(|column| column[y]).collect()).collect()
            });
        }
        (0..target.0 * target.1 * CHANNELS)
            .map(|at| planes[at % CHANNELS][at / CHANNELS / target.0][at / CHANNELS % target.0])
            .collect()
    }

    /// Samples that are often 0 or 255, where sums leave the range of 8 bits.
    fn noise(length: usize, seed: u32) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u8::try_from((i64::from(state >> 23) - 128).clamp(0, 255)).unwrap()
        };
        (0..length).map(|_| next()).collect()
    }

    const FILTERS: [Filter; 5] =
        [Filter::Box, Filter::Bilinear, Filter::Hamming, Filter::Bicubic, Filter::Lanczos];

    fn compare<const CHANNELS: usize>(
        resampler: &mut Resampler,
        filter: Filter,
        size: (usize, usize),
        target: (usize, usize),
        seed: u32,
    ) {
        let source = noise(size.0 * size.1 * CHANNELS, seed);
        let mut found = vec![0; target.0 * target.1 * CHANNELS];
        resampler.resize::<CHANNELS>(&source, size, &mut found);
        let expected = plain::<CHANNELS>(filter, &source, size, target);
        assert!(found == expected, "{filter:?}, {CHANNELS} channels, {size:?} to {target:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn every_size_is_as_the_plain_formula_says(
            filter in prop::sample::select(&FILTERS[..]),
            target in (1_usize..90, 1_usize..90),
            sizes in prop::collection::vec((1_usize..200, 1_usize..200), 1..4),
            seed in any::<u32>(),
        ) {
            // One resampler for all, so that what a larger image left behind would show.
            let mut resampler = Resampler::new(filter, target.0, target.1);
            for size in sizes.into_iter().chain([(target.0, 77), (77, target.1), target]) {
                compare::<1>(&mut resampler, filter, size, target, seed);
                compare::<3>(&mut resampler, filter, size, target, seed);
            }
        }
    }

    #[test]
    fn large_images_are_as_the_plain_formula_says() {
        for filter in FILTERS {
            let mut resampler = Resampler::new(filter, 160, 640);
            for size in [(500, 1256), (640, 230), (70, 3000), (3001, 30)] {
                compare::<1>(&mut resampler, filter, size, (160, 640), 1);
                compare::<3>(&mut resampler, filter, size, (160, 640), 2);
            }
        }
    }
}
