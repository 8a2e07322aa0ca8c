//! Nearest neighbors without an index, in two ways.

use ndarray::{ArrayView1, ArrayView2, Axis};

/// A row and its squared Euclidean distance.
pub type Neighbor = (usize, f32);

/// As one writes it with arrays: all N x D differences in memory, squared, summed, fully sorted.
///
/// Ascending by (distance, row).
pub fn naive(rows: ArrayView2<'_, f32>, query: ArrayView1<'_, f32>, k: usize) -> Vec<Neighbor> {
    let differences = &rows - &query;
    let squares = differences.mapv_into(|x| x * x);
    let distances = squares.sum_axis(Axis(1));
    let mut order: Vec<usize> = (0..distances.len()).collect();
    order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
    order.into_iter().take(k).map(|row| (row, distances[row])).collect()
}

/// One pass over the rows that keeps the `k` nearest so far, with AVX2 where there is AVX2.
///
/// Ascending by (distance, row).
///
/// # Panics
///
/// If the rows or the query do not lie contiguously in memory.
pub fn fused(rows: ArrayView2<'_, f32>, query: ArrayView1<'_, f32>, k: usize) -> Vec<Neighbor> {
    let scan = Scan {
        rows: rows.to_slice().expect("contiguous rows"),
        query: query.to_slice().expect("a contiguous query"),
        k,
    };
    // The level that FAISS is compiled for, so that the loops and not the instructions compare.
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = pulp::x86::V3::try_new() {
        return avx2.vectorize(scan);
    }
    scan.run()
}

struct Scan<'a> {
    rows: &'a [f32],
    query: &'a [f32],
    k: usize,
}

impl pulp::NullaryFnOnce for Scan<'_> {
    type Output = Vec<Neighbor>;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "compiled once for each instruction set of its caller"
    )]
    fn call(self) -> Self::Output {
        self.run()
    }
}

impl Scan<'_> {
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "compiled once for each instruction set of its caller"
    )]
    fn run(self) -> Vec<Neighbor> {
        let mut nearest: Vec<Neighbor> = Vec::with_capacity(self.k + 1);
        let mut bound = f32::INFINITY;
        for (row, values) in self.rows.chunks_exact(self.query.len()).enumerate() {
            let distance = squared_distance(values, self.query);
            if distance < bound || nearest.len() < self.k {
                let place = nearest.partition_point(|(_, other)| *other <= distance);
                nearest.insert(place, (row, distance));
                nearest.truncate(self.k);
                if nearest.len() == self.k {
                    bound = nearest.last().map_or(f32::INFINITY, |(_, farthest)| *farthest);
                }
            }
        }
        nearest
    }
}

/// Independent partial sums let the compiler use whole vector registers, several at a time.
const LANES: usize = 32;

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled once for each instruction set of its caller")]
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| (x - y) * (x - y)).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use sdd_index::FlatIndex;

    /// Small whole numbers: distances are exact, and many tie.
    fn whole_numbers(seed: u32, count: usize, dimension: usize) -> Array2<f32> {
        let mut state = seed;
        Array2::from_shape_simple_fn((count, dimension), || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u8::try_from(state >> 30).expect("two bits"))
        })
    }

    #[test]
    fn both_ways_find_what_faiss_finds() {
        for (count, dimension) in [(1, 1), (5, 3), (200, 7), (300, 33), (50, 512)] {
            let rows = whole_numbers(7, count, dimension);
            let queries = whole_numbers(8, 5, dimension);
            let index = FlatIndex::from_rows(rows.view()).unwrap();
            for k in [1, 3, 10] {
                let found = index.search(queries.view(), k).unwrap();
                for (query, found) in queries.outer_iter().zip(found) {
                    let found: Vec<Neighbor> =
                        found.iter().map(|n| (n.row, n.distance_squared)).collect();
                    assert_eq!(
                        naive(rows.view(), query, k),
                        found,
                        "{count} x {dimension}, k = {k}"
                    );
                    assert_eq!(
                        fused(rows.view(), query, k),
                        found,
                        "{count} x {dimension}, k = {k}"
                    );
                }
            }
        }
    }
}
