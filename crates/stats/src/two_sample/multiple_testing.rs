//! Many tests at once: adjusted p-values.

/// Bonferroni: `min(1, K p_i)` for K tests. Rejecting where it is ≤ α, the probability of *any* false
/// rejection is at most α, however the tests depend on each other.
#[must_use]
pub fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    let tests = p_values.len() as f64;
    p_values.iter().map(|p| (tests * p).min(1.0)).collect()
}
