//! One stream of images, as of a camera or a line: which of them are a group, and the tests of its groups.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::accuracy::{Accuracy, GroupAccuracy};
use crate::group_tests::{GroupTests, TestEvidence};
use crate::observation::Observation;
use crate::part::{Content, Part};
use crate::plan::Plan;
use crate::sample::{Reservoir, Sample};
use crate::terms::{Alarm, TestName};
use crate::totals::Totals;

/// The same picture so many times in a row is no accident: a camera stands still, or one file is sent again and again.
pub(crate) const REPEATS: u64 = 20;

/// Images of the stream after the end of a group that may still be of it, as where several servers answer for one line:
/// they are counted and not tested.
const LATE: u64 = 8;

/// Groups that ended last of which that is remembered.
const ENDED: usize = 4;

/// What is remembered of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stream {
    pub seen: Part<Seen>,
    /// The tests of its groups; none before the first one is complete.
    pub tested: Option<Part<Tested>>,
}

impl Default for Stream {
    fn default() -> Self {
        Self { seen: Part::new(Seen::default()), tested: None }
    }
}

/// Tests, and what they have found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tested {
    pub tests: GroupTests,
    pub alarm: Option<Raised>,
}

/// What each image of a stream changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub totals: Totals,
    pub last_ms: Option<i64>,
    /// The group that images belong to at the moment.
    pub open: Option<OpenGroup>,
    ended: Vec<Ended>,
    /// The last picture, see [`Observation::picture`], and how many times in a row it has come.
    picture: u64,
    pub repeats: u64,
    /// Of the groups that are complete.
    pub accuracy: Accuracy,
}

/// An alarm, and what it was raised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Raised {
    pub at: Alarm,
    /// The test that most of the evidence was of.
    pub test: TestName,
    /// Which property or class.
    pub subject: Option<usize>,
    pub is_greater: bool,
}

impl Raised {
    /// By the test of these that most of the evidence is of.
    pub fn by(tests: &GroupTests, plan: &Plan, at: Alarm) -> Self {
        let by_test = tests.by_test(&plan.subjects);
        let weighed = |one: &&TestEvidence| one.log_r + one.weight.ln();
        let loudest = by_test.iter().max_by(|a, b| weighed(a).total_cmp(&weighed(b)));
        loudest.map_or(
            Self { at, test: TestName::Appearance, subject: None, is_greater: true },
            |one| Self { at, test: one.test, subject: one.subject, is_greater: one.is_greater },
        )
    }
}

/// A group of which more images may come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct OpenGroup {
    /// As it was named; none: it is a block of images in their order.
    pub name: Option<String>,
    pub totals: Totals,
    kept: Reservoir,
    accuracy: GroupAccuracy,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ended {
    name: String,
    /// The place of the first image after it among those of the stream.
    before: u64,
}

/// A group that is complete.
pub(crate) struct Group {
    pub name: Option<String>,
    pub totals: Totals,
    pub images: Reservoir,
}

impl Seen {
    /// Takes an image that was counted, and gives the groups that are complete with it: the one before, or its own.
    pub fn take(&mut self, plan: &Plan, observation: &Observation, random: &mut Rng) -> Vec<Group> {
        let image = self.totals.images;
        let name = observation.group.as_deref();
        let is_late =
            |ended: &Ended| Some(&*ended.name) == name && ended.before.saturating_add(LATE) > image;
        if self.ended.iter().any(is_late) {
            return Vec::new();
        }
        let mut complete = Vec::new();
        if self.open.as_ref().is_some_and(|open| open.name.as_deref() != name) {
            complete.extend(self.end_group(image, random));
        }
        let open = self.open.get_or_insert_with(|| OpenGroup {
            name: name.map(str::to_owned),
            ..OpenGroup::default()
        });
        let sample: Sample = plan.sample(observation);
        open.kept.push(open.totals.images, sample, random);
        open.totals.count(observation.out_of_distribution);
        open.accuracy.count(observation, plan.positive_class.as_deref());
        if name.is_none() && open.totals.images >= plan.block {
            complete.extend(self.end_group(image, random));
        }
        complete
    }

    fn end_group(&mut self, image: u64, random: &mut Rng) -> Option<Group> {
        let OpenGroup { name, totals, kept, accuracy } = self.open.take()?;
        self.accuracy.add(&accuracy);
        if let Some(name) = &name {
            self.ended.insert(0, Ended { name: name.clone(), before: image });
            self.ended.truncate(ENDED);
        }
        Some(Group { name, totals, images: kept.shuffled(random) })
    }

    /// The classes of the open group's images, by their places among those of the calibration.
    pub fn open_classes(&self) -> impl Iterator<Item = usize> + '_ {
        let images = self.open.iter().flat_map(|open| &open.kept.0);
        images.filter_map(|image| image.class)
    }

    /// Counts an image, and how often its picture has come in a row.
    pub fn count(&mut self, observation: &Observation) {
        self.totals.count(observation.out_of_distribution);
        self.last_ms = Some(observation.time_ms);
        let picture = observation.picture();
        if self.repeats > 0 && self.picture == picture {
            self.repeats += 1;
        } else {
            (self.picture, self.repeats) = (picture, 1);
        }
    }
}

impl Content for Seen {
    fn is_sound(&self) -> bool {
        let open = self.open.as_ref();
        self.totals.is_sound()
            && self.repeats <= self.totals.images
            && open.is_none_or(|open| {
                open.totals.is_sound()
                    && open.totals.images <= self.totals.images
                    && open.kept.is_sound()
                    && open.accuracy.is_sound(open.totals.images)
            })
            && self.ended.len() <= ENDED
            && self.accuracy.is_sound()
    }
}

impl Content for Tested {
    fn is_sound(&self) -> bool {
        self.tests.is_sound()
    }
}
