//! What is tested.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;

use sdd_stats::sequential::Evidence;

use crate::baseline::{Baseline, CalibratedClass};
use crate::error::Result;
use crate::group_tests::{ExpectedClass, GroupTests, Subjects};
use crate::observation::Observation;
use crate::rank_test::BETTORS;
use crate::sample::Sample;
use crate::settings::{ExpectedMix, MonitorSettings};

/// Classes whose shares are tested at most, the most common ones.
const TESTED_CLASSES: usize = 8;

/// The images of the calibration's groups that are compared are the same for all servers.
const SEED: u64 = 0;

/// What is tested, and when it alarms: it follows from settings and calibration, and never changes. Copies share it.
#[derive(Debug, Clone)]
pub struct Monitor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: MonitorSettings,
    plan: Option<Plan>,
    /// The last one made by settings which others have declared.
    of_others: Mutex<Option<Monitor>>,
}

/// The tests against a calibration.
#[derive(Debug)]
pub(crate) struct Plan {
    pub baseline: Baseline,
    pub subjects: Subjects,
    /// The tests of a stream before its first group.
    pub start: GroupTests,
    /// As [`MonitorSettings::positive_class`].
    pub positive_class: Option<String>,
    /// Images that make a group where nobody says which group an image is of.
    pub block: u64,
    /// The logarithm of the R that alarms.
    pub log_alarm_at: f64,
    /// Groups that it takes for an alarm of appearance, were each stranger than all before: before that nothing is stable.
    pub groups_needed: u64,
}

impl Monitor {
    /// Without a baseline, as for a reference without calibration, images are counted and nothing is tested.
    ///
    /// # Errors
    ///
    /// As [`MonitorSettings::check`].
    pub fn new(settings: MonitorSettings, baseline: Option<Baseline>) -> Result<Self> {
        settings.check()?;
        let plan = baseline.map(|baseline| Plan::new(&settings, baseline));
        Ok(Self(Arc::new(Shared { settings, plan, of_others: Mutex::default() })))
    }

    /// The user's settings.
    #[must_use]
    pub fn settings(&self) -> &MonitorSettings {
        &self.0.settings
    }

    /// The tests; `None` without a calibration.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.0.plan.as_ref()
    }

    /// The monitor of other settings and the same baseline. The last one that was made is kept.
    ///
    /// # Errors
    ///
    /// As [`Monitor::new`], for settings of another version of this program.
    pub(crate) fn by_settings(&self, settings: &MonitorSettings) -> Result<Self> {
        if settings == self.settings() {
            return Ok(self.clone());
        }
        // What is in there is whole or not there.
        let mut made = self.0.of_others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(monitor) = made.as_ref().filter(|monitor| monitor.settings() == settings) {
            return Ok(monitor.clone());
        }
        let baseline = self.plan().map(|plan| plan.baseline.clone());
        let monitor = Self::new(settings.clone(), baseline)?;
        *made = Some(monitor.clone());
        Ok(monitor)
    }
}

impl Plan {
    fn new(settings: &MonitorSettings, mut baseline: Baseline) -> Self {
        let mix = expected(settings.expected_mix.as_ref(), &mut baseline);
        let subjects = Subjects { mix, tolerance: settings.tolerance };
        let start = GroupTests::new(&baseline, &subjects, &mut Rng::with_seed(SEED));
        let block = settings.group_size.unwrap_or(baseline.group_size) as u64;
        let log_alarm_at = settings.groups_between_false_alarms.ln();
        let weight = start.by_test(&subjects).first().map_or(1.0, |appearance| appearance.weight);
        let groups_needed = groups_needed(baseline.groups(), log_alarm_at - weight.ln());
        let positive_class = settings.positive_class.clone();
        Self { baseline, subjects, start, positive_class, block, log_alarm_at, groups_needed }
    }

    /// An image as groups are compared by it.
    pub fn sample(&self, observation: &Observation) -> Sample {
        let Observation { predicted_class, score, properties, .. } = observation;
        self.baseline.sample(predicted_class, *score, properties.as_ref())
    }
}

/// The classes whose shares are tested; those that are stated become classes of the baseline.
fn expected(mix: Option<&ExpectedMix>, baseline: &mut Baseline) -> Vec<ExpectedClass> {
    match mix {
        None => Vec::new(),
        Some(ExpectedMix::Calibration) => {
            let mut classes: Vec<usize> = (0..baseline.classes.len()).collect();
            classes.sort_by_key(|class| Reverse(baseline.classes[*class].images));
            classes.truncate(TESTED_CLASSES);
            classes.into_iter().map(|class| ExpectedClass { class, share: None }).collect()
        }
        Some(ExpectedMix::Stated(mix)) => {
            let mut class_of = |name: &String| {
                let known = baseline.classes.iter().position(|class| class.name == *name);
                known.unwrap_or_else(|| {
                    let class = CalibratedClass { name: name.clone(), images: 0, scale: None };
                    baseline.classes.push(class);
                    baseline.classes.len() - 1
                })
            };
            let class = |(name, share): (&String, &f64)| ExpectedClass {
                class: class_of(name),
                share: Some(*share),
            };
            mix.iter().map(class).collect()
        }
    }
}

/// Groups until R reaches a threshold, were each of them stranger than the calibration's and all before.
fn groups_needed(calibration: usize, log_threshold: f64) -> u64 {
    let mut evidence = Evidence::new(BETTORS);
    let mut groups = 0;
    while evidence.log_shiryaev_roberts() < log_threshold {
        // In the middle of what it may be.
        evidence.bet_on_p_value(0.5 / (calibration as f64 + groups as f64 + 1.0));
        groups += 1;
    }
    groups
}
