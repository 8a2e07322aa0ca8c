//! What a monitor remembers of all images.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use sdd_stats::sequential::evidence::log_sum;

use crate::error::{Error, Result};
use crate::group_tests::GroupTests;
use crate::observation::Observation;
use crate::plan::{InForce, Monitor, Plan};
use crate::ring::{MAX_CLASSES, Ring};
use crate::sample::PROPERTIES;
use crate::settings::MonitorSettings;
use crate::strangest::{Candidate, Strangest};
use crate::stream::{Group, Raised, Stream};
use crate::terms::{Alarm, EpochStart};
use crate::totals::Totals;

/// The version of the stored form. Of a state of an earlier one the numbers of image and epoch are taken over.
const FORMAT_VERSION: u32 = 2;

/// The last groups that are told of.
const GROUPS: usize = 16;

/// What a monitor remembers of all images: some 20 kB and as much for each named stream, to be stored after any image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorState {
    format_version: u32,
    /// What was stated by the monitor that it is of, so that another program can judge as it does; none in states of
    /// before.
    settings: Option<MonitorSettings>,
    /// Images ever, over all epochs: the number of the last one.
    pub(crate) sequence: u64,
    pub(crate) last_ms: Option<i64>,
    pub(crate) epoch: Epoch,
    pub(crate) totals: Totals,
    pub(crate) classes: Vec<ClassTotals>,
    pub(crate) ring: Ring,
    pub(crate) strangest: Strangest,
    /// The tests of the groups of all streams; none without a calibration.
    pub(crate) all: Option<GroupTests>,
    pub(crate) alarm: Option<Raised>,
    /// The logarithm of the largest R so far; none before the first group.
    pub(crate) largest: Option<f64>,
    /// By their names; images without one, and of streams beyond those that are told apart, are of the one without.
    pub(crate) streams: BTreeMap<String, Stream>,
    /// The last groups, latest first.
    pub(crate) groups: VecDeque<GroupNote>,
}

/// What an image was to the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its number among all images, from 1.
    pub sequence: u64,
    /// The epoch that it belongs to.
    pub epoch: u64,
    /// R, the evidence of drift after it; none where nothing is tested.
    pub evidence: Option<f64>,
}

/// A stretch of time that the tests look at as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    pub number: u64,
    pub began_ms: i64,
    /// The number of the last image before it.
    pub began_after: u64,
    pub because: EpochStart,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassTotals {
    pub class: String,
    pub totals: Totals,
}

/// A group that was tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupNote {
    pub stream: String,
    pub name: Option<String>,
    pub totals: Totals,
    /// The mean of its images' scores in spreads from the middle of their class.
    pub score: Option<f64>,
    /// The same of the properties.
    pub properties: Option<[f64; PROPERTIES]>,
    /// The number of the image that it was complete with, and when that was seen.
    pub sequence: u64,
    pub time_ms: i64,
}

impl Monitor {
    /// The monitor whose settings are in force for a state: what the one that declared last has stated, with this
    /// one's calibration.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] for settings that make no sense to this version of the program.
    pub fn in_force(&self, state: &MonitorState) -> Result<InForce<'_>> {
        state.settings().map_or(Ok(InForce::Own(self)), |settings| self.by_settings(settings))
    }

    /// The state before the first image.
    #[must_use]
    pub fn start(&self, now_ms: i64) -> MonitorState {
        MonitorState::new(self, now_ms, EpochStart::First)
    }

    /// The state of a stream of which only the number of its last image is known.
    pub(crate) fn resume_after(&self, sequence: u64, now_ms: i64) -> MonitorState {
        self.start(now_ms).with_sequence(sequence)
    }
}

impl MonitorState {
    fn new(monitor: &Monitor, now_ms: i64, because: EpochStart) -> Self {
        let all = monitor.plan().map(|plan| plan.start.clone());
        Self { settings: Some(monitor.settings().clone()), all, ..Self::empty(now_ms, because) }
    }

    fn empty(now_ms: i64, because: EpochStart) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            settings: None,
            sequence: 0,
            last_ms: None,
            epoch: Epoch { number: 1, began_ms: now_ms, began_after: 0, because },
            totals: Totals::default(),
            classes: Vec::new(),
            ring: Ring::default(),
            strangest: Strangest::default(),
            all: None,
            alarm: None,
            largest: None,
            streams: BTreeMap::new(),
            groups: VecDeque::new(),
        }
    }

    /// Takes one image. Where settings have changed what is tested since the last one, an epoch begins with it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] for a state that was changed from outside; it is as it was then.
    pub fn observe(&mut self, monitor: &Monitor, observation: &Observation) -> Result<Step> {
        if self.is_of(monitor) {
            self.check_plan(monitor)?;
            self.restate(monitor);
        } else {
            self.begin_epoch(monitor, observation.time_ms, EpochStart::Settings);
        }
        let class = self.class_index(&observation.predicted_class);
        self.sequence += 1;
        self.last_ms = Some(observation.time_ms);
        let out = observation.out_of_distribution;
        self.totals.count(out);
        self.classes[class].totals.count(out);
        let key = self.stream_key(monitor, observation.stream.as_deref());
        self.streams.entry(key.clone()).or_default().count(observation);
        if let Some(plan) = monitor.plan() {
            self.note(monitor, plan, class, observation);
            self.test(plan, &key, observation);
        }
        let evidence = monitor.plan().map(|plan| self.log_evidence(plan).exp().min(f64::MAX));
        Ok(Step { sequence: self.sequence, epoch: self.epoch.number, evidence })
    }

    /// What is told of the last images.
    fn note(&mut self, monitor: &Monitor, plan: &Plan, class: usize, observation: &Observation) {
        let Some(out) = observation.out_of_distribution else { return };
        let window = monitor.settings().window;
        self.ring.push(class, out, observation.score > plan.baseline.far, window);
        let (sequence, score) = (self.sequence, observation.score);
        let p_value = observation.p_value.unwrap_or(1.0);
        let (image, picture) = (self.totals.judged, Some(observation.picture()));
        self.strangest.push(Candidate { sequence, image, score, p_value, picture }, window);
    }

    /// Tests the groups that are complete with an image.
    fn test(&mut self, plan: &Plan, key: &str, observation: &Observation) {
        // What is drawn at random follows from the image's number: whoever sees the stream again draws the same.
        let mut random = Rng::with_seed(self.sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let stream = self.streams.entry(key.to_owned()).or_default();
        let complete = stream.take(plan, observation, &mut random);
        if !key.is_empty() && stream.tests.is_none() && !complete.is_empty() {
            stream.tests = Some(plan.start.clone());
        }
        for group in complete {
            self.test_group(plan, key, &group, observation.time_ms, &mut random);
        }
    }

    fn test_group(
        &mut self,
        plan: &Plan,
        key: &str,
        group: &Group,
        time_ms: i64,
        random: &mut Rng,
    ) {
        let sequence = self.sequence;
        let Plan { baseline, subjects, .. } = plan;
        let at = |tests: &GroupTests| Alarm { group: tests.groups, sequence, time_ms };
        if let Some(tests) = &mut self.all {
            tests.observe(baseline, subjects, &group.images, random);
        }
        if let Some(stream) = self.streams.get_mut(key)
            && let Some(tests) = &mut stream.tests
        {
            tests.observe(baseline, subjects, &group.images, random);
            if stream.alarm.is_none() && tests.log_evidence(subjects).0 >= plan.log_alarm_at {
                stream.alarm = Some(Raised::by(tests, plan, at(tests)));
            }
        }
        let evidence = self.log_evidence(plan);
        self.largest = Some(self.largest.map_or(evidence, |largest| largest.max(evidence)));
        if self.alarm.is_none()
            && evidence >= plan.log_alarm_at
            && let Some(all) = &self.all
        {
            // By whoever has found most: all together, or one of the streams.
            let streams = self.streams.values().filter_map(|stream| stream.tests.as_ref());
            let log_r = |tests: &&GroupTests| tests.log_evidence(subjects).0;
            let loudest = streams.chain([all]).max_by(|a, b| log_r(a).total_cmp(&log_r(b)));
            self.alarm = loudest.map(|tests| Raised::by(tests, plan, at(all)));
        }
        let mean = |value: &dyn Fn(&crate::sample::Sample) -> Option<f64>| {
            group.images.means(value).last().copied()
        };
        let properties = std::array::from_fn(|i| mean(&|image| image.properties.map(|all| all[i])));
        self.groups.push_front(GroupNote {
            stream: key.to_owned(),
            name: group.name.clone(),
            totals: group.totals,
            score: mean(&|image| image.score),
            properties: properties
                .iter()
                .all(Option::is_some)
                .then(|| properties.map(Option::unwrap_or_default)),
            sequence,
            time_ms,
        });
        self.groups.truncate(GROUPS);
    }

    /// The logarithm of R: of all groups together, and where streams have names half of it and half of the sum of
    /// theirs. Each sum grows by 1 a group on average at most as long as nothing has changed, however many streams there
    /// are.
    pub(crate) fn log_evidence(&self, plan: &Plan) -> f64 {
        let log_r = |tests: &GroupTests| tests.log_evidence(&plan.subjects).0;
        let Some(all) = self.all.as_ref().map(log_r) else { return f64::NEG_INFINITY };
        let streams: Vec<f64> =
            self.streams.values().filter_map(|stream| stream.tests.as_ref()).map(log_r).collect();
        if streams.is_empty() {
            return all;
        }
        log_sum(streams.into_iter().chain([all]).map(|log| (log, 0.5)))
    }

    /// Takes over what a monitor states. Where that changes what is tested, an epoch begins.
    pub(crate) fn declare(&mut self, monitor: &Monitor, now_ms: i64) {
        if self.is_of(monitor) {
            self.restate(monitor);
        } else if self.began_ms().is_none() {
            *self = monitor.start(now_ms);
        } else {
            self.begin_epoch(monitor, now_ms, EpochStart::Settings);
        }
    }

    /// Takes over the settings of a monitor that tests the same.
    fn restate(&mut self, monitor: &Monitor) {
        // Nearly always they are the same, and this is done for every image.
        if self.settings.as_ref() != Some(monitor.settings()) {
            self.settings = Some(monitor.settings().clone());
        }
    }

    /// Begins an epoch: all tests and counts begin anew. What an operator does who has seen to an alarm.
    pub fn reset(&mut self, monitor: &Monitor, now_ms: i64) {
        self.begin_epoch(monitor, now_ms, EpochStart::Reset);
    }

    /// As of a stream of which nothing else is known.
    pub(crate) fn with_sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self.epoch.began_after = sequence;
        self
    }

    /// Whether it is of what this monitor tests.
    pub(crate) fn is_of(&self, monitor: &Monitor) -> bool {
        let is_alike = |settings: &MonitorSettings| settings.tests_as(monitor.settings());
        self.settings.as_ref().is_some_and(is_alike)
            && self.all.is_some() == monitor.plan().is_some()
    }

    /// As it will be with the next image: where what is tested has changed, an epoch that has just begun.
    pub(crate) fn renew(&mut self, monitor: &Monitor) {
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

    /// The name that an image's stream is remembered by.
    fn stream_key(&self, monitor: &Monitor, stream: Option<&str>) -> String {
        let stream = stream.unwrap_or_default();
        let named = self.streams.keys().filter(|name| !name.is_empty()).count();
        if self.streams.contains_key(stream) || named < monitor.settings().streams {
            stream.to_owned()
        } else {
            String::new()
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
    pub(crate) fn began_ms(&self) -> Option<i64> {
        let has_begun = self.sequence > 0 || self.epoch.because != EpochStart::First;
        has_begun.then_some(self.epoch.began_ms)
    }

    /// When it alarmed in this epoch.
    #[must_use]
    pub fn alarm(&self) -> Option<Alarm> {
        self.alarm.map(|raised| raised.at)
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
    /// [`Error::UnreadableState`] for what is no state or one of a later version,
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
    #[derive(Deserialize)]
    struct Numbers {
        sequence: u64,
        last_ms: Option<i64>,
        epoch: Epoch,
    }
    let unreadable = |source: serde_json::Error| Error::UnreadableState { source: source.into() };
    let Header { format_version } = serde_json::from_str(json).map_err(unreadable)?;
    match format_version {
        FORMAT_VERSION => serde_json::from_str(json).map_err(unreadable),
        1 => {
            let Numbers { sequence, last_ms, epoch } =
                serde_json::from_str(json).map_err(unreadable)?;
            let began = MonitorState::empty(epoch.began_ms, epoch.because).with_sequence(sequence);
            let number = epoch.number;
            Ok(MonitorState { last_ms, epoch: Epoch { number, ..began.epoch }, ..began })
        }
        _ => {
            let source = format!("it has format version {format_version}, not {FORMAT_VERSION}");
            Err(Error::UnreadableState { source: source.into() })
        }
    }
}
