//! Random relabelings, from a seed.

use fastrand::Rng;

/// Calls `chosen` of `of` current, as often as asked for: all ways are equally likely.
pub(super) fn draw(of: usize, chosen: usize, times: usize, random: &mut Rng) -> Vec<Vec<bool>> {
    let mut relabeling = Relabeling::new((0..of).collect::<Vec<_>>(), chosen);
    let draw = |_| {
        let mut is_current = vec![false; of];
        relabeling.draw(random).iter().for_each(|&row| is_current[row] = true);
        is_current
    };
    (0..times).map(draw).collect()
}

/// `(1 + #{b : permuted_b ≥ observed}) / (B + 1)`, in (0, 1]; exact for exchangeable samples however few
/// permutations there are. What is smaller by rounding alone counts as equal.
///
/// Source: Phipson and Smyth, “Permutation p-values should never be zero”, SAGMB 9(1), 2010.
#[must_use]
pub fn permutation_p_value(observed: f64, permuted: &[f64]) -> f64 {
    let slack = 1e-12 * observed.abs().max(1.0);
    let at_least = permuted.iter().filter(|value| **value >= observed - slack).count();
    (1 + at_least) as f64 / (permuted.len() + 1) as f64
}

/// Draws `chosen` of what is pooled, all ways equally likely.
pub(crate) struct Relabeling<T> {
    pooled: Vec<T>,
    chosen: usize,
}

impl<T> Relabeling<T> {
    pub(crate) fn new(pooled: Vec<T>, chosen: usize) -> Self {
        Self { pooled, chosen }
    }

    /// In no particular order. A shuffle of whatever order the last one left is as good.
    pub(crate) fn draw(&mut self, random: &mut Rng) -> &[T] {
        for position in 0..self.chosen {
            let other = random.usize(position..self.pooled.len());
            self.pooled.swap(position, other);
        }
        &self.pooled[..self.chosen]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_never_0_and_count_equals() {
        assert_eq!(permutation_p_value(1.0, &[0.0, 0.5]), 1.0 / 3.0);
        assert_eq!(permutation_p_value(0.5, &[0.0, 0.5 - 1e-15]), 2.0 / 3.0);
        assert_eq!(permutation_p_value(f64::MAX, &[]), 1.0);
    }

    #[test]
    fn every_choice_is_as_likely() {
        let (mut relabeling, mut random) =
            (Relabeling::new(vec![0, 1, 2, 3, 4], 2), Rng::with_seed(1));
        let mut counts = [[0_u32; 5]; 5];
        for _ in 0..20_000 {
            let chosen = relabeling.draw(&mut random);
            let (a, b): (usize, usize) = (chosen[0].min(chosen[1]), chosen[0].max(chosen[1]));
            counts[a][b] += 1;
        }
        for (a, row) in counts.iter().enumerate() {
            for (b, count) in row.iter().enumerate() {
                // 10 pairs; 2000 each, with a standard deviation of 42.
                assert!(if a < b { count.abs_diff(2000) < 200 } else { *count == 0 });
            }
        }
    }
}
