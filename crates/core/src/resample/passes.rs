//! The two passes of a resize.
//!
//! Both multiply a vector of neighboring samples by one weight. Along columns, neighbors of a row
//! are such a vector. Along rows they would each need a weight of their own, so that pass takes
//! [`LANES`] rows at a time, turned by 90 degrees: neighbors are then samples of one column.

#![expect(
    clippy::inline_always,
    reason = "what is not compiled into its caller is compiled without the caller's instructions"
)]

use super::coefficients::Coefficients;
use super::lanes::{LANES, Lanes, Pass};
use crate::buffer;

/// Vectors that the vertical pass takes at a time: their sums stay in registers.
const VECTORS: usize = 4;

/// The pass along rows, of pixels of `CHANNELS` interleaved samples.
pub(super) struct Horizontal<'a, const CHANNELS: usize> {
    pub(super) coefficients: &'a Coefficients,
    pub(super) source: &'a [u8],
    pub(super) target: &'a mut [u8],
    pub(super) turned: &'a mut Turned,
}

/// The horizontal pass's buffers.
#[derive(Debug, Clone, Default)]
pub(super) struct Turned {
    /// [`LANES`] rows of the source; the first index is the sample's.
    source: Vec<[u8; LANES]>,
    /// The same of the target.
    target: Vec<[u8; LANES]>,
}

impl<const CHANNELS: usize> Pass for Horizontal<'_, CHANNELS> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let from = self.coefficients.source() * CHANNELS;
        let to = self.coefficients.target() * CHANNELS;
        let columns = buffer::first(&mut self.turned.source, from.next_multiple_of(LANES));
        let resized = buffer::first(&mut self.turned.target, to.next_multiple_of(LANES));
        let blocks = self.source.chunks(from * LANES).zip(self.target.chunks_mut(to * LANES));
        for (source, target) in blocks {
            turn_rows(lanes, source, from, columns);
            let (pixels, _) = columns.as_chunks::<CHANNELS>();
            let (targets, _) = resized.as_chunks_mut::<CHANNELS>();
            for (target, (start, weights)) in targets.iter_mut().zip(self.coefficients.windows()) {
                let mut sums = [lanes.zero(); CHANNELS];
                for (pixel, weight) in pixels[start..].iter().zip(weights) {
                    for (sums, samples) in sums.iter_mut().zip(pixel) {
                        *sums = lanes.add_products(*sums, lanes.load(samples), *weight);
                    }
                }
                for (target, sums) in target.iter_mut().zip(sums) {
                    *target = lanes.store(lanes.round(sums));
                }
            }
            turn_back(lanes, resized, target, to);
        }
    }
}

/// Turns up to [`LANES`] rows of `row` samples: `columns[x][y]` becomes sample x of row y. What is
/// beyond the rows has no meaning.
#[inline(always)]
fn turn_rows<L: Lanes>(lanes: L, rows: &[u8], row: usize, columns: &mut [[u8; LANES]]) {
    let last = rows.len() / row - 1;
    for (block, columns) in columns.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let start = block * LANES;
        let mut vectors = [lanes.load(&[0; LANES]); LANES];
        for (y, vector) in vectors.iter_mut().enumerate() {
            let from = &rows[y.min(last) * row + start..];
            *vector = match from.first_chunk() {
                Some(samples) => lanes.load(samples),
                None => lanes.load(&padded(from)),
            };
        }
        vectors = turn(lanes, vectors);
        for (column, vector) in columns.iter_mut().zip(vectors) {
            *column = lanes.store(vector);
        }
    }
}

/// The reverse of [`turn_rows`], into as many rows of `row` samples as `rows` holds.
#[inline(always)]
fn turn_back<L: Lanes>(lanes: L, columns: &[[u8; LANES]], rows: &mut [u8], row: usize) {
    for (block, columns) in columns.as_chunks::<LANES>().0.iter().enumerate() {
        let start = block * LANES;
        let mut vectors = [lanes.load(&[0; LANES]); LANES];
        for (vector, column) in vectors.iter_mut().zip(columns) {
            *vector = lanes.load(column);
        }
        vectors = turn(lanes, vectors);
        for (samples, vector) in rows.chunks_exact_mut(row).zip(vectors) {
            let found = lanes.store(vector);
            match samples[start..].first_chunk_mut() {
                Some(whole) => *whole = found,
                None => {
                    samples[start..].iter_mut().zip(found).for_each(|(to, from)| *to = from);
                }
            }
        }
    }
}

/// Exchanges lines and columns of 16 x 16 samples. Interleaving line i with line i + 8 turns the
/// digits of a sample's place, a number of eight binary digits, by one; four times exchanges the
/// line's with the column's.
#[inline(always)]
fn turn<L: Lanes>(lanes: L, mut lines: [L::Samples; LANES]) -> [L::Samples; LANES] {
    for _ in 0..LANES.ilog2() {
        let before = lines;
        for at in 0..LANES / 2 {
            let [first, second] = lanes.interleave(before[at], before[at + LANES / 2]);
            lines[2 * at] = first;
            lines[2 * at + 1] = second;
        }
    }
    lines
}

/// Fewer samples than a vector has, with zeros after them.
#[cold]
fn padded(samples: &[u8]) -> [u8; LANES] {
    let mut padded = [0; LANES];
    padded[..samples.len()].copy_from_slice(samples);
    padded
}

/// The pass along columns, of rows of `row` samples.
pub(super) struct Vertical<'a> {
    pub(super) coefficients: &'a Coefficients,
    pub(super) source: &'a [u8],
    pub(super) row: usize,
    pub(super) target: &'a mut [u8],
}

impl Pass for Vertical<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let row = self.row;
        let targets = self.target.chunks_exact_mut(row).zip(self.coefficients.windows());
        for (target, (start, weights)) in targets {
            let rows = || self.source[start * row..].chunks_exact(row).zip(weights);
            let (blocks, rest) = target.as_chunks_mut::<{ VECTORS * LANES }>();
            let whole = row - rest.len();
            for (block, target) in blocks.iter_mut().enumerate() {
                let at = block * VECTORS * LANES;
                let mut sums = [lanes.zero(); VECTORS];
                for (samples, weight) in rows() {
                    let (vectors, _) = samples[at..at + VECTORS * LANES].as_chunks();
                    for (sums, samples) in sums.iter_mut().zip(vectors) {
                        *sums = lanes.add_products(*sums, lanes.load(samples), *weight);
                    }
                }
                for (target, sums) in target.as_chunks_mut().0.iter_mut().zip(sums) {
                    *target = lanes.store(lanes.round(sums));
                }
            }
            for (block, target) in rest.chunks_mut(LANES).enumerate() {
                let at = whole + block * LANES;
                let mut sums = lanes.zero();
                for (samples, weight) in rows() {
                    let samples = match samples[at..].first_chunk() {
                        Some(whole) => lanes.load(whole),
                        None => lanes.load(&padded(&samples[at..])),
                    };
                    sums = lanes.add_products(sums, samples, *weight);
                }
                let found = lanes.store(lanes.round(sums));
                target.iter_mut().zip(found).for_each(|(to, from)| *to = from);
            }
        }
    }
}
