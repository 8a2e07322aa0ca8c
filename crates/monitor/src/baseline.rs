//! What a calibration says of images without drift.

use std::collections::BTreeMap;

use sdd_drift::calibration::{Calibration, CalibrationEntry};
use sdd_stats::Result;
use sdd_stats::conformal::ConditionalRate;

/// A threshold among calibration scores.
///
/// A good image is above it at a rate that was drawn once, from a distribution below Beta(a, n + 1 − a) with
/// `a = above + 1`, whichever way the threshold was chosen (see [`ConditionalRate`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibratedRate {
    /// n, the calibration images that the threshold was chosen among.
    pub images: usize,
    /// How many of them are above it.
    pub above: usize,
}

impl CalibratedRate {
    /// The α for which `a = ⌊α(n + 1)⌋` is just reached: a/(n + 1), the mean rate over calibrations.
    #[must_use]
    pub fn mean(&self) -> f64 {
        (self.above + 1) as f64 / (self.images + 1) as f64
    }

    /// The rate that a calibration exceeds with probability `delta` at most.
    ///
    /// # Errors
    ///
    /// As [`ConditionalRate::new`] and [`ConditionalRate::upper_bound`].
    pub fn upper_bound(&self, delta: f64) -> Result<f64> {
        ConditionalRate::new(self.images, self.mean())?.upper_bound(delta)
    }
}

/// What a calibration says of images without drift.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The level α that images are called out of distribution at.
    pub alpha: f64,
    /// One threshold for all images, or one a class. Not empty.
    pub rates: Vec<CalibratedRate>,
    /// Calibration images by predicted class, of the classes that can be judged: no others enter a window.
    /// Empty where classes are not known.
    pub class_mix: BTreeMap<String, u64>,
}

impl Baseline {
    /// Without classes.
    #[must_use]
    pub fn new(alpha: f64, rates: Vec<CalibratedRate>) -> Self {
        Self { alpha, rates, class_mix: BTreeMap::new() }
    }

    /// With the numbers of calibration images by predicted class.
    #[must_use]
    pub fn with_class_mix(self, class_mix: impl IntoIterator<Item = (String, u64)>) -> Self {
        Self { class_mix: class_mix.into_iter().collect(), ..self }
    }

    /// Of a reference's calibration. Classes that it cannot judge are left out.
    #[must_use]
    pub fn of(calibration: &Calibration) -> Self {
        let entries = calibration.entries();
        let mut class_mix = BTreeMap::new();
        for class in entries.iter().filter_map(|entry| entry.predicted_class.clone()) {
            *class_mix.entry(class).or_default() += 1;
        }
        let rates = if let Some(threshold) = calibration.threshold() {
            vec![rate(entries.iter(), threshold)]
        } else {
            let classes = calibration.classes().into_iter();
            let judged = classes.filter_map(|class| Some((class.class, class.threshold?)));
            let rate = |(class, threshold): (Option<String>, f64)| {
                rate(entries.iter().filter(|entry| entry.predicted_class == class), threshold)
            };
            let judged: Vec<_> = judged.collect();
            class_mix.retain(|name, _| {
                judged.iter().any(|(class, _)| class.as_ref().is_some_and(|class| class == name))
            });
            judged.into_iter().map(rate).collect()
        };
        Self { alpha: calibration.alpha(), rates, class_mix }
    }

    /// Calibration images that judge.
    #[must_use]
    pub fn images(&self) -> usize {
        self.rates.iter().map(|rate| rate.images).sum()
    }

    /// The rate that none of the thresholds exceeds, but for a share `delta` of calibrations.
    ///
    /// # Errors
    ///
    /// As [`CalibratedRate::upper_bound`].
    pub fn upper_bound(&self, delta: f64) -> Result<f64> {
        let each = delta / self.rates.len().max(1) as f64;
        let bounds = self.rates.iter().map(|rate| rate.upper_bound(each));
        bounds.reduce(|a, b| Ok(a?.max(b?))).unwrap_or(Ok(self.alpha))
    }

    /// The threshold whose rate is known worst.
    pub(super) fn widest(&self) -> Result<Option<CalibratedRate>> {
        let mut widest: Option<(f64, CalibratedRate)> = None;
        for rate in &self.rates {
            let bound = rate.upper_bound(0.01)?;
            if widest.is_none_or(|(largest, _)| bound > largest) {
                widest = Some((bound, *rate));
            }
        }
        Ok(widest.map(|(_, rate)| rate))
    }
}

fn rate<'a>(entries: impl Iterator<Item = &'a CalibrationEntry>, threshold: f64) -> CalibratedRate {
    entries.fold(CalibratedRate { images: 0, above: 0 }, |rate, entry| CalibratedRate {
        images: rate.images + 1,
        above: rate.above + usize::from(entry.score > threshold),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sdd_drift::Score;
    use sdd_drift::calibration::CalibrationSource;
    use sdd_stats::conformal::{PValueKind, PValueWithin, VerdictRule};

    #[test]
    fn a_calibrations_rate_is_the_one_of_its_size_and_level() {
        let entry = |i: u32| CalibrationEntry {
            score: f64::from(i),
            predicted_class: Some(if i.is_multiple_of(3) { "defect" } else { "good" }.into()),
            label: None,
        };
        let entries = (1..=99).map(entry).collect();
        let source = CalibrationSource::Directory;
        let calibration = Calibration::new(Score::default(), 0.05, entries, None, source).unwrap();
        let baseline = Baseline::of(&calibration);
        assert_eq!(baseline.rates, [CalibratedRate { images: 99, above: 4 }]);
        assert_eq!(
            baseline.class_mix,
            BTreeMap::from([("defect".into(), 33), ("good".into(), 66)])
        );
        let expected = ConditionalRate::new(99, 0.05).unwrap().upper_bound(0.01).unwrap();
        assert_eq!(baseline.upper_bound(0.01).unwrap(), expected);
    }

    #[test]
    fn classes_with_thresholds_of_their_own_count_each_and_small_ones_not() {
        let entry = |i: u32| CalibrationEntry {
            score: f64::from(i),
            predicted_class: Some(["a", "a", "b", "a", "c", "b"][i as usize % 6].into()),
            label: None,
        };
        let rule = VerdictRule {
            alpha: 0.05,
            p_value: PValueKind::Marginal,
            within: PValueWithin::PredictedClass,
        };
        let (score, source) = (Score::default(), CalibrationSource::Directory);
        let entries = (0..90).map(entry).collect();
        let calibration = Calibration::with_rule(score, rule, entries, None, source).unwrap();
        let baseline = Baseline::of(&calibration);
        // 45, 30 and 15 images: 15 can raise no alarm at 5 %.
        let expected =
            [CalibratedRate { images: 45, above: 1 }, CalibratedRate { images: 30, above: 0 }];
        assert_eq!(baseline.rates, expected);
        assert_eq!(baseline.class_mix, BTreeMap::from([("a".into(), 45), ("b".into(), 30)]));
    }

    #[test]
    fn a_stricter_p_value_leaves_fewer_above() {
        let entry =
            |i: u32| CalibrationEntry { score: f64::from(i), predicted_class: None, label: None };
        let of = |p_value| {
            let rule = VerdictRule { alpha: 0.05, p_value, within: PValueWithin::All };
            let (score, source) = (Score::default(), CalibrationSource::Directory);
            let entries = (0..999).map(entry).collect();
            let calibration = Calibration::with_rule(score, rule, entries, None, source).unwrap();
            Baseline::of(&calibration).rates[0].above
        };
        assert_eq!(of(PValueKind::Marginal), 49);
        assert!((1..49).contains(&of(PValueKind::Simes { delta: 0.01 })));
    }

    #[test]
    fn of_several_thresholds_the_worst_known_one_counts() {
        let (large, small) =
            (CalibratedRate { images: 999, above: 49 }, CalibratedRate { images: 39, above: 1 });
        let both = Baseline::new(0.05, vec![large, small]);
        assert_eq!(both.upper_bound(0.02).unwrap(), small.upper_bound(0.01).unwrap());
        assert_eq!(both.widest().unwrap(), Some(small));
    }
}
