//! The rank of a new score among all that came before, in memory that does not grow with their number.
//!
//! What is kept is how many scores came into each cell of a grid. The grid is fixed before the first score, so that
//! exchangeable scores fall into exchangeable cells; scores of one cell tie.

use serde::{Deserialize, Serialize};

/// How many scores have come into each cell, cells numbered from 0. Stored as these counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bag {
    counts: Vec<u64>,
}

impl Bag {
    /// How many scores have come.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells from 0 to the last one that a score has come into.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Adds a score by its cell. Takes memory for all cells up to it.
    pub fn insert(&mut self, cell: usize) {
        if self.counts.len() <= cell {
            self.counts.resize(cell + 1, 0);
        }
        self.counts[cell] += 1;
    }

    /// `(#{bag > s} + u · (#{bag = s} + 1)) / (n + 1)` of a score in this cell, in (0, 1]: small for a score that is
    /// greater than most. `tie_breaker` is u, uniform in [0, 1).
    #[must_use]
    pub fn p_value_of_greater(&self, cell: usize, tie_breaker: f64) -> f64 {
        let above = self.counts.get(cell + 1..).map_or(0, |above| above.iter().sum());
        self.p_value(above, cell, tie_breaker)
    }

    /// `(#{bag < s} + (1 − u) · (#{bag = s} + 1)) / (n + 1)`, small for a score that is less than most: 1 less the other
    /// one.
    #[must_use]
    pub fn p_value_of_less(&self, cell: usize, tie_breaker: f64) -> f64 {
        let below = self.counts.iter().take(cell).sum();
        self.p_value(below, cell, 1.0 - tie_breaker)
    }

    fn p_value(&self, beyond: u64, cell: usize, share_of_ties: f64) -> f64 {
        let equal = self.counts.get(cell).copied().unwrap_or(0) as f64;
        let p = (beyond as f64 + share_of_ties * (equal + 1.0)) / (self.len() + 1) as f64;
        p.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_cells() {
        let mut bag = Bag::default();
        assert_eq!((bag.is_empty(), bag.p_value_of_greater(5, 0.25)), (true, 0.25));
        for cell in [0, 1, 1, 2, 3] {
            bag.insert(cell);
        }
        assert_eq!((bag.len(), bag.counts()), (5, [1, 2, 1, 1].as_slice()));
        assert_eq!(bag.p_value_of_greater(1, 0.5), (2.0 + 0.5 * 3.0) / 6.0);
        assert_eq!(bag.p_value_of_less(1, 0.5), (1.0 + 0.5 * 3.0) / 6.0);
        assert!(bag.p_value_of_greater(9, 0.0) > 0.0);
        for cell in 0..6 {
            let both = bag.p_value_of_greater(cell, 0.3) + bag.p_value_of_less(cell, 0.3);
            assert!((both - 1.0).abs() < 1e-15, "{cell}");
        }
        let stored = serde_json::to_string(&bag).unwrap();
        assert_eq!(stored, "[1,2,1,1]");
        assert_eq!(serde_json::from_str::<Bag>(&stored).unwrap(), bag);
    }
}
