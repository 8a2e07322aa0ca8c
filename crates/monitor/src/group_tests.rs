//! All that is tested of a stream's groups, and the one number that it comes to.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use sdd_stats::MAX_COUNT;
use sdd_stats::sequential::Evidence;
use sdd_stats::sequential::evidence::log_sum;

use crate::baseline::Baseline;
use crate::rank_test::{BETTORS, Grid, RankTest};
use crate::sample::{PROPERTIES, Reservoir, Sample};
use crate::terms::TestName;

/// Of the stake on appearance, how much is on scores that are lower than the calibration's: the test is two-sided at
/// the cost of a factor of 4/3 for the usual direction.
const APPEARANCE_ON_LESS: f64 = 0.25;

/// A class whose share is tested.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExpectedClass {
    /// Its place among the baseline's classes.
    pub class: usize,
    /// Its mean share among the images of a group; none: as among those of the calibration's groups.
    pub share: Option<f64>,
}

/// What is tested, beside the baseline.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Subjects {
    pub mix: Vec<ExpectedClass>,
    pub tolerance: f64,
}

/// The tests of a stream's groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupTests {
    /// Groups that were tested.
    pub groups: u64,
    appearance: RankTest,
    /// One for each of the properties of a picture, where the calibration has them.
    properties: Vec<RankTest>,
    mix: Vec<ClassTest>,
    /// The logarithm of R, see [`GroupTests::log_r`]; none before the first group.
    log_r: Option<f64>,
    /// The logarithm of the largest M so far; 0 before the first group.
    pub largest_martingale: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClassTest {
    Ranks(RankTest),
    Mean(Evidence),
}

/// What one of the tests has come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TestEvidence {
    pub test: TestName,
    /// Which property, or which of the baseline's classes.
    pub subject: Option<usize>,
    /// Whether more is what it found: stranger, brighter, more of the class.
    pub is_greater: bool,
    /// Its part of all stakes.
    pub weight: f64,
    /// The logarithms of its own R and M.
    pub log_r: f64,
    pub log_m: f64,
}

impl GroupTests {
    /// Before the first group of a stream.
    pub fn new(baseline: &Baseline, subjects: &Subjects, random: &mut Rng) -> Self {
        let groups: Vec<Reservoir> = baseline
            .groups
            .iter()
            .map(|group| Reservoir::of(group, random).shuffled(random))
            .collect();
        let ranks = |grid, value: &dyn Fn(&Sample) -> Option<f64>| {
            let means: Vec<Vec<f64>> = groups.iter().map(|group| group.means(value)).collect();
            RankTest::new(grid, means.iter())
        };
        let property = |i| ranks(Grid::Spreads, &|image| image.properties.map(|all| all[i]));
        let class = |expected: &ExpectedClass| match expected.share {
            Some(_) => ClassTest::Mean(Evidence::new(BETTORS)),
            None => {
                ClassTest::Ranks(ranks(Grid::Shares, &|image| Some(is_of(image, expected.class))))
            }
        };
        let known = if baseline.properties.is_some() { PROPERTIES } else { 0 };
        Self {
            groups: 0,
            appearance: ranks(Grid::Spreads, &|image| image.score),
            properties: (0..known).map(property).collect(),
            mix: subjects.mix.iter().map(class).collect(),
            log_r: None,
            largest_martingale: 0.0,
        }
    }

    /// Takes a group.
    pub fn observe(
        &mut self,
        baseline: &Baseline,
        subjects: &Subjects,
        group: &Reservoir,
        random: &mut Rng,
    ) {
        let scores = group.means(|image| image.score);
        let tolerance = tolerance(baseline, subjects, group);
        self.appearance.observe(Grid::Spreads, &scores, tolerance, random);
        for (i, test) in self.properties.iter_mut().enumerate() {
            let means = group.means(|image| image.properties.map(|all| all[i]));
            test.observe(Grid::Spreads, &means, 0.0, random);
        }
        for (test, expected) in self.mix.iter_mut().zip(&subjects.mix) {
            match (test, expected.share) {
                (ClassTest::Ranks(test), _) => {
                    let means = group.means(|image| Some(is_of(image, expected.class)));
                    test.observe(Grid::Shares, &means, 0.0, random);
                }
                (ClassTest::Mean(evidence), share) => {
                    let images = group.0.len().max(1) as f64;
                    let of_class =
                        group.0.iter().filter(|image| image.class == Some(expected.class));
                    evidence.bet_on_mean(of_class.count() as f64 / images, share.unwrap_or(0.5));
                }
            }
        }
        self.groups += 1;
        let by_test = self.by_test(subjects);
        let mean = |of: fn(&TestEvidence) -> f64| {
            log_sum(by_test.iter().map(move |one| (of(one), one.weight)))
        };
        self.log_r = Some(mean(|one| one.log_r)).filter(|log_r| log_r.is_finite());
        self.largest_martingale = self.largest_martingale.max(mean(|one| one.log_m));
    }

    /// The logarithm of R: the mean over the tests, each by its part of the stakes; −∞ before the first group.
    pub fn log_r(&self) -> f64 {
        self.log_r.unwrap_or(f64::NEG_INFINITY)
    }

    /// What each test has come to.
    pub fn by_test(&self, subjects: &Subjects) -> Vec<TestEvidence> {
        let (log_r, log_m) = self.appearance.log_evidence(APPEARANCE_ON_LESS);
        let is_greater = self.appearance.is_greater();
        let test = TestName::Appearance;
        let mut by_test =
            vec![TestEvidence { test, subject: None, is_greater, weight: 2.0, log_r, log_m }];
        let each = 1.0 / self.properties.len().max(1) as f64;
        for (i, property) in self.properties.iter().enumerate() {
            let (log_r, log_m) = property.log_evidence(0.5);
            let (test, is_greater) = (TestName::Properties, property.is_greater());
            let subject = Some(i);
            by_test.push(TestEvidence { test, subject, is_greater, weight: each, log_r, log_m });
        }
        let each = 1.0 / self.mix.len().max(1) as f64;
        for (class, expected) in self.mix.iter().zip(&subjects.mix) {
            let (log_r, log_m, is_greater) = match class {
                ClassTest::Ranks(test) => {
                    let (log_r, log_m) = test.log_evidence(0.5);
                    (log_r, log_m, test.is_greater())
                }
                ClassTest::Mean(evidence) => (
                    evidence.log_shiryaev_roberts(),
                    evidence.log_martingale(),
                    evidence.favors_more(),
                ),
            };
            let (test, subject) = (TestName::ClassMix, Some(expected.class));
            by_test.push(TestEvidence { test, subject, is_greater, weight: each, log_r, log_m });
        }
        let total: f64 = by_test.iter().map(|one| one.weight).sum();
        for one in &mut by_test {
            one.weight /= total;
        }
        by_test
    }

    /// Whether a stream may lead to it.
    pub fn is_sound(&self) -> bool {
        let is_class = |test: &ClassTest| match test {
            ClassTest::Ranks(test) => test.is_sound(Grid::Shares),
            ClassTest::Mean(evidence) => evidence.bettors() == BETTORS && evidence.is_sound(),
        };
        self.groups <= MAX_COUNT
            && self.log_r.is_none_or(f64::is_finite)
            && self.largest_martingale.is_finite()
            && self.appearance.is_sound(Grid::Spreads)
            && (self.properties.is_empty() || self.properties.len() == PROPERTIES)
            && self.properties.iter().all(|test| test.is_sound(Grid::Spreads))
            && self.mix.iter().all(is_class)
    }

    /// Whether it tests what another tests.
    pub fn is_of(&self, other: &Self) -> bool {
        let is_alike = |(test, other): (&ClassTest, &ClassTest)| {
            std::mem::discriminant(test) == std::mem::discriminant(other)
        };
        self.properties.len() == other.properties.len()
            && self.mix.len() == other.mix.len()
            && self.mix.iter().zip(&other.mix).all(is_alike)
    }
}

/// The logarithm of R over streams, the sum of theirs: it grows by 1 a group on average at most as long as nothing has
/// changed, also where a part is a group of several streams. Tested among all groups, such a part would count as several
/// that are alike.
pub(crate) fn log_r_together<'a>(streams: impl Iterator<Item = &'a GroupTests>) -> f64 {
    let logarithms: Vec<f64> = streams.map(GroupTests::log_r).collect();
    log_sum(logarithms.into_iter().map(|log_r| (log_r, 1.0)))
}

/// What each test has come to in all streams, its R being the sum of theirs; none without streams.
pub(crate) fn by_test_together<'a>(
    streams: impl Iterator<Item = &'a GroupTests>,
    subjects: &Subjects,
) -> Option<Vec<TestEvidence>> {
    let add = |(a, b): (TestEvidence, TestEvidence)| {
        // The direction is that of the stream that has found more.
        let louder = if b.log_r > a.log_r { b } else { a };
        let log_r = log_sum([(a.log_r, 1.0), (b.log_r, 1.0)].into_iter());
        TestEvidence { log_r, ..louder }
    };
    let by_stream = streams.map(|tests| tests.by_test(subjects));
    by_stream.reduce(|sums, by_test| sums.into_iter().zip(by_test).map(add).collect())
}

/// 1 of an image of the class, else 0: the mean is the share.
fn is_of(image: &Sample, class: usize) -> f64 {
    f64::from(u8::from(image.class == Some(class)))
}

/// By how many spreads the mean of a group may lie above the calibration's, where each of its images may be stranger by
/// a share of what is usual for its class.
fn tolerance(baseline: &Baseline, subjects: &Subjects, group: &Reservoir) -> f64 {
    if subjects.tolerance == 0.0 {
        return 0.0;
    }
    let scales = group.0.iter().map(|image| baseline.scale(image.class));
    let usual: Vec<f64> = scales.map(|scale| scale.middle.abs() / scale.spread).collect();
    subjects.tolerance * usual.iter().sum::<f64>() / usual.len().max(1) as f64
}
