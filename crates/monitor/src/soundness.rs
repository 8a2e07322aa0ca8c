//! The check that a stored state is one that images may lead to: it comes from a file or a database that others may
//! have written to, and is trusted only after this.

use sdd_stats::MAX_COUNT;

use crate::error::{Error, Result};
use crate::plan::Monitor;
use crate::ring::MAX_CLASSES;
use crate::settings::{MonitorSettings, WINDOW};
use crate::state::MonitorState;
use crate::totals::Totals;

impl MonitorState {
    /// That its head and its parts are of one stream of images; each part is sound by itself.
    pub(crate) fn check(&self) -> Result<()> {
        let settings = self.settings().map_or(Ok(()), MonitorSettings::check);
        settings.map_err(|error| Error::InvalidState { source: error.into() })?;
        self.check_counts()?;
        self.check_ring()
    }

    /// That what is tested of a stream is what a monitor tests.
    pub(crate) fn check_stream(&self, monitor: &Monitor, name: &str) -> Result<()> {
        let Some(plan) = monitor.plan() else { return Ok(()) };
        let stream = self.streams.get(name);
        let tests = stream.and_then(|stream| Some(&stream.tested.as_ref()?.tests));
        ensure(tests.is_none_or(|tests| tests.is_of(&plan.start)), || {
            "its tests are others than those of its settings".to_owned()
        })?;
        let classes = plan.baseline.classes.len();
        let mut open = stream.into_iter().flat_map(|stream| stream.seen.open_classes());
        ensure(open.all(|class| class < classes), || {
            "its open group has classes that the calibration does not have".to_owned()
        })
    }

    fn check_counts(&self) -> Result<()> {
        let (number, began_after) = (self.epoch.number, self.epoch.began_after);
        ensure((1..=MAX_COUNT).contains(&number), || format!("the epoch has the number {number}"))?;
        ensure(self.sequence <= MAX_COUNT, || format!("{} images are numbered", self.sequence))?;
        let images = self.totals.images.checked_add(began_after);
        ensure(images == Some(self.sequence), || {
            format!("{images:?} images are counted, {} numbered", self.sequence)
        })?;
        ensure(self.classes.len() <= MAX_CLASSES, || format!("{} classes", self.classes.len()))?;
        ensure(self.totals.is_sound(), || format!("the counts are {:?}", self.totals))?;
        let sum = self.sum("class", self.classes.iter().map(|class| class.totals))?;
        ensure(sum == self.totals, || format!("{:?} are counted, {sum:?} by class", self.totals))?;
        // Images of streams beyond those that are told apart are of none.
        let sum = self.sum("stream", self.streams.values().map(|stream| stream.seen.totals))?;
        ensure(is_part(sum, self.totals), || {
            format!("{:?} are counted, {sum:?} by stream", self.totals)
        })?;
        ensure(self.strangest.is_sound(|image, sequence| self.has_seen(image, sequence)), || {
            "the strangest images are none of the epoch's".to_owned()
        })
    }

    fn sum(&self, of: &str, parts: impl Iterator<Item = Totals>) -> Result<Totals> {
        let mut sum = Totals::default();
        for part in parts {
            let is_part = part.is_sound() && part.images <= self.totals.images;
            ensure(is_part, || format!("the counts of a {of} are {part:?}"))?;
            sum.images = sum.images.saturating_add(part.images);
            sum.judged = sum.judged.saturating_add(part.judged);
            sum.out_of_distribution =
                sum.out_of_distribution.saturating_add(part.out_of_distribution);
        }
        Ok(sum)
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

fn is_part(part: Totals, of: Totals) -> bool {
    part.images <= of.images
        && part.judged <= of.judged
        && part.out_of_distribution <= of.out_of_distribution
}

fn ensure(is_so: bool, found: impl FnOnce() -> String) -> Result<()> {
    if is_so { Ok(()) } else { Err(Error::InvalidState { source: found().into() }) }
}
