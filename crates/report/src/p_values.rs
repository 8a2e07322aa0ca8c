//! The p-values of a stream against those that images without drift would have.

use serde::Serialize;

use sdd_drift::Calibration;
use sdd_monitor::SeriesPoint;
use sdd_stats::conformal::{PValueKind, PValueWithin};

/// Bins of the histogram.
const BINS: usize = 20;

/// p-values counted in bins of equal width.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftPValueHistogram))]
pub struct PValueHistogram {
    /// Images that have one.
    pub images: u64,
    /// How many are in each twentieth of (0, 1], from the smallest on.
    pub counts: Vec<u64>,
    /// How many would be, without drift.
    pub expected: Vec<f64>,
    /// Two standard deviations of that, the calibration's own chance included.
    pub deviation: Vec<f64>,
    /// Whether p-values would be uniform without drift: those of a guarantee given the calibration are larger.
    pub is_uniform_without_drift: bool,
}

impl PValueHistogram {
    /// `None` where no image has a p-value.
    pub(super) fn of(images: &[SeriesPoint], calibration: Option<&Calibration>) -> Option<Self> {
        let calibration = calibration?;
        let p_values: Vec<f64> = images.iter().filter_map(|image| image.p_value).collect();
        if p_values.is_empty() {
            return None;
        }
        let mut counts = vec![0; BINS];
        for p in &p_values {
            counts[bin(*p)] += 1;
        }
        let shares = shares(calibration);
        let n = p_values.len() as f64;
        // Groups count, where images have them.
        let calibrated = calibration.groups().unwrap_or(calibration.images()) as f64;
        // Beta-binomial: the share of a bin was drawn once, with the calibration.
        let variance =
            |share: &f64| n * share * (1.0 - share) * (1.0 + (n - 1.0) / (calibrated + 2.0));
        Some(Self {
            images: p_values.len() as u64,
            counts,
            expected: shares.iter().map(|share| n * share).collect(),
            deviation: shares.iter().map(|share| 2.0 * variance(share).sqrt()).collect(),
            is_uniform_without_drift: calibration.rule().p_value == PValueKind::Marginal,
        })
    }
}

/// The bin of a p-value in (0, 1]: its upper end belongs to it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 20")]
fn bin(p: f64) -> usize {
    // So that 0.05, as 1/20, 2/40 … come out of divisions, is where it belongs.
    let position = (p * BINS as f64 * (1.0 - 1e-12)).floor();
    (position as usize).min(BINS - 1)
}

/// The share of each bin without drift: conformal p-values are multiples of 1/(n + 1), each as likely.
fn shares(calibration: &Calibration) -> Vec<f64> {
    let n = calibration.images();
    let rule = calibration.rule();
    if rule.p_value != PValueKind::Marginal
        || rule.within != PValueWithin::All
        || calibration.groups().is_some()
    {
        return vec![1.0 / BINS as f64; BINS];
    }
    let mut shares = vec![0.0; BINS];
    for rank in 1..=n + 1 {
        shares[bin(rank as f64 / (n + 1) as f64)] += 1.0 / (n + 1) as f64;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_has_its_upper_end() {
        assert_eq!(
            [1e-9, 0.05, 1.0 / 20.0, 3.0 / 60.0, 0.0500001, 0.1, 1.0].map(bin),
            [0, 0, 0, 0, 1, 1, 19]
        );
        for n in 1..=400_usize {
            let ranks = (1..=n).filter(|rank| bin(*rank as f64 / n as f64) == 0).count();
            assert_eq!(ranks, n / 20, "{n}");
        }
    }
}
