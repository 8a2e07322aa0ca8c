//! Many tests at once: adjusted p-values.

/// Bonferroni: `min(1, K p_i)` for K tests. Rejecting where it is ≤ α, the probability of *any* false
/// rejection is at most α, however the tests depend on each other.
#[must_use]
pub fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    let tests = p_values.len() as f64;
    p_values.iter().map(|p| (tests * p).min(1.0)).collect()
}

/// Benjamini–Hochberg: with `p_(1) ≤ … ≤ p_(K)`, `q_(i) = min_{j ≥ i} min(1, K p_(j) / j)`, in the order
/// that was given. Rejecting where it is ≤ α, the expected *share* of false ones among the rejections is
/// at most α, for independent or positively dependent tests.
///
/// Source: Benjamini and Hochberg, “Controlling the false discovery rate”, JRSS B 57(1), 1995.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let tests = p_values.len() as f64;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut smallest = 1.0_f64;
    for (rank, &test) in order.iter().enumerate().rev() {
        smallest = smallest.min(tests * p_values[test] / (rank + 1) as f64);
        adjusted[test] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(bonferroni(&[0.5, 0.01, 0.0]), [1.0, 0.03, 0.0]);
        // 3 · 0.02 / 1 = 0.06, 3 · 0.03 / 2 = 0.045, 3 · 0.5 / 3 = 0.5.
        let adjusted = benjamini_hochberg(&[0.5, 0.02, 0.03]);
        for (found, expected) in adjusted.iter().zip([0.5, 0.045, 0.045]) {
            assert!((found - expected).abs() < 1e-15, "{adjusted:?}");
        }
        assert!(benjamini_hochberg(&[]).is_empty());
    }
}
