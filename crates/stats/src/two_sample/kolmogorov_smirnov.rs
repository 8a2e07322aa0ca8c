//! The two-sample Kolmogorov–Smirnov test.
//!
//! With the empirical distribution functions `F_x` of n values and `F_y` of m values,
//!
//! ```text
//! D = max_t |F_x(t) − F_y(t)|
//! ```
//!
//! over all pooled values, equal values being stepped over together. `D · n · m` is an integer, which is
//! what is kept, so that no comparison below depends on rounding.
//!
//! Sources: Hodges, “The significance probability of the Smirnov two-sample test”, Arkiv för Matematik
//! 3(43), 1958, for the lattice paths; Schröer and Trenkler, “Exact and randomization distributions of
//! Kolmogorov–Smirnov tests for two or three samples”, Computational Statistics & Data Analysis 20(2),
//! 1995, for ties; Kolmogorov 1933 and Smirnov 1939 for the limit.

use std::f64::consts::PI;

use crate::error::{Error, Result};

/// Up to this many lattice points, n · m, [`KolmogorovSmirnov::p_value`] counts paths; that takes up to a
/// tenth of a second. Above it the limit is used, whose error falls with the root of the smaller sample.
const MAX_EXACT_POINTS: u64 = 100_000_000;

/// Two samples as far as the test sees them: their sizes, the statistic, and where values tie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KolmogorovSmirnov {
    n: u64,
    m: u64,
    /// `D · n · m`.
    scaled: u64,
    /// For t = 1 … n + m: whether the t-th and the next pooled value, ascending, differ. True at the end.
    distinct: Vec<bool>,
}

impl KolmogorovSmirnov {
    /// Compares `x` (n values) with `y` (m values).
    ///
    /// # Errors
    ///
    /// [`Error::SampleTooSmall`]; [`Error::NotFinite`] for a NaN or an infinity.
    pub fn new(x: &[f64], y: &[f64]) -> Result<Self> {
        check_sample("the first sample", x)?;
        check_sample("the second sample", y)?;
        let mut pooled: Vec<(f64, bool)> =
            x.iter().map(|&v| (v, true)).chain(y.iter().map(|&v| (v, false))).collect();
        pooled.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (n, m) = (x.len() as u64, y.len() as u64);
        let mut distinct = vec![true; pooled.len()];
        // i of x and j of y are at most the value at hand: i · m − j · n is n · m times the difference.
        let (mut above, mut below, mut scaled) = (0_u64, 0_u64, 0);
        for (position, &(value, is_x)) in pooled.iter().enumerate() {
            *(if is_x { &mut above } else { &mut below }) += if is_x { m } else { n };
            // `==`, not the total order: −0 and 0 are one value.
            #[expect(clippy::float_cmp, reason = "ties are equal values, to the bit")]
            let ties = pooled.get(position + 1).is_some_and(|next| next.0 == value);
            distinct[position] = !ties;
            if !ties {
                scaled = scaled.max(above.abs_diff(below));
            }
        }
        Ok(Self { n, m, scaled, distinct })
    }

    /// `D`, in [0, 1].
    #[must_use]
    pub fn statistic(&self) -> f64 {
        self.scaled as f64 / (self.n as f64 * self.m as f64)
    }

    /// Whether all pooled values are the same, so that no arrangement of them could tell the samples apart.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        !self.distinct[..self.distinct.len() - 1].contains(&true)
    }

    /// The exact permutation p-value given the ties: the share of the `C(n + m, n)` ways to call n of the
    /// pooled values `x` whose statistic is at least this one's. Takes O(n · m).
    #[must_use]
    pub fn p_exact(&self) -> f64 {
        self.probability_of_reaching()
    }

    /// The limit for large samples, `2 Σ_{k ≥ 1} (−1)^{k−1} exp(−2 k² z²)`, `z = D √(nm/(n + m))`; with
    /// ties it is too large.
    #[must_use]
    pub fn p_kolmogorov_limit(&self) -> f64 {
        let (n, m) = (self.n as f64, self.m as f64);
        kolmogorov_tail((n * m / (n + m)).sqrt() * self.statistic())
    }

    /// [`p_exact`](Self::p_exact) where [`is_exact`](Self::is_exact), else
    /// [`p_kolmogorov_limit`](Self::p_kolmogorov_limit).
    #[must_use]
    pub fn p_value(&self) -> f64 {
        if self.is_exact() { self.p_exact() } else { self.p_kolmogorov_limit() }
    }

    /// Whether [`p_value`](Self::p_value) counts paths: up to n · m = 10⁸.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.n.checked_mul(self.m).is_some_and(|points| points <= MAX_EXACT_POINTS)
    }

    /// The probability that a random path from (0, 0) to (n, m), all equally likely, has
    /// `|i · m − j · n| ≥ scaled` at some point (i, j) where no tie is cut: `distinct[i + j − 1]`.
    ///
    /// `C(n + m, n)` overflows from 1,030 values on, and 1 − (share of the paths that stay inside) loses
    /// all digits of a small p-value. So probabilities are followed instead of counts: from (i, j) a
    /// random path goes on to (i + 1, j) with probability (n − i)/(n + m − i − j); what first reaches the
    /// bound is taken out and summed up. Nothing is ever subtracted, so that the relative error stays
    /// near (n + m) roundings however small the result is.
    fn probability_of_reaching(&self) -> f64 {
        if self.scaled == 0 {
            return 1.0;
        }
        let Some(grid) = Grid::new(self.n, self.m, self.scaled) else { return f64::MIN_POSITIVE };
        // The smaller sample is the one that the vector runs over.
        let (short, long, steps) = (grid.short, grid.long, grid.short + grid.long);
        let mut probability = vec![0.0; short + 2];
        probability[0] = 1.0;
        let (mut low, mut high) = (0, 0);
        let mut reached = 0.0;
        for step in 1..=steps {
            let left = (steps - step + 1) as f64;
            // In place from above: point i comes from i (a step of the other sample) and from i − 1.
            high = (high + 1).min(short).min(step);
            low = low.max(step.saturating_sub(long));
            for i in (low..=high).rev() {
                let stayed = if step > i { (long + i + 1 - step) as f64 } else { 0.0 };
                let moved = if i > 0 { probability[i - 1] * (short + 1 - i) as f64 } else { 0.0 };
                probability[i] = (probability[i] * stayed + moved) / left;
            }
            if low > 0 {
                probability[low - 1] = 0.0;
            }
            if self.distinct[step - 1] {
                while low <= high && grid.is_reached(high, step) && grid.leads(high, step) {
                    reached += std::mem::take(&mut probability[high]);
                    // It is ahead, so that it has taken a step.
                    high -= 1;
                }
                while low <= high && grid.is_reached(low, step) {
                    reached += std::mem::take(&mut probability[low]);
                    low += 1;
                }
            }
            if low > high {
                break;
            }
        }
        // Underflow is for samples whose p-value is below 1e-300; none of them is 0.
        reached.clamp(f64::MIN_POSITIVE, 1.0)
    }
}

/// The lattice with the smaller sample first.
struct Grid {
    short: usize,
    long: usize,
    scaled: i128,
}

impl Grid {
    fn new(n: u64, m: u64, scaled: u64) -> Option<Self> {
        let short = usize::try_from(n.min(m)).ok()?;
        let long = usize::try_from(n.max(m)).ok()?;
        Some(Self { short, long, scaled: scaled.into() })
    }

    /// `i · long − j · short` with j = step − i.
    fn difference(&self, i: usize, step: usize) -> i128 {
        (i * (self.short + self.long)) as i128 - (step * self.short) as i128
    }

    fn is_reached(&self, i: usize, step: usize) -> bool {
        self.difference(i, step).abs() >= self.scaled
    }

    /// Whether the smaller sample is ahead.
    fn leads(&self, i: usize, step: usize) -> bool {
        self.difference(i, step) > 0
    }
}

/// `P(K > z)` of the Kolmogorov distribution, by the series that converges fast there.
fn kolmogorov_tail(z: f64) -> f64 {
    if z <= 0.0 {
        return 1.0;
    }
    let tail = if z < 1.0 {
        // 1 − (√(2π)/z) Σ exp(−(2k − 1)² π² / (8 z²)), the same function.
        let term = |k: i32| (-(f64::from(2 * k - 1) * PI / z).powi(2) / 8.0).exp();
        1.0 - (2.0 * PI).sqrt() / z * (1..=10).map(term).sum::<f64>()
    } else {
        let term = |k: i32| {
            let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
            sign * (-2.0 * (f64::from(k) * z).powi(2)).exp()
        };
        (1..=10).map(term).sum()
    };
    tail.clamp(f64::MIN_POSITIVE, 1.0)
}

fn check_sample(vector: &str, sample: &[f64]) -> Result<()> {
    if sample.is_empty() {
        return Err(Error::SampleTooSmall { sample: vector.to_owned(), required: 1, found: 0 });
    }
    match sample.iter().position(|value| !value.is_finite()) {
        Some(position) => {
            let (vector, value) = (vector.to_owned(), sample[position]);
            Err(Error::NotFinite { vector, position, value })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways to call n of the pooled values x, counted.
    fn by_enumeration(x: &[f64], y: &[f64]) -> f64 {
        let pooled: Vec<f64> = x.iter().chain(y).copied().collect();
        let observed = KolmogorovSmirnov::new(x, y).unwrap().scaled;
        let (mut all, mut at_least) = (0_u32, 0_u32);
        for mask in 0_u32..1 << pooled.len() {
            if mask.count_ones() as usize != x.len() {
                continue;
            }
            let side = |of_x: bool| -> Vec<f64> {
                let members = pooled.iter().enumerate();
                members.filter(|(i, _)| (mask >> i & 1 == 1) == of_x).map(|(_, v)| *v).collect()
            };
            all += 1;
            let permuted = KolmogorovSmirnov::new(&side(true), &side(false)).unwrap();
            at_least += u32::from(permuted.scaled >= observed);
        }
        f64::from(at_least) / f64::from(all)
    }

    #[test]
    fn exact_p_values_are_those_of_enumeration() {
        let cases: [(&[f64], &[f64]); 6] = [
            (&[0.0, 1.0, 2.0, 3.0], &[0.5, 1.5, 4.0, 5.0, 6.0]),
            (&[0.0, 0.0, 0.0, 1.0, 2.0], &[0.0, 1.0, 1.0, 2.0, 2.0, 2.0]),
            (&[1.0], &[2.0, 3.0, 4.0]),
            (&[5.0, 6.0, 7.0], &[1.0]),
            (&[0.0, 0.0, 3.0, 4.0, 5.0, 6.0], &[0.0, 0.0, -0.0]),
            (&[1.0, 1.0, 2.0], &[2.0, 2.0, 3.0, 3.0]),
        ];
        for (x, y) in cases {
            let expected = by_enumeration(x, y);
            for (x, y) in [(x, y), (y, x)] {
                let test = KolmogorovSmirnov::new(x, y).unwrap();
                let found = test.p_exact();
                assert!((found - expected).abs() < 1e-14, "{x:?} {y:?}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn tiny_p_values_keep_their_digits() {
        // Apart altogether: 2 of the C(2n, n) arrangements.
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        let y: Vec<f64> = (200..300).map(f64::from).collect();
        let log_ways: f64 = (1..=100).map(|k| (f64::from(100 + k) / f64::from(k)).ln()).sum();
        let expected = 2.0_f64.ln() - log_ways;
        let found = KolmogorovSmirnov::new(&x, &y).unwrap().p_exact().ln();
        assert!((found - expected).abs() < 1e-11, "{found} {expected}");
        let x: Vec<f64> = (0..2000).map(f64::from).collect();
        let y: Vec<f64> = (2000..4000).map(f64::from).collect();
        assert!(KolmogorovSmirnov::new(&x, &y).unwrap().p_exact() > 0.0);
    }

    #[test]
    fn both_series_of_the_limit_agree_where_they_meet() {
        let (below, above) = (kolmogorov_tail(1.0 - 1e-12), kolmogorov_tail(1.0));
        assert!((below - above).abs() < 1e-11, "{below} {above}");
        // Table 1 of Smirnov 1948: L(0.83) = 0.503 and L(1.36) = 0.951, rounded up and down.
        assert!((kolmogorov_tail(1.36) - 0.0494).abs() < 2e-4);
        assert!((kolmogorov_tail(0.83) - 0.4963).abs() < 2e-4);
        assert_eq!(kolmogorov_tail(0.01), 1.0);
    }

    #[test]
    fn large_samples_come_near_the_limit() {
        let x: Vec<f64> = (0..3000).map(f64::from).collect();
        let y: Vec<f64> = (0..2500).map(|i| 1.2 * f64::from(i) + 91.5).collect();
        let test = KolmogorovSmirnov::new(&x, &y).unwrap();
        let (exact, limit) = (test.p_value(), test.p_kolmogorov_limit());
        assert_eq!(exact, test.p_exact());
        assert!(test.is_exact());
        let x: Vec<f64> = (0..10_001).map(f64::from).collect();
        let larger = KolmogorovSmirnov::new(&x, &x).unwrap();
        assert!(!larger.is_exact());
        assert_eq!(larger.p_value(), larger.p_kolmogorov_limit());
        assert!((exact / limit - 1.0).abs() < 0.05, "{exact} {limit}");
    }

    #[test]
    fn equal_samples_have_p_1_and_no_sample_is_an_error() {
        let test = KolmogorovSmirnov::new(&[1.0, 1.0], &[1.0]).unwrap();
        assert_eq!((test.statistic(), test.p_value(), test.is_constant()), (0.0, 1.0, true));
        assert_eq!(KolmogorovSmirnov::new(&[], &[1.0]).unwrap_err().code(), "sample_too_small");
        assert_eq!(KolmogorovSmirnov::new(&[1.0], &[f64::NAN]).unwrap_err().code(), "not_finite");
    }
}
