//! From values to places along a chart's axis.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

/// Where an axis has its numbers, and with that its scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticks {
    /// Logarithmic, at each value that a point has.
    Values,
    /// Logarithmic, at powers of ten.
    Decades,
    /// Linear from 0, at round numbers.
    Even,
}

/// One axis: what it reaches over, and where its numbers stand.
pub(super) struct Scale {
    logarithmic: bool,
    range: Range<f64>,
    ticks: Vec<f64>,
}

impl Scale {
    /// An axis for all of the values; `None` where there are none, or not all are above 0.
    pub(super) fn of(ticks: Ticks, values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (low, high) = (*values.first()?, *values.last()?);
        if !(low > 0.0 && high.is_finite()) {
            return None;
        }
        let (range, ticks) = match ticks {
            Ticks::Values => (low / 1.3..high * 1.3, values),
            Ticks::Decades => {
                let powers = powers_of_ten(low, high);
                (*powers.first()?..*powers.last()?, powers)
            }
            Ticks::Even => {
                let numbers = round_numbers(high);
                return Some(Self {
                    logarithmic: false,
                    range: 0.0..*numbers.last()?,
                    ticks: numbers,
                });
            }
        };
        Some(Self { logarithmic: true, range, ticks })
    }

    fn place(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let Range { start, end } = self.range;
        let places = RangedCoordf64::from(self.place(start)..self.place(end));
        places.map(&self.place(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Those from `low` or below to `high` or above.
fn powers_of_ten(low: f64, high: f64) -> Vec<f64> {
    let (start, end) = (10_f64.powf(low.log10().floor()), 10_f64.powf(high.log10().ceil()));
    std::iter::successors(Some(start), |power| Some(power * 10.0))
        .take_while(|power| *power <= end * 1.001)
        .collect()
}

/// From 0 to `high` or a little above, in 4 to 8 steps of 1, 2 or 5 times a power of ten.
fn round_numbers(high: f64) -> Vec<f64> {
    let decade = 10_f64.powf(high.log10().floor());
    let steps = [0.1, 0.2, 0.5, 1.0].map(|factor| factor * decade);
    let step = steps.into_iter().find(|step| high / step <= 8.0).unwrap_or(2.0 * decade);
    let end = (high / step).ceil() * step;
    std::iter::successors(Some(0.0), |at| Some(at + step))
        .take_while(|at| *at <= end + step / 2.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_axis_begins_at_0_and_ends_at_a_round_number() {
        for (high, steps, end) in
            [(103.0, 6, 120.0), (80.0, 8, 80.0), (9.5, 5, 10.0), (0.034, 7, 0.035)]
        {
            let numbers = round_numbers(high);
            assert!((numbers.len() - 1, numbers[0]) == (steps, 0.0), "{high}: {numbers:?}");
            assert!((numbers[steps] - end).abs() < 1e-9, "{high}: {numbers:?}");
        }
    }

    #[test]
    fn a_logarithmic_axis_gives_each_decade_the_same_room() {
        let scale = Scale::of(Ticks::Decades, [0.02, 3.0].into_iter()).unwrap();
        assert_eq!(scale.key_points(4).len(), 4);
        let places = [0.01, 0.1, 1.0, 10.0].map(|value| scale.map(&value, (0, 300)));
        assert_eq!(places, [0, 100, 200, 300]);
        assert!(Scale::of(Ticks::Decades, [0.0, 1.0].into_iter()).is_none());
        assert!(Scale::of(Ticks::Even, std::iter::empty()).is_none());
    }
}
