//! The check that a stored state is one that images may lead to: it comes from a file or a database that others may
//! have written to, and is trusted only after this.

use crate::error::{Error, Result};
use crate::group_tests::GroupTests;
use crate::plan::Monitor;
use crate::ring::MAX_CLASSES;
use crate::settings::{MonitorSettings, WINDOW};
use crate::state::MonitorState;
use crate::stream::{OpenGroup, Stream};
use crate::totals::Totals;

/// Counts beyond this are none: adding to them shall never overflow.
const MOST: u64 = 1 << 53;

impl MonitorState {
    pub(crate) fn check(&self) -> Result<()> {
        let settings = self.settings().map_or(Ok(()), MonitorSettings::check);
        settings.map_err(|error| Error::InvalidState { source: error.into() })?;
        self.check_counts()?;
        self.check_ring()?;
        let are_sound = self.all.as_ref().is_none_or(GroupTests::is_sound)
            && self.largest.is_none_or(f64::is_finite)
            && self.streams.values().all(Stream::is_sound);
        ensure(are_sound, || "its tests are none that images lead to".to_owned())?;
        let are_sound = self.groups.iter().all(|group| group.totals.is_sound());
        ensure(are_sound, || "its last groups are none".to_owned())
    }

    /// That what is tested is what a monitor tests.
    pub(crate) fn check_plan(&self, monitor: &Monitor) -> Result<()> {
        let Some(plan) = monitor.plan() else { return Ok(()) };
        let streams = self.streams.values().filter_map(|stream| stream.tests.as_ref());
        let is_alike = self.all.iter().chain(streams).all(|tests| tests.is_of(&plan.start));
        ensure(is_alike, || "its tests are others than those of its settings".to_owned())?;
        let subjects = self.streams.values().filter_map(|stream| stream.alarm).chain(self.alarm);
        let known = plan.baseline.classes.len().max(sdd_drift::Properties::NAMES.len());
        let mut subjects = subjects.filter_map(|alarm| alarm.subject);
        ensure(subjects.all(|subject| subject < known), || {
            "its alarm is of nothing that is tested".to_owned()
        })?;
        let classes = plan.baseline.classes.len();
        let open = self.streams.values().filter_map(|stream| stream.open.as_ref());
        ensure(open.flat_map(OpenGroup::classes).all(|class| class < classes), || {
            "its open group has classes that the calibration does not have".to_owned()
        })
    }

    fn check_counts(&self) -> Result<()> {
        let (number, began_after) = (self.epoch.number, self.epoch.began_after);
        ensure((1..=MOST).contains(&number), || format!("the epoch has the number {number}"))?;
        ensure(self.sequence <= MOST, || format!("{} images are numbered", self.sequence))?;
        let images = self.totals.images.checked_add(began_after);
        ensure(images == Some(self.sequence), || {
            format!("{images:?} images are counted, {} numbered", self.sequence)
        })?;
        ensure(self.classes.len() <= MAX_CLASSES, || format!("{} classes", self.classes.len()))?;
        ensure(self.totals.is_sound(), || format!("the counts are {:?}", self.totals))?;
        self.check_parts("class", self.classes.iter().map(|class| class.totals))?;
        self.check_parts("stream", self.streams.values().map(|stream| stream.totals))?;
        ensure(self.strangest.is_sound(|image, sequence| self.has_seen(image, sequence)), || {
            "the strangest images are none of the epoch's".to_owned()
        })
    }

    fn check_parts(&self, of: &str, parts: impl Iterator<Item = Totals>) -> Result<()> {
        let mut sum = Totals::default();
        for part in parts {
            let is_part = part.is_sound() && part.images <= self.totals.images;
            ensure(is_part, || format!("the counts of a {of} are {part:?}"))?;
            sum.images = sum.images.saturating_add(part.images);
            sum.judged = sum.judged.saturating_add(part.judged);
            sum.out_of_distribution =
                sum.out_of_distribution.saturating_add(part.out_of_distribution);
        }
        ensure(sum == self.totals, || format!("{:?} are counted, {sum:?} by {of}", self.totals))
    }

    fn check_ring(&self) -> Result<()> {
        let in_window = self.ring.len() as u64;
        let most = self.totals.judged.min(*WINDOW.end() as u64);
        ensure(in_window <= most, || format!("{in_window} images are in a window"))?;
        let known = self.classes.len();
        ensure(self.ring.classes() <= known, || {
            format!("{known} classes are named, and more occur")
        })?;
        for (class, (images, out)) in self.classes.iter().zip(self.ring.by_class(known)) {
            let of_class = class.totals;
            let is_part = images <= of_class.judged && out <= of_class.out_of_distribution;
            ensure(is_part, || {
                format!("{images} images of {} are in the window, {out} out", class.class)
            })?;
        }
        Ok(())
    }

    /// Whether an image was judged in this epoch: by its place among the judged, and its number.
    fn has_seen(&self, image: u64, sequence: u64) -> bool {
        (1..=self.totals.judged).contains(&image)
            && sequence > self.epoch.began_after
            && sequence <= self.sequence
    }
}

fn ensure(is_so: bool, found: impl FnOnce() -> String) -> Result<()> {
    if is_so { Ok(()) } else { Err(Error::InvalidState { source: found().into() }) }
}
