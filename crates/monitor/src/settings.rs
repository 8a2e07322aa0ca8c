//! What the user states, in the user's words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Images that a window may have: the state of a larger one would no longer be small.
pub(super) const WINDOW: std::ops::RangeInclusive<usize> = 10..=10_000;

/// What shall be noticed, and how often falsely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonitorSettings {
    /// The share of images out of distribution that is tolerated; none: no more than the calibration's own false
    /// alarms.
    pub tolerated_share: Option<f64>,
    /// δ, the probability that the e-process ever alarms falsely in an epoch.
    pub false_alarm_probability: f64,
    /// Images between two false alarms of the CUSUM, on average.
    pub images_between_false_alarms: f64,
    /// The share of images out of distribution that shall be found fast; none: three times alpha.
    pub share_to_find: Option<f64>,
    /// Images in a window.
    pub window: usize,
    /// Images that can be judged below which no verdict is given.
    pub minimum_images: usize,
    /// The probability of a false alarm in one window, of appearance and of class mix each.
    pub window_false_alarm_probability: f64,
    /// What a changed mix of classes does.
    pub class_mix: ClassMixRule,
}

/// What a changed mix of classes does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClassMixRule {
    /// It is a reason for the verdict `drifting`, though none to train anew.
    #[default]
    Alarm,
    /// It is reported, and changes no verdict: for lines whose mix is not that of the calibration images.
    Report,
}

impl ClassMixRule {
    /// The names that are read.
    pub const NAMES: [&str; 2] = ["alarm", "report"];
}

impl fmt::Display for ClassMixRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alarm => "alarm",
            Self::Report => "report",
        })
    }
}

impl FromStr for ClassMixRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "alarm" => Ok(Self::Alarm),
            "report" => Ok(Self::Report),
            _ => Err(invalid("class_mix", "`alarm` or `report`", text)),
        }
    }
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self {
            tolerated_share: None,
            false_alarm_probability: 0.01,
            images_between_false_alarms: 30_000.0,
            share_to_find: None,
            window: 500,
            minimum_images: 100,
            window_false_alarm_probability: 0.01,
            class_mix: ClassMixRule::default(),
        }
    }
}

impl MonitorSettings {
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] names the setting.
    pub fn check(&self) -> Result<()> {
        let shares = [
            ("tolerated_share", self.tolerated_share),
            ("share_to_find", self.share_to_find),
            ("false_alarm_probability", Some(self.false_alarm_probability)),
            ("window_false_alarm_probability", Some(self.window_false_alarm_probability)),
        ];
        for (name, share) in shares {
            if let Some(share) = share.filter(|share| !(*share > 0.0 && *share < 1.0)) {
                return Err(invalid(name, "a number strictly between 0 and 1", share));
            }
        }
        if let (Some(tolerated), Some(found)) = (self.tolerated_share, self.share_to_find)
            && found <= tolerated
        {
            return Err(invalid("share_to_find", "more than the tolerated share", found));
        }
        if !WINDOW.contains(&self.window) {
            return Err(invalid("window", "10 to 10,000 images", self.window));
        }
        if self.minimum_images == 0 {
            return Err(invalid("minimum_images", "at least 1", 0));
        }
        let between = self.images_between_false_alarms;
        if !(10.0..=1e9).contains(&between) {
            let expected = "10 to 1e9 images";
            return Err(invalid("images_between_false_alarms", expected, between));
        }
        Ok(())
    }
}

fn invalid(name: &'static str, expected: &'static str, found: impl std::fmt::Display) -> Error {
    Error::InvalidSetting { name, expected, found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused_by_their_name() {
        let default = MonitorSettings::default();
        default.check().unwrap();
        let cases = [
            ("tolerated_share", MonitorSettings { tolerated_share: Some(0.0), ..default.clone() }),
            ("share_to_find", MonitorSettings { share_to_find: Some(f64::NAN), ..default.clone() }),
            (
                "share_to_find",
                MonitorSettings {
                    tolerated_share: Some(0.2),
                    share_to_find: Some(0.2),
                    ..default.clone()
                },
            ),
            (
                "false_alarm_probability",
                MonitorSettings { false_alarm_probability: 1.0, ..default.clone() },
            ),
            ("window", MonitorSettings { window: 9, ..default.clone() }),
            ("window", MonitorSettings { window: 10_001, ..default.clone() }),
            ("minimum_images", MonitorSettings { minimum_images: 0, ..default.clone() }),
            (
                "images_between_false_alarms",
                MonitorSettings { images_between_false_alarms: f64::INFINITY, ..default },
            ),
        ];
        for (expected, settings) in cases {
            match settings.check() {
                Err(Error::InvalidSetting { name, .. }) => assert_eq!(name, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
        for name in ClassMixRule::NAMES {
            assert_eq!(name.parse::<ClassMixRule>().unwrap().to_string(), name);
        }
        assert!("loud".parse::<ClassMixRule>().is_err());
    }
}
