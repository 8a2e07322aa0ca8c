//! What a box plot draws: quartiles, whiskers, mean and fliers, as matplotlib has them.

use serde::Serialize;

use crate::error::{Error, Result};

/// The numbers of one box.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BoxPlot {
    /// How many values there were.
    pub count: usize,
    /// The first quartile.
    pub q1: f64,
    /// The median.
    pub median: f64,
    /// The third quartile.
    pub q3: f64,
    /// `q3 − q1`.
    pub iqr: f64,
    /// The smallest value that is at least `q1 − 1.5·iqr`, but `q1` where that lies above it.
    pub whisker_low: f64,
    /// The largest value that is at most `q3 + 1.5·iqr`, but `q3` where that lies below it.
    pub whisker_high: f64,
    /// The mean.
    pub mean: f64,
    /// The values beyond the whiskers in the order given: first those below, then those above.
    pub fliers: Vec<f64>,
}

impl BoxPlot {
    /// Of finite values, at least one. Quartiles are interpolated linearly: the quantile p is at the position
    /// `(n − 1)·p` of the ascending values.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there is no value, or one is NaN or infinite.
    pub fn new(values: &[f64]) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::invalid_argument("values", "at least one number", "none"));
        }
        if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::invalid_argument("values", "finite numbers", bad));
        }
        let mut ascending = values.to_vec();
        ascending.sort_unstable_by(f64::total_cmp);
        let [q1, median, q3] = [0.25, 0.5, 0.75].map(|p| quantile(&ascending, p));
        let iqr = q3 - q1;
        let (lowest, highest) = (q1 - 1.5 * iqr, q3 + 1.5 * iqr);
        let inside = |value: &&f64| (lowest..=highest).contains(*value);
        let whisker_low = ascending.iter().find(inside).map_or(q1, |low| low.min(q1));
        let whisker_high = ascending.iter().rfind(inside).map_or(q3, |high| high.max(q3));
        let below = values.iter().filter(|value| **value < whisker_low);
        let above = values.iter().filter(|value| **value > whisker_high);
        Ok(Self {
            count: values.len(),
            q1,
            median,
            q3,
            iqr,
            whisker_low,
            whisker_high,
            mean: mean(values),
            fliers: below.chain(above).copied().collect(),
        })
    }
}

/// By linear interpolation between neighbors of at least one ascending value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the position is within the values"
)]
fn quantile(ascending: &[f64], p: f64) -> f64 {
    let position = (ascending.len() - 1) as f64 * p;
    let (below, share) = (position.floor() as usize, position.fract());
    let low = ascending[below];
    let high = ascending[(below + 1).min(ascending.len() - 1)];
    // From the nearer end, as numpy does: a whisker that just reaches a value must not miss it by a rounding.
    if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
}

/// Around the first value, so that large equal values keep their digits.
fn mean(values: &[f64]) -> f64 {
    let base = values[0];
    base + values.iter().map(|value| value - base).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_its_own_box() {
        let plot = BoxPlot::new(&[3.5]).unwrap();
        assert_eq!([plot.q1, plot.median, plot.q3, plot.mean], [3.5; 4]);
        assert_eq!((plot.whisker_low, plot.whisker_high, plot.fliers.len()), (3.5, 3.5, 0));
    }

    #[test]
    fn fliers_are_in_the_order_given_the_low_ones_first() {
        let values = [90.0, 1.0, 2.0, -50.0, 3.0, 80.0, 2.0, 1.0, 3.0, 2.0, -60.0, 2.0, 2.0, 1.0];
        let plot = BoxPlot::new(&values).unwrap();
        assert_eq!(plot.fliers, [-50.0, -60.0, 90.0, 80.0]);
        assert_eq!((plot.whisker_low, plot.whisker_high), (1.0, 3.0));
    }

    #[test]
    fn nothing_and_what_is_not_finite_is_refused() {
        for values in [&[] as &[f64], &[1.0, f64::NAN], &[f64::INFINITY]] {
            assert!(BoxPlot::new(values).is_err());
        }
    }
}
