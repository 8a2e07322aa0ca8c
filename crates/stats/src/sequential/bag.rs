//! Scores whose ranks alone are asked for, in bounded memory.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How many scores have come into each cell of a grid: memory and time of a score do not grow with their number.
///
/// The grid is fixed before the first score, so that exchangeable scores fall into exchangeable cells; scores of one cell
/// tie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bag {
    /// Ascending; cell 0 is below the first, the last cell from the last on.
    edges: Vec<f64>,
    /// A Fenwick tree: element i is the sum of `i & −i` cells that end with cell i − 1.
    sums: Vec<u64>,
    total: u64,
}

impl Bag {
    /// An empty one over this grid.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless the edges are finite and strictly ascending.
    pub fn new(edges: Vec<f64>) -> Result<Self> {
        let ascend = edges.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascend || !edges.iter().all(|edge| edge.is_finite()) {
            let found = format!("{} edges that do not", edges.len());
            return Err(Error::invalid_argument("edges", "finite numbers that ascend", found));
        }
        let cells = edges.len() + 1;
        Ok(Self { edges, sums: vec![0; cells + 1], total: 0 })
    }

    /// How many scores have come.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Adds a score.
    pub fn insert(&mut self, score: f64) {
        let mut position = self.cell(score) + 1;
        while position < self.sums.len() {
            self.sums[position] += 1;
            position += position & position.wrapping_neg();
        }
        self.total += 1;
    }

    /// `(#{bag > s} + u · (#{bag = s} + 1)) / (n + 1)`, above 0.
    #[must_use]
    pub fn smoothed_p_value(&self, score: f64, tie_breaker: f64) -> f64 {
        let cell = self.cell(score);
        let (below, with) = (self.below(cell), self.below(cell + 1));
        let (greater, equal) = ((self.total - with) as f64, (with - below) as f64);
        let p = (greater + tie_breaker * (equal + 1.0)) / (self.total + 1) as f64;
        p.max(f64::MIN_POSITIVE)
    }

    fn cell(&self, score: f64) -> usize {
        self.edges.partition_point(|edge| *edge <= score)
    }

    /// How many are in the first `cells` cells.
    fn below(&self, cells: usize) -> u64 {
        let (mut position, mut sum) = (cells, 0);
        while position > 0 {
            sum += self.sums[position];
            position &= position - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_cells() {
        let mut bag = Bag::new(vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(bag.smoothed_p_value(5.0, 0.25), 0.25);
        for score in [0.5, 1.0, 1.9, 2.0, 7.0] {
            bag.insert(score);
        }
        assert_eq!((bag.len(), bag.is_empty()), (5, false));
        // Two in the cell of 1.5, two above it.
        assert_eq!(bag.smoothed_p_value(1.5, 0.5), (2.0 + 0.5 * 3.0) / 6.0);
        assert_eq!(bag.smoothed_p_value(-9.0, 0.0), 4.0 / 6.0);
        assert!(bag.smoothed_p_value(9.0, 0.0) > 0.0);
        assert!(Bag::new(vec![1.0, 1.0]).is_err() && Bag::new(vec![f64::NAN]).is_err());
        assert!(Bag::new(Vec::new()).is_ok());
    }
}
