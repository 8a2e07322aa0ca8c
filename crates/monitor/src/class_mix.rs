//! The mix of predicted classes in a window, against that of the calibration images.

use std::collections::BTreeMap;

use super::plan::Tests;
use super::terms::INTERVAL_ALPHA;
use crate::error::Result;
use sdd_stats::contingency::ContingencyTest;
use sdd_stats::contingency::MIN_EXPECTED;
use sdd_stats::distributions::chi_square_upper_tail;

/// Permutations behind a p-value where counts are small, at the usual sizes of the test and at most: it happens while
/// an answer waits.
const PERMUTATIONS: [u32; 2] = [1_999, 19_999];

/// Images in the smaller row beyond which there are fewer of them.
const PERMUTED_IMAGES: u64 = 2_000;

/// The same window gives the same p-value.
const SEED: u64 = 0;

/// Counts of the same classes in the calibration and in a window.
pub(super) struct MixCounts<'a> {
    pub classes: Vec<&'a str>,
    pub calibration: Vec<u64>,
    pub window: Vec<u64>,
}

/// A test of them.
pub(super) struct MixTest {
    pub statistic: f64,
    pub p_value: f64,
    /// Whether the p-value is by permutations; else it is that of the chi-square distribution.
    pub is_permuted: bool,
}

impl<'a> MixCounts<'a> {
    /// Of the classes that were seen, whose images in the window are counted, and those that the calibration has
    /// beside.
    pub fn new(tests: &'a Tests, seen: impl Iterator<Item = &'a str>, by_class: &[u64]) -> Self {
        let mix: &BTreeMap<String, u64> = &tests.baseline.class_mix;
        let mut classes: Vec<&str> = seen.collect();
        let unseen: Vec<&str> =
            mix.keys().map(String::as_str).filter(|class| !classes.contains(class)).collect();
        classes.extend(unseen);
        let calibration =
            classes.iter().map(|class| mix.get(*class).copied().unwrap_or(0)).collect();
        let window = (0..classes.len()).map(|i| by_class.get(i).copied().unwrap_or(0)).collect();
        Self { classes, calibration, window }
    }

    /// By permutations, where an expected count is too small for the chi-square distribution.
    pub fn permutation_p_value(&self, size: f64) -> Option<f64> {
        let test = ContingencyTest::new(&self.calibration, &self.window).ok()?;
        (test.min_expected < MIN_EXPECTED).then(|| {
            let images = |row: &[u64]| row.iter().sum::<u64>();
            let smaller = images(&self.calibration).min(images(&self.window));
            let fewer = u32::try_from(smaller / PERMUTED_IMAGES).unwrap_or(u32::MAX);
            test.permutation_p_value(permutations(size) / (1 + fewer), SEED)
        })
    }

    /// The test, with the p-value by permutations where that was made.
    pub fn test(&self, permuted: Option<f64>, size: f64) -> Result<MixTest> {
        let test = ContingencyTest::new(&self.calibration, &self.window)?;
        let permuted = permuted.or_else(|| self.permutation_p_value(size));
        Ok(MixTest {
            statistic: test.contingency.statistic,
            p_value: permuted.unwrap_or(test.contingency.p_value),
            is_permuted: permuted.is_some(),
        })
    }

    /// The classes whose part of the mix has changed: those that differ from all others together by more than chance
    /// would make any of them (Bonferroni), or else the one that differs most.
    pub fn changed(&self) -> Result<Vec<String>> {
        let totals = [&self.calibration, &self.window].map(|row| row.iter().sum::<u64>());
        let mut found = Vec::with_capacity(self.classes.len());
        for (class, counts) in self.classes.iter().zip(self.calibration.iter().zip(&self.window)) {
            let counts = [*counts.0, *counts.1];
            if counts == [0, 0] {
                continue;
            }
            let of_two = |row: usize| [counts[row], totals[row] - counts[row]];
            let test = ContingencyTest::new(&of_two(0), &of_two(1))?;
            found.push((test.contingency.statistic, (*class).to_owned()));
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let size = INTERVAL_ALPHA / found.len().max(1) as f64;
        let mut changed = Vec::new();
        for (statistic, class) in found {
            if changed.is_empty() || chi_square_upper_tail(statistic, 1)? <= size {
                changed.push(class);
            }
        }
        changed.sort();
        Ok(changed)
    }

    /// `defect 14.1 % of the calibration images and 40.2 % of the window`.
    pub fn text(&self) -> String {
        let [calibration, window] =
            [&self.calibration, &self.window].map(|row| row.iter().sum::<u64>() as f64);
        let percent = |count: u64, all: f64| 100.0 * count as f64 / all;
        let parts = self.classes.iter().enumerate().map(|(i, class)| {
            format!(
                "{class} {:.1} % of the calibration images and {:.1} % of the window",
                percent(self.calibration[i], calibration),
                percent(self.window[i], window)
            )
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// So many that a p-value can be well below the size of the test.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and clamped"
)]
fn permutations(size: f64) -> u32 {
    let [usual, most] = PERMUTATIONS;
    ((2.0 / size).ceil().min(f64::from(most)) as u32).clamp(usual, most)
}
