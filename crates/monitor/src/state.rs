//! What a monitor remembers of all images.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::group_tests::{GroupTests, log_r_together};
use crate::observation::Observation;
use crate::part::{Content, Part};
use crate::plan::{Monitor, Plan};
use crate::ring::{MAX_CLASSES, Ring};
use crate::sample::{PROPERTIES, Sample};
use crate::settings::MonitorSettings;
use crate::strangest::{Candidate, Strangest};
use crate::stream::{Group, Raised, Stream, Tested};
use crate::terms::{Alarm, EpochStart};
use crate::totals::Totals;

/// The last groups that are told of.
const GROUPS: usize = 16;

/// What a monitor remembers of all images: some 20 kB for each stream, in parts, to be stored after any
/// image. Copies share what they have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorState {
    /// What was stated by the monitor that it is of, so that another program can judge as it does; none in states of
    /// before.
    pub(crate) settings: Option<MonitorSettings>,
    /// Images ever, over all epochs: the number of the last one.
    pub(crate) sequence: u64,
    pub(crate) last_ms: Option<i64>,
    pub(crate) epoch: Epoch,
    pub(crate) totals: Totals,
    pub(crate) classes: Vec<ClassTotals>,
    pub(crate) ring: Ring,
    pub(crate) strangest: Strangest,
    /// What the tests of all streams come to; none without a calibration.
    #[serde(skip)]
    pub(crate) all: Option<Part<AllGroups>>,
    /// By their names; images without one are of the one without. Streams beyond those that are told apart have no place
    /// here: their images are counted and not tested, since groups that come from several in turns would fall to pieces.
    #[serde(skip)]
    pub(crate) streams: BTreeMap<String, Stream>,
}

/// What changes with groups alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct AllGroups {
    pub alarm: Option<Raised>,
    /// The logarithms of R, and of its largest value so far; none before the first group.
    pub log_r: Option<f64>,
    pub largest_log_r: Option<f64>,
    /// The last groups, latest first.
    pub last: VecDeque<GroupNote>,
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
    /// [`Error::InvalidSetting`](crate::Error::InvalidSetting) for settings that make no sense to this version of the
    /// program.
    pub fn in_force(&self, state: &MonitorState) -> Result<Self> {
        state.settings().map_or(Ok(self.clone()), |settings| self.by_settings(settings))
    }

    /// The state before the first image.
    #[must_use]
    pub fn start(&self, now_ms: i64) -> MonitorState {
        MonitorState::new(self, now_ms, EpochStart::First)
    }
}

impl MonitorState {
    fn new(monitor: &Monitor, now_ms: i64, because: EpochStart) -> Self {
        let all = monitor.plan().map(|_| Part::new(AllGroups::default()));
        Self { settings: Some(monitor.settings().clone()), all, ..Self::empty(now_ms, because) }
    }

    pub(crate) fn empty(now_ms: i64, because: EpochStart) -> Self {
        Self {
            settings: None,
            sequence: 0,
            last_ms: None,
            epoch: Epoch { number: 1, began_ms: now_ms, began_after: 0, because },
            totals: Totals::default(),
            classes: Vec::new(),
            ring: Ring::default(),
            strangest: Strangest::default(),
            all: None,
            streams: BTreeMap::new(),
        }
    }

    /// Takes one image. Where settings have changed what is tested since the last one, an epoch begins with it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`](crate::Error::InvalidState) for a state that was changed from outside; it is as it was then.
    pub fn observe(&mut self, monitor: &Monitor, observation: &Observation) -> Result<Step> {
        if !self.is_of(monitor) {
            self.begin_epoch(monitor, observation.time_ms, EpochStart::Settings);
        }
        let key = self.stream_key(monitor, observation.stream.as_deref());
        if let Some(key) = &key {
            self.check_stream(monitor, key)?;
        }
        self.restate(monitor);
        let class = self.class_index(&observation.predicted_class);
        self.sequence += 1;
        self.last_ms = Some(observation.time_ms);
        let out = observation.out_of_distribution;
        self.totals.count(out);
        self.classes[class].totals.count(out);
        if let Some(key) = &key {
            self.streams.entry(key.clone()).or_default().seen.change().count(observation);
        }
        if let Some(plan) = monitor.plan() {
            self.note(monitor, plan, class, observation);
            if let Some(key) = &key {
                self.test(plan, key, observation);
            }
        }
        let evidence = self.all.as_ref().map(|all| number(all.log_r));
        Ok(Step { sequence: self.sequence, epoch: self.epoch.number, evidence })
    }

    /// What is told of the last images.
    fn note(&mut self, monitor: &Monitor, plan: &Plan, class: usize, observation: &Observation) {
        let Some(out) = observation.out_of_distribution else { return };
        let window = monitor.settings().window;
        self.ring.push(class, out, observation.score > plan.baseline.far, window);
        let (sequence, score) = (self.sequence, observation.score);
        let p_value = observation.p_value.unwrap_or(1.0);
        let (image, picture) = (self.totals.judged, observation.picture());
        self.strangest.push(Candidate { sequence, image, score, p_value, picture }, window);
    }

    /// Tests the groups that are complete with an image.
    fn test(&mut self, plan: &Plan, key: &str, observation: &Observation) {
        // What is drawn at random follows from the image's number: whoever sees the stream again draws the same.
        let mut random = Rng::with_seed(self.sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let stream = self.streams.entry(key.to_owned()).or_default();
        let complete = stream.seen.change().take(plan, observation, &mut random);
        if stream.tested.is_none() && !complete.is_empty() {
            stream.tested = Some(Part::new(Tested { tests: plan.start.clone(), alarm: None }));
        }
        for group in complete {
            self.test_group(plan, key, group, observation.time_ms, &mut random);
        }
    }

    fn test_group(&mut self, plan: &Plan, key: &str, group: Group, time_ms: i64, random: &mut Rng) {
        let Some(all) = self.all.as_mut().map(Part::change) else { return };
        let (Plan { baseline, subjects, .. }, sequence) = (plan, self.sequence);
        let at = |group| Alarm { group, sequence, time_ms };
        let stream = self.streams.get_mut(key).and_then(|stream| stream.tested.as_mut());
        if let Some(Tested { tests, alarm }) = stream.map(Part::change) {
            tests.observe(baseline, subjects, &group.images, random);
            if alarm.is_none() && tests.log_r() >= plan.log_alarm_at {
                *alarm = Some(Raised::by(tests, plan, at(tests.groups)));
            }
        }
        let streams = || tests_of(&self.streams);
        let log_r = log_r_together(streams());
        all.log_r = Some(log_r).filter(|log_r| log_r.is_finite());
        let largest = all.largest_log_r.into_iter().chain(all.log_r);
        all.largest_log_r = largest.reduce(f64::max);
        if all.alarm.is_none() && log_r >= plan.log_alarm_at {
            // By the stream that has found most.
            let loudest = streams().max_by(|a, b| a.log_r().total_cmp(&b.log_r()));
            let groups = streams().map(|tests| tests.groups).sum();
            all.alarm = loudest.map(|tests| Raised::by(tests, plan, at(groups)));
        }
        all.last.push_front(GroupNote::of(key, group, sequence, time_ms));
        all.last.truncate(GROUPS);
    }

    /// Takes over what a monitor states. Where that changes what is tested, an epoch begins.
    pub fn declare(&mut self, monitor: &Monitor, now_ms: i64) {
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

    /// The name that an image's stream is remembered by; none beyond those that are told apart.
    fn stream_key(&self, monitor: &Monitor, stream: Option<&str>) -> Option<String> {
        let most = monitor.settings().streams;
        // Where no streams are told apart, all images are of one.
        let stream = stream.filter(|_| most > 0).unwrap_or_default();
        let named = self.streams.keys().filter(|name| !name.is_empty()).count();
        let has_place = stream.is_empty() || self.streams.contains_key(stream) || named < most;
        has_place.then(|| stream.to_owned())
    }

    /// Images of streams that have no place.
    pub(crate) fn untold(&self) -> u64 {
        let told: u64 = self.streams.values().map(|stream| stream.seen.totals.images).sum();
        self.totals.images.saturating_sub(told)
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
        self.all.as_ref()?.alarm.map(|raised| raised.at)
    }

    /// The strangest images of the window by their numbers, strangest first.
    #[must_use]
    pub fn strangest(&self) -> Vec<u64> {
        self.strangest.sequences().collect()
    }
}

/// The tests of the streams of which a group is complete.
pub(crate) fn tests_of(streams: &BTreeMap<String, Stream>) -> impl Iterator<Item = &GroupTests> {
    streams.values().filter_map(|stream| Some(&stream.tested.as_ref()?.tests))
}

/// What this is the logarithm of, as JSON can have it; 0 before there is any.
pub(crate) fn number(log: Option<f64>) -> f64 {
    log.map_or(0.0, |log| log.exp().min(f64::MAX))
}

impl Content for AllGroups {
    fn is_sound(&self) -> bool {
        self.log_r.iter().chain(&self.largest_log_r).all(|log_r| log_r.is_finite())
            && self.last.len() <= GROUPS
            && self.last.iter().all(|group| group.totals.is_sound())
    }
}

impl GroupNote {
    fn of(stream: &str, group: Group, sequence: u64, time_ms: i64) -> Self {
        let Group { name, totals, images } = group;
        let mean = |value: &dyn Fn(&Sample) -> Option<f64>| images.means(value).last().copied();
        let property = |i| mean(&|image| image.properties.map(|all| all[i]));
        let properties: Option<Vec<f64>> = (0..PROPERTIES).map(property).collect();
        Self {
            stream: stream.to_owned(),
            name,
            totals,
            score: mean(&|image| image.score),
            properties: properties.and_then(|all| all.try_into().ok()),
            sequence,
            time_ms,
        }
    }
}
