//! From values to places.

/// Ticks that are wanted, about.
const TICKS: f64 = 5.0;

/// A straight or logarithmic scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// Values from `low` to `high` to places from `from` to `to`; wider where there is but one value.
    pub fn straight([low, high]: [f64; 2], [from, to]: [f64; 2]) -> Self {
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        Self { low, high, from, to, is_logarithmic: false }
    }

    /// Values above 0.
    pub fn logarithmic([low, high]: [f64; 2], places: [f64; 2]) -> Self {
        let exponents = [low.max(1e-300).log10(), high.max(1e-300).log10()];
        Self { is_logarithmic: true, ..Self::straight(exponents, places) }
    }

    /// The place of a value; of one beyond the ends, the end.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.is_logarithmic { value.max(1e-300).log10() } else { value };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// Round values between the ends.
    pub fn ticks(&self) -> Vec<f64> {
        let span = self.high - self.low;
        if self.is_logarithmic {
            let every = (span / TICKS).ceil().max(1.0);
            return steps(self.low, self.high, every)
                .map(|exponent| 10_f64.powf(exponent))
                .collect();
        }
        let power = 10_f64.powf((span / TICKS).log10().floor());
        let nice = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
        let step = nice.into_iter().find(|step| span / step <= TICKS).unwrap_or(power * 10.0);
        steps(self.low, self.high, step).collect()
    }
}

/// Multiples of `step` from `low` to `high`.
fn steps(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-9).ceil();
    (0..100)
        .map(move |i| (first + f64::from(i)) * step)
        .take_while(move |at| *at <= high + 1e-9 * step)
}

/// A number with no more digits than it takes.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        return format!("{value:.0e}");
    }
    let decimals = if size >= 100.0 || size == 0.0 {
        0
    } else if size >= 1.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_within() {
        for [low, high] in
            [[0.0, 1.0], [0.0, 0.037], [-3.0, 12.0], [0.08, 0.19], [5.0, 5.0], [0.0, 1e9]]
        {
            let scale = Scale::straight([low, high], [0.0, 100.0]);
            let ticks = scale.ticks();
            assert!((2..=7).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(ticks.iter().all(|tick| (0.0..=100.0).contains(&scale.at(*tick))));
        }
        let powers = Scale::logarithmic([0.1, 1e4], [100.0, 0.0]).ticks();
        assert_eq!(
            powers.iter().map(|tick| number(*tick)).collect::<Vec<_>>(),
            ["0.1", "1", "10", "100", "1000", "10000"]
        );
        assert!(Scale::logarithmic([1e-3, 2e100], [100.0, 0.0]).ticks().len() < 8);
    }

    #[test]
    fn places_are_between_the_ends_whatever_comes() {
        let scale = Scale::straight([0.0, 2.0], [10.0, 20.0]);
        assert_eq!(
            [-5.0, 0.0, 1.0, 2.0, 9.0].map(|value| scale.at(value)),
            [10.0, 10.0, 15.0, 20.0, 20.0]
        );
        assert_eq!(Scale::logarithmic([1.0, 100.0], [0.0, 2.0]).at(0.0), 0.0);
    }

    #[test]
    fn numbers_have_the_digits_that_they_need() {
        let cases = [
            (0.0, "0"),
            (0.05, "0.05"),
            (0.2, "0.2"),
            (12.0, "12"),
            (1.25, "1.25"),
            (2e100, "2e100"),
            (1e-7, "1e-7"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }
}
