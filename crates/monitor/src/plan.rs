//! What is tested, and at which levels.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::settings::MonitorSettings;
use crate::error::Result;
use sdd_stats::distributions::beta_cdf;
use sdd_stats::sequential::{CusumDesign, Guarantee, WindowTest};

/// The share of calibrations for which the CUSUM may run shorter than stated.
const CUSUM_CALIBRATIONS: f64 = 0.05;

/// A rise that is less than this would hardly ever be told from none.
const LEAST_RISE: f64 = 1.25;

/// What is tested, and at which levels: it follows from settings and calibration, and never changes.
///
/// Making one takes milliseconds, for the CUSUM's run length; share it.
#[derive(Debug, Clone)]
pub struct Monitor {
    settings: MonitorSettings,
    tests: Option<Tests>,
    /// That of the settings which others have declared, made once.
    of_others: Arc<Mutex<Option<Arc<Monitor>>>>,
}

/// The monitor whose settings are in force for a state.
#[derive(Debug, Clone)]
pub enum InForce<'a> {
    /// The one that was asked.
    Own(&'a Monitor),
    /// One of the same baseline, by settings that another server has declared.
    Other(Arc<Monitor>),
}

impl Deref for InForce<'_> {
    type Target = Monitor;

    fn deref(&self) -> &Monitor {
        match self {
            Self::Own(monitor) => monitor,
            Self::Other(monitor) => monitor,
        }
    }
}

/// The tests against a calibration.
#[derive(Debug, Clone)]
pub struct Tests {
    pub(super) baseline: Baseline,
    pub(super) guarantee: Guarantee,
    pub(super) cusum: CusumDesign,
    pub(super) window: WindowTest,
    /// The share that the user tolerates, or else the rate that the calibration's false alarms hardly exceed.
    pub(super) tolerated: f64,
    /// The size of the tests of a window.
    pub(super) window_size: f64,
}

/// The parameters that a state's numbers depend on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Basis {
    pub window: usize,
    pub level: f64,
    pub alarm_at: f64,
    pub p0: f64,
    pub p1: f64,
    pub threshold: f64,
}

impl Monitor {
    /// Without a baseline, as for a reference without calibration, images are counted and nothing is tested.
    ///
    /// # Errors
    ///
    /// As [`MonitorSettings::check`]; [`sdd_stats::Error::RatesTooClose`] for a share to be found
    /// that is too close to what is tolerated, and what the statistics refuse of the calibration.
    pub fn new(settings: MonitorSettings, baseline: Option<Baseline>) -> Result<Self> {
        settings.check()?;
        let tests = baseline.map(|baseline| Tests::new(&settings, baseline)).transpose()?;
        Ok(Self { settings, tests, of_others: Arc::default() })
    }

    /// The user's settings.
    #[must_use]
    pub fn settings(&self) -> &MonitorSettings {
        &self.settings
    }

    /// The tests; `None` without a calibration.
    #[must_use]
    pub fn tests(&self) -> Option<&Tests> {
        self.tests.as_ref()
    }

    /// The monitor of other settings and the same baseline. The last one that was made is kept.
    ///
    /// # Errors
    ///
    /// As [`Monitor::new`], for settings of another version of this program.
    pub(super) fn by_settings(&self, settings: &MonitorSettings) -> Result<InForce<'_>> {
        if *settings == self.settings {
            return Ok(InForce::Own(self));
        }
        // What is in there is whole or not there.
        let mut made = self.of_others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(monitor) = made.as_ref().filter(|monitor| monitor.settings == *settings) {
            return Ok(InForce::Other(Arc::clone(monitor)));
        }
        let baseline = self.tests.as_ref().map(|tests| tests.baseline.clone());
        let monitor = Arc::new(Self::new(settings.clone(), baseline)?);
        *made = Some(Arc::clone(&monitor));
        Ok(InForce::Other(monitor))
    }

    pub(super) fn basis(&self) -> Option<Basis> {
        self.tests.as_ref().map(|tests| Basis {
            window: self.settings.window,
            level: tests.guarantee.level(),
            alarm_at: tests.guarantee.alarm_at(),
            p0: tests.cusum.p0,
            p1: tests.cusum.p1,
            threshold: tests.cusum.threshold,
        })
    }
}

impl Tests {
    fn new(settings: &MonitorSettings, baseline: Baseline) -> Result<Self> {
        let none = || sdd_stats::Error::invalid_argument("rates", "a calibrated threshold", "none");
        let widest = baseline.widest()?.ok_or_else(none)?;
        let delta = settings.false_alarm_probability;
        let stated = settings.tolerated_share.unwrap_or(0.0);
        let bound = |delta| Ok(stated.max(baseline.upper_bound(delta)?));
        let guarantee = Guarantee::of_bound(delta, bound)?;
        let tolerated = guarantee.level();
        let p0 = stated.max(baseline.upper_bound(CUSUM_CALIBRATIONS)?);
        let wanted = settings.share_to_find.unwrap_or(3.0 * baseline.alpha).min(0.99);
        // Between p0 and 1, for a calibration that cannot tell the stated share from its own false alarms.
        let least = (LEAST_RISE * p0).min(f64::midpoint(p0, 1.0));
        let run_length = settings.images_between_false_alarms.max(2.0 / p0);
        let cusum = CusumDesign::for_run_length(p0, wanted.max(least), run_length)?;
        let window = WindowTest::new(widest.images, widest.mean(), settings.window)?;
        let window_size = settings.window_false_alarm_probability;
        Ok(Self { baseline, guarantee, cusum, window, tolerated, window_size })
    }

    /// What the calibration says.
    #[must_use]
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// The share of images out of distribution that counts as no drift: the tolerated one, or the rate that the
    /// calibration's false alarms exceed with probability δ/2 at most, whichever is larger.
    #[must_use]
    pub fn tolerated(&self) -> f64 {
        self.tolerated
    }

    /// The CUSUM's rates, threshold, run length and delay.
    #[must_use]
    pub fn cusum(&self) -> &CusumDesign {
        &self.cusum
    }

    /// `P(K ≥ count)` in a full window without drift: beta-binomial, and where a share is tolerated also by
    /// the binomial distribution of that share, whichever is larger.
    pub(super) fn window_p_value(&self, count: usize, tolerated_share: Option<f64>) -> Result<f64> {
        let window = self.window.window();
        let calibrated = self.window.upper_tail(count);
        let tolerated = match tolerated_share {
            None => 0.0,
            Some(_) if count == 0 => 1.0,
            Some(share) => beta_cdf(count as f64, (window - count + 1) as f64, share)?,
        };
        Ok(calibrated.max(tolerated))
    }
}
