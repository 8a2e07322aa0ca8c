//! The check that a stored state is one that a stream of images may lead to: it comes from a file or a database that
//! others may have written to, and is trusted only after this.

use super::ring::MAX_CLASSES;
use super::settings::{MonitorSettings, WINDOW};
use super::state::{MonitorState, Totals, WindowCheck};
use super::terms::Alarm;
use crate::error::{Error, Result};

/// Counts beyond this are none: adding to them shall never overflow.
const MOST: u64 = 1 << 53;

impl MonitorState {
    pub(super) fn check(&self) -> Result<()> {
        let window = self.window()?;
        let settings = self.settings().map_or(Ok(()), MonitorSettings::check);
        settings.map_err(|error| Error::InvalidState { source: error.into() })?;
        self.check_counts()?;
        self.check_ring(window)?;
        self.check_window_check(window)?;
        self.check_tests()
    }

    /// Images in a window; 0 where nothing is tested.
    fn window(&self) -> Result<u64> {
        let Some(basis) = self.basis else { return Ok(0) };
        ensure(WINDOW.contains(&basis.window), || format!("a window of {} images", basis.window))?;
        Ok(basis.window as u64)
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
        let mut sum = Totals::default();
        for class in &self.classes {
            // Each is at most the total, so that no sum of 10,000 of them overflows.
            let is_part = class.totals.is_sound() && class.totals.images <= self.totals.images;
            ensure(is_part, || format!("the counts of {} are {:?}", class.class, class.totals))?;
            sum.images += class.totals.images;
            sum.judged += class.totals.judged;
            sum.out_of_distribution += class.totals.out_of_distribution;
        }
        ensure(sum == self.totals, || format!("{:?} are counted, {sum:?} by class", self.totals))
    }

    fn check_ring(&self, window: u64) -> Result<()> {
        let in_window = self.ring.len() as u64;
        ensure(in_window == self.totals.judged.min(window), || {
            format!("{in_window} images are in a window of {window}")
        })?;
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

    fn check_window_check(&self, window: u64) -> Result<()> {
        let judged = self.totals.judged;
        let Some(check) = &self.check else {
            let is_before_the_first = window == 0 || judged < window;
            return ensure(is_before_the_first, || {
                format!("a window of {window} was full among {judged} images, and was not tested")
            });
        };
        let WindowCheck { at, out_of_distribution, by_class, mix_p_value } = check;
        // Windows do not overlap: the last one was full at the last multiple of its size.
        let full_at = judged.checked_rem(window).map(|since| judged - since);
        ensure(at.image > 0 && Some(at.image) == full_at && self.has_seen(at), || {
            format!("of {judged} images a window of {window} was tested at {at:?}")
        })?;
        let images = by_class.iter().try_fold(0_u64, |sum, images| sum.checked_add(*images));
        let is_full = *out_of_distribution as u64 <= window && images == Some(window);
        ensure(is_full && by_class.len() <= self.classes.len(), || {
            format!(
                "{out_of_distribution} images, and {by_class:?} by class, were in a window of {window}"
            )
        })?;
        let is_p_value = mix_p_value.is_none_or(|p_value| p_value > 0.0 && p_value <= 1.0);
        ensure(is_p_value, || format!("a window's mix has the p-value {mix_p_value:?}"))
    }

    fn check_tests(&self) -> Result<()> {
        let (cusum, largest) = (self.cusum, self.cusum_largest);
        ensure(cusum >= 0.0 && cusum <= largest && largest.is_finite(), || {
            format!("a CUSUM of {cusum}, and {largest} at the most")
        })?;
        for alarm in [self.e_process_alarm, self.cusum_alarm].iter().flatten() {
            ensure(self.has_seen(alarm), || format!("an alarm was raised at {alarm:?}"))?;
        }
        let observed = self.e_process.as_ref().map(|e_process| e_process.observed);
        ensure(observed.is_none_or(|observed| observed == self.totals.judged), || {
            format!("{} images were judged, {observed:?} tested", self.totals.judged)
        })?;
        ensure(self.strangest.is_sound(|at| self.has_seen(&at)), || {
            "the strangest images are none of the epoch's".to_owned()
        })
    }

    /// Whether a moment is one of an image of this epoch.
    fn has_seen(&self, at: &Alarm) -> bool {
        (1..=self.totals.judged).contains(&at.image)
            && at.sequence > self.epoch.began_after
            && at.sequence <= self.sequence
    }
}

impl Totals {
    fn is_sound(self) -> bool {
        self.out_of_distribution <= self.judged && self.judged <= self.images
    }
}

fn ensure(is_so: bool, found: impl FnOnce() -> String) -> Result<()> {
    if is_so { Ok(()) } else { Err(Error::InvalidState { source: found().into() }) }
}
