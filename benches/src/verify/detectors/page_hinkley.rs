//! The Page–Hinkley test, with river's forgetting factor.

/// The directions that a [`PageHinkley`] signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A rise of the mean.
    Up,
    /// A fall of the mean.
    Down,
    /// Either.
    Both,
}

/// Signals when the sum of deviations from the running mean leaves its extreme by more than a threshold.
///
/// ```text
/// up_t = alpha·up_{t−1} + (x_t − mean_t) − delta,     signals when up_t − min up > threshold
/// down_t = alpha·down_{t−1} + (x_t − mean_t) + delta, signals when max down − down_t > threshold
/// ```
///
/// After a signal the next value begins a fresh test.
///
/// Source: Page 1954; as in river 0.23, `drift.PageHinkley`, whose `max down` begins at −1.
#[derive(Debug, Clone, PartialEq)]
pub struct PageHinkley {
    /// Values before which nothing is signaled.
    pub min_instances: u64,
    /// Deviations that are tolerated.
    pub delta: f64,
    /// The threshold, often called lambda.
    pub threshold: f64,
    /// The forgetting factor of the sums.
    pub alpha: f64,
    /// What is signaled.
    pub direction: Direction,
    state: State,
}

#[derive(Debug, Clone, PartialEq)]
struct State {
    count: u64,
    mean: f64,
    sum_up: f64,
    sum_down: f64,
    lowest: f64,
    highest: f64,
    signaled: bool,
}

impl State {
    const FRESH: Self = Self {
        count: 0,
        mean: 0.0,
        sum_up: 0.0,
        sum_down: 0.0,
        lowest: f64::INFINITY,
        highest: -1.0,
        signaled: false,
    };
}

impl Default for PageHinkley {
    /// River's defaults.
    fn default() -> Self {
        Self::new(30, 0.005, 50.0, 0.9999, Direction::Both)
    }
}

impl PageHinkley {
    /// With these parameters, before the first value.
    #[must_use]
    pub fn new(
        min_instances: u64,
        delta: f64,
        threshold: f64,
        alpha: f64,
        direction: Direction,
    ) -> Self {
        Self { min_instances, delta, threshold, alpha, direction, state: State::FRESH }
    }

    /// Takes a value, and says whether it signals.
    pub fn observe(&mut self, value: f64) -> bool {
        let state = &mut self.state;
        if state.signaled {
            *state = State::FRESH;
        }
        state.count += 1;
        state.mean += (value - state.mean) / state.count as f64;
        let deviation = value - state.mean;
        state.sum_up = self.alpha * state.sum_up + deviation - self.delta;
        state.sum_down = self.alpha * state.sum_down + deviation + self.delta;
        state.lowest = state.lowest.min(state.sum_up);
        state.highest = state.highest.max(state.sum_down);
        let up = state.sum_up - state.lowest > self.threshold;
        let down = state.highest - state.sum_down > self.threshold;
        let wanted = match self.direction {
            Direction::Up => up,
            Direction::Down => down,
            Direction::Both => up || down,
        };
        state.signaled = wanted && state.count >= self.min_instances;
        state.signaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first signal among a hundred zeros and then ones.
    fn first(direction: Direction, values: [f64; 2]) -> Option<usize> {
        let mut detector = PageHinkley::new(30, 0.005, 5.0, 1.0, direction);
        (0..200).find(|i| detector.observe(values[usize::from(*i >= 100)]))
    }

    #[test]
    fn rises_and_falls_are_told_apart() {
        assert!(first(Direction::Up, [0.0, 1.0]).is_some_and(|i| i > 100 && i < 120));
        assert_eq!(first(Direction::Down, [0.0, 1.0]), None);
        assert!(first(Direction::Down, [1.0, 0.0]).is_some_and(|i| i > 100 && i < 120));
        assert_eq!(first(Direction::Up, [1.0, 0.0]), None);
        assert!(first(Direction::Both, [0.0, 1.0]).is_some());
    }
}
