//! What a monitor remembers of one stream.

use serde::{Deserialize, Serialize};

use super::class_mix::MixCounts;
use super::observation::Observation;
use super::plan::{Basis, InForce, Monitor, Tests};
use super::ring::{MAX_CLASSES, Ring};
use super::settings::MonitorSettings;
use super::strangest::{Candidate, Strangest};
use super::terms::{Alarm, EpochStart};
use crate::error::{Error, Result};
use sdd_stats::sequential::{SequentialState, SequentialTest};

/// The version of the stored form.
const FORMAT_VERSION: u32 = 1;

/// What a monitor remembers of one stream of images: a few kB, to be stored after any image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorState {
    format_version: u32,
    pub(super) basis: Option<Basis>,
    /// What was stated by the monitor that the basis is of, so that another program can judge as it does; none in
    /// states of before.
    settings: Option<MonitorSettings>,
    /// Images ever, over all epochs: the number of the last one.
    pub(super) sequence: u64,
    pub(super) last_ms: Option<i64>,
    pub(super) epoch: Epoch,
    pub(super) totals: Totals,
    pub(super) classes: Vec<ClassTotals>,
    pub(super) ring: Ring,
    pub(super) check: Option<WindowCheck>,
    pub(super) strangest: Strangest,
    pub(super) e_process: Option<SequentialState>,
    pub(super) e_process_alarm: Option<Alarm>,
    pub(super) cusum: f64,
    pub(super) cusum_largest: f64,
    pub(super) cusum_alarm: Option<Alarm>,
}

/// What an image was to the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its number among all images of the stream, from 1.
    pub sequence: u64,
    /// The epoch that it belongs to.
    pub epoch: u64,
    /// The e-value after it; none where it could not be judged.
    pub e_value: Option<f64>,
    /// The CUSUM after it; none where it could not be judged.
    pub cusum: Option<f64>,
}

/// A stretch of the stream that the tests look at as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Epoch {
    pub number: u64,
    pub began_ms: i64,
    /// The number of the last image before it.
    pub began_after: u64,
    pub because: EpochStart,
}

/// Numbers of images in the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub images: u64,
    /// Those that the calibration could judge.
    pub judged: u64,
    pub out_of_distribution: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClassTotals {
    pub class: String,
    pub totals: Totals,
}

/// A full window at the moment when it was tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WindowCheck {
    pub at: Alarm,
    pub out_of_distribution: usize,
    /// Images by class, in the order of the state's classes.
    pub by_class: Vec<u64>,
    /// The p-value of the class mix by permutations, where counts are too small for the chi-square distribution: made
    /// once a window, since it takes a while. None also in states of before it was kept.
    pub mix_p_value: Option<f64>,
}

impl Monitor {
    /// What a state is to be judged by: of several servers that share it, the one that declared its settings last
    /// decides.
    ///
    /// # Errors
    ///
    /// As [`Monitor::new`], for settings of another version of this program.
    pub fn in_force(&self, state: &MonitorState) -> Result<InForce<'_>> {
        state.settings().map_or(Ok(InForce::Own(self)), |settings| self.by_settings(settings))
    }

    /// The state before the first image.
    #[must_use]
    pub fn start(&self, now_ms: i64) -> MonitorState {
        MonitorState::new(self, now_ms, EpochStart::First)
    }

    /// The state of a stream of which only the number of its last image is known.
    pub(super) fn resume_after(&self, sequence: u64, now_ms: i64) -> MonitorState {
        self.start(now_ms).with_sequence(sequence)
    }
}

impl MonitorState {
    pub(super) fn new(monitor: &Monitor, now_ms: i64, because: EpochStart) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            basis: monitor.basis(),
            settings: Some(monitor.settings().clone()),
            sequence: 0,
            last_ms: None,
            epoch: Epoch { number: 1, began_ms: now_ms, began_after: 0, because },
            totals: Totals::default(),
            classes: Vec::new(),
            ring: Ring::default(),
            check: None,
            strangest: Strangest::default(),
            e_process: monitor.tests().map(|tests| SequentialTest::new(tests.guarantee).state()),
            e_process_alarm: None,
            cusum: 0.0,
            cusum_largest: 0.0,
            cusum_alarm: None,
        }
    }

    /// Takes one image. Where settings or calibration have changed what is tested since the last one, an epoch
    /// begins with it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] for a state that was changed from outside; it is as it was then.
    pub fn observe(&mut self, monitor: &Monitor, observation: &Observation) -> Result<Step> {
        let verdict = observation.out_of_distribution.zip(monitor.tests());
        let begins = !self.is_of(monitor);
        // Before anything changes: a stored test may be refused.
        let test = verdict.map(|(_, tests)| {
            if begins {
                Ok(SequentialTest::new(tests.guarantee))
            } else {
                self.sequential_test(tests)
            }
        });
        let test = test.transpose()?;
        if self.settings.as_ref() != Some(monitor.settings()) {
            self.settings = Some(monitor.settings().clone());
        }
        if begins {
            self.begin_epoch(monitor, observation.time_ms, EpochStart::Settings);
        }
        let class = self.class_index(&observation.predicted_class);
        self.sequence += 1;
        self.last_ms = Some(observation.time_ms);
        let out = observation.out_of_distribution;
        self.totals.count(out);
        self.classes[class].totals.count(out);
        let mut step =
            Step { sequence: self.sequence, epoch: self.epoch.number, e_value: None, cusum: None };
        if let (Some((out, tests)), Some(test)) = (verdict, test) {
            step.e_value = Some(self.test(tests, test, class, out, observation));
            step.cusum = Some(self.cusum);
        }
        Ok(step)
    }

    /// Gives the e-value after it.
    fn test(
        &mut self,
        tests: &Tests,
        mut test: SequentialTest,
        class: usize,
        out: bool,
        observation: &Observation,
    ) -> f64 {
        let window = tests.window.window();
        self.ring.push(class, out, window);
        let image = self.totals.judged;
        let now = Alarm { image, sequence: self.sequence, time_ms: observation.time_ms };
        let p_value = observation.p_value.unwrap_or(1.0);
        let (sequence, score) = (self.sequence, observation.score);
        let picture = Some(observation.picture());
        self.strangest.push(Candidate { sequence, image, score, p_value, picture }, window);
        if test.observe(out) && self.e_process_alarm.is_none() {
            self.e_process_alarm = Some(now);
        }
        self.e_process = Some(test.state());
        // A design's own numbers, and a value that was checked.
        if let Ok(mut cusum) = tests.cusum.start().and_then(|cusum| cusum.resume(self.cusum)) {
            if cusum.observe(out) && self.cusum_alarm.is_none() {
                self.cusum_alarm = Some(now);
            }
            // So that it stays a number, however long nobody looks.
            self.cusum = cusum.value().min(1e6);
            self.cusum_largest = self.cusum_largest.max(self.cusum);
        }
        // Windows that overlapped would be repeated tests of the same images.
        if image.is_multiple_of(window as u64) {
            let by_class = self.ring.by_class(self.classes.len());
            let by_class: Vec<u64> = by_class.into_iter().map(|(images, _)| images).collect();
            let names = self.classes.iter().map(|class| class.class.as_str());
            self.check = Some(WindowCheck {
                at: now,
                out_of_distribution: self.ring.out_of_distribution(),
                mix_p_value: MixCounts::new(tests, names, &by_class)
                    .permutation_p_value(tests.window_size),
                by_class,
            });
        }
        test.e_value()
    }

    /// Takes over what a monitor states. Where that changes what is tested, an epoch begins.
    pub(super) fn declare(&mut self, monitor: &Monitor, now_ms: i64) {
        if self.basis != monitor.basis() {
            if self.began_ms().is_none() {
                *self = monitor.start(now_ms);
            } else {
                self.begin_epoch(monitor, now_ms, EpochStart::Settings);
            }
        }
        self.settings = Some(monitor.settings().clone());
    }

    /// Begins an epoch: all tests and counts begin anew. What an operator does who has seen to an alarm; the
    /// guarantee of the e-process holds for each epoch.
    pub fn reset(&mut self, monitor: &Monitor, now_ms: i64) {
        self.begin_epoch(monitor, now_ms, EpochStart::Reset);
    }

    /// As of a stream of which nothing else is known.
    pub(super) fn with_sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self.epoch.began_after = sequence;
        self
    }

    /// Whether it is of what this monitor tests.
    pub(super) fn is_of(&self, monitor: &Monitor) -> bool {
        self.basis == monitor.basis()
    }

    /// As it will be with the next image: where what is tested has changed, an epoch that has just begun.
    pub(super) fn renew(&mut self, monitor: &Monitor) {
        if self.is_of(monitor) {
            return;
        }
        let now_ms = self.last_ms.unwrap_or(self.epoch.began_ms);
        self.begin_epoch(monitor, now_ms, EpochStart::Settings);
    }

    fn begin_epoch(&mut self, monitor: &Monitor, now_ms: i64, because: EpochStart) {
        let (number, began_after) = (self.epoch.number + 1, self.sequence);
        let epoch = Epoch { number, began_ms: now_ms, began_after, because };
        let (sequence, last_ms) = (self.sequence, self.last_ms);
        *self = Self { sequence, last_ms, epoch, ..Self::new(monitor, now_ms, because) };
    }

    fn class_index(&mut self, class: &str) -> usize {
        if let Some(known) = self.classes.iter().position(|known| known.class == class) {
            return known;
        }
        if self.classes.len() < MAX_CLASSES {
            self.classes.push(ClassTotals { class: class.to_owned(), totals: Totals::default() });
        }
        self.classes.len() - 1
    }

    pub(super) fn sequential_test(&self, tests: &Tests) -> Result<SequentialTest> {
        match &self.e_process {
            Some(state) => Ok(SequentialTest::resume(tests.guarantee, state)?),
            None => Ok(SequentialTest::new(tests.guarantee)),
        }
    }

    /// What was stated by the monitor that last saw an image or began an epoch; `None` in states of before it was
    /// kept.
    #[must_use]
    pub fn settings(&self) -> Option<&MonitorSettings> {
        self.settings.as_ref()
    }

    /// The number of the last image, over all epochs: images ever.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The number of the epoch, from 1.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.number
    }

    /// The number of the last image before the epoch.
    #[must_use]
    pub fn began_after(&self) -> u64 {
        self.epoch.began_after
    }

    /// When the epoch began; `None` before the first image of all.
    pub(super) fn began_ms(&self) -> Option<i64> {
        let has_begun = self.sequence > 0 || self.epoch.because != EpochStart::First;
        has_begun.then_some(self.epoch.began_ms)
    }

    /// The strangest images of the window by their numbers, strangest first.
    #[must_use]
    pub fn strangest(&self) -> Vec<u64> {
        self.strangest.sequences().collect()
    }

    /// As it is stored.
    ///
    /// # Errors
    ///
    /// None in practice: numbers and texts can always be written.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::InvalidState { source: error.into() })
    }

    /// The reverse of [`MonitorState::to_json`], which trusts nothing it reads.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableState`] for what is no state or one of another version,
    /// [`Error::InvalidState`] for one that no stream leads to.
    pub fn from_json(json: &str) -> Result<Self> {
        let state: Self = read(json)?;
        state.check()?;
        Ok(state)
    }
}

/// The version first, so that a state of another one is refused by it and not by whichever field happens to differ.
fn read(json: &str) -> Result<MonitorState> {
    #[derive(Deserialize)]
    struct Header {
        format_version: u32,
    }
    let unreadable = |source: serde_json::Error| Error::UnreadableState { source: source.into() };
    let Header { format_version } = serde_json::from_str(json).map_err(unreadable)?;
    if format_version != FORMAT_VERSION {
        let source = format!("it has format version {format_version}, not {FORMAT_VERSION}");
        return Err(Error::UnreadableState { source: source.into() });
    }
    serde_json::from_str(json).map_err(unreadable)
}

impl Totals {
    fn count(&mut self, out_of_distribution: Option<bool>) {
        self.images += 1;
        self.judged += u64::from(out_of_distribution.is_some());
        self.out_of_distribution += u64::from(out_of_distribution == Some(true));
    }
}
