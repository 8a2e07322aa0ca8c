//! A number of each group, ranked among those of the calibration and of all groups before it: a conformal test
//! martingale for each direction.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use sdd_stats::MAX_COUNT;
use sdd_stats::sequential::evidence::log_sum;
use sdd_stats::sequential::{Bag, Evidence};

use crate::sample::SIZES;

/// Bettors in each direction.
pub(crate) const BETTORS: usize = 20;

/// Cells of a grid for numbers in spreads from a middle: fine around it, coarser the farther away.
const CELLS: usize = 256;
const FIRST: f64 = -4.5;
const CELLS_A_UNIT: f64 = 24.0;

/// A grid that numbers are put on before they are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grid {
    /// For numbers in spreads from a middle.
    Spreads,
    /// For shares.
    Shares,
}

impl Grid {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a few hundred"
    )]
    fn cell(self, value: f64) -> usize {
        let (place, cells) = match self {
            // −45 to 900 spreads: nothing beyond is told apart.
            Self::Spreads => ((value.asinh() - FIRST) * CELLS_A_UNIT, CELLS),
            Self::Shares => {
                (value * SIZES[SIZES.len() - 1] as f64 + 0.5, SIZES[SIZES.len() - 1] + 1)
            }
        };
        place.clamp(0.0, (cells - 1) as f64) as usize
    }

    fn cells(self) -> usize {
        match self {
            Self::Spreads => CELLS,
            Self::Shares => SIZES[SIZES.len() - 1] + 1,
        }
    }
}

/// What is remembered of the groups, and what was won by betting that they are greater, or less, than those before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RankTest {
    /// For each of the [`SIZES`], as far as any group went.
    bags: Vec<Bag>,
    pub greater: Evidence,
    pub less: Evidence,
}

impl RankTest {
    /// Before the first group of the stream: `calibration` has the means of each group over its first 1, 2, 4 … images.
    pub fn new<'a>(grid: Grid, calibration: impl Iterator<Item = &'a Vec<f64>>) -> Self {
        let mut test = Self {
            bags: Vec::new(),
            greater: Evidence::new(BETTORS),
            less: Evidence::new(BETTORS),
        };
        calibration.for_each(|means| test.insert(grid, means));
        // A size that few groups of the calibration have says little: larger groups are compared by fewer images.
        let most = test.bags.first().map_or(0, Bag::len);
        test.bags.retain(|bag| 2 * bag.len() >= most);
        test
    }

    /// Takes a group by its means, where it has any that the calibration has, too. `tolerance` is by how much it may be
    /// greater, or less, before that counts.
    pub fn observe(&mut self, grid: Grid, means: &[f64], tolerance: f64, random: &mut Rng) {
        let tie_breaker = random.f64();
        let size = means.len().min(self.bags.len());
        if let Some(size) = size.checked_sub(1) {
            let (bag, mean) = (&self.bags[size], means[size]);
            // With a tolerance these p-values are too large where nothing has changed: that errs on the safe side.
            let greater = bag.p_value_of_greater(grid.cell(mean - tolerance), tie_breaker);
            let less = bag.p_value_of_less(grid.cell(mean + tolerance), tie_breaker);
            self.greater.bet_on_p_value(greater);
            self.less.bet_on_p_value(less);
            self.insert(grid, &means[..=size]);
        }
    }

    fn insert(&mut self, grid: Grid, means: &[f64]) {
        if self.bags.len() < means.len() {
            self.bags.resize(means.len(), Bag::default());
        }
        for (bag, mean) in self.bags.iter_mut().zip(means) {
            bag.insert(grid.cell(*mean));
        }
    }

    /// The logarithms of R and M, where a share of the stake is on "less".
    pub fn log_evidence(&self, share_on_less: f64) -> (f64, f64) {
        let both = |of: fn(&Evidence) -> f64| {
            let parts = [(of(&self.greater), 1.0 - share_on_less), (of(&self.less), share_on_less)];
            log_sum(parts.into_iter())
        };
        (both(Evidence::log_shiryaev_roberts), both(Evidence::log_martingale))
    }

    /// Whether greater is what the evidence is for.
    pub fn is_greater(&self) -> bool {
        self.greater.log_shiryaev_roberts() >= self.less.log_shiryaev_roberts()
    }

    /// Whether a stream may lead to it.
    pub fn is_sound(&self, grid: Grid) -> bool {
        let is_evidence =
            |evidence: &Evidence| evidence.bettors() == BETTORS && evidence.is_sound();
        let is_bag = |bag: &Bag| {
            let sum = bag.counts().iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
            bag.counts().len() <= grid.cells() && sum.is_some_and(|sum| sum <= MAX_COUNT)
        };
        is_evidence(&self.greater)
            && is_evidence(&self.less)
            && self.bags.len() <= SIZES.len()
            && self.bags.iter().all(is_bag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_ascend_with_their_numbers_and_have_ends() {
        let numbers = [f64::NEG_INFINITY, -1e9, -3.0, -0.1, 0.0, 0.1, 2.0, 40.0, 500.0, 1e9];
        let cells = numbers.map(|number| Grid::Spreads.cell(number));
        assert!(cells.is_sorted() && cells[3] < cells[4] && cells[7] < cells[8], "{cells:?}");
        assert_eq!((cells[0], cells[9]), (0, CELLS - 1));
        for (part, of) in [(0_u16, 1), (1, 1), (3, 4), (5, 8), (31, 32)] {
            assert_eq!(
                Grid::Shares.cell(f64::from(part) / f64::from(of)),
                usize::from(part * 32 / of)
            );
        }
        assert_eq!(Grid::Spreads.cell(f64::NAN), 0);
    }
}
