//! What the user states, in the user's words.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Images that a window may have: the state of a larger one would no longer be small.
pub(crate) const WINDOW: std::ops::RangeInclusive<usize> = 10..=10_000;

/// Images that a block may have.
const GROUP_SIZE: std::ops::RangeInclusive<usize> = 1..=10_000;

/// Streams that may have a verdict of their own: what is stored grows by some 20 kB with each.
const STREAMS: std::ops::RangeInclusive<usize> = 0..=100;

/// What shall be noticed, and how often falsely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonitorSettings {
    /// Groups (parts, trays, shifts: what the reference's images are grouped by) between two false alarms, on average
    /// at least.
    pub groups_between_false_alarms: f64,
    /// Images that make a group where nobody says which group an image is of; none: as many as the middle group of the
    /// calibration has.
    pub group_size: Option<usize>,
    /// By what share groups may be stranger than those of the calibration before it counts: 0.1 is 10 %.
    pub tolerance: f64,
    /// The mix of classes that the line is said to have: `calibration`, or `class=share` separated by commas; none: the
    /// mix is told and raises no alarm.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub expected_mix: Option<ExpectedMix>,
    /// The class that the model decides for by a threshold, of which precision and recall are expected; none where it
    /// decides otherwise. The model says it, and not the user.
    #[serde(default)]
    pub positive_class: Option<String>,
    /// The last images that shares are told of.
    pub window: usize,
    /// Streams (cameras, lines) that have a verdict of their own, at most.
    pub streams: usize,
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self {
            groups_between_false_alarms: 10_000.0,
            group_size: None,
            tolerance: 0.0,
            expected_mix: None,
            positive_class: None,
            window: 500,
            streams: 16,
        }
    }
}

impl MonitorSettings {
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] names the setting.
    pub fn check(&self) -> Result<()> {
        let between = self.groups_between_false_alarms;
        if !(10.0..=1e12).contains(&between) {
            return Err(invalid("groups_between_false_alarms", "10 to 1e12 groups", between));
        }
        if let Some(size) = self.group_size.filter(|size| !GROUP_SIZE.contains(size)) {
            return Err(invalid("group_size", "1 to 10,000 images", size));
        }
        if !(0.0..=10.0).contains(&self.tolerance) {
            return Err(invalid("tolerance", "a share of 0 to 10", self.tolerance));
        }
        if let Some(ExpectedMix::Stated(mix)) = &self.expected_mix {
            check_mix(mix)?;
        }
        if !WINDOW.contains(&self.window) {
            return Err(invalid("window", "10 to 10,000 images", self.window));
        }
        if !STREAMS.contains(&self.streams) {
            return Err(invalid("streams", "0 to 100", self.streams));
        }
        Ok(())
    }

    /// Whether the same is tested by these, so that one's evidence is the other's.
    pub(crate) fn tests_as(&self, other: &Self) -> bool {
        self == other
            || Self { window: other.window, streams: other.streams, ..self.clone() } == *other
    }
}

/// The mix of predicted classes that a line is said to have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ExpectedMix {
    /// That of the calibration's groups.
    Calibration,
    /// The mean share of each of these classes; classes that are not named share the rest.
    Stated(BTreeMap<String, f64>),
}

impl FromStr for ExpectedMix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "calibration" {
            return Ok(Self::Calibration);
        }
        let expected = "`calibration`, or CLASS=SHARE separated by commas";
        let refuse = || invalid("expected_mix", expected, text);
        let part = |part: &str| {
            let (class, share) = part.rsplit_once('=')?;
            Some((class.trim().to_owned(), share.trim().parse().ok()?))
        };
        let parts: Option<Vec<(String, f64)>> = text.split(',').map(part).collect();
        let parts = parts.ok_or_else(refuse)?;
        let (named, mix) = (parts.len(), parts.into_iter().collect::<BTreeMap<_, _>>());
        if mix.len() < named {
            return Err(invalid("expected_mix", "each class once", text));
        }
        check_mix(&mix)?;
        Ok(Self::Stated(mix))
    }
}

impl fmt::Display for ExpectedMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calibration => f.write_str("calibration"),
            Self::Stated(mix) => {
                let parts: Vec<String> =
                    mix.iter().map(|(class, share)| format!("{class}={share}")).collect();
                f.write_str(&parts.join(","))
            }
        }
    }
}

impl TryFrom<String> for ExpectedMix {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ExpectedMix> for String {
    fn from(mix: ExpectedMix) -> Self {
        mix.to_string()
    }
}

fn check_mix(mix: &BTreeMap<String, f64>) -> Result<()> {
    // Of less, single images would be worth more than any number can say.
    let expected = "shares of 0.000001 at least, below 1, that add up to 1 at most";
    let are_shares = mix.values().all(|share| *share >= 1e-6 && *share < 1.0);
    if are_shares && mix.values().sum::<f64>() <= 1.0 + 1e-9 {
        Ok(())
    } else {
        Err(invalid("expected_mix", expected, ExpectedMix::Stated(mix.clone())))
    }
}

fn invalid(name: &'static str, expected: &'static str, found: impl fmt::Display) -> Error {
    Error::InvalidSetting { name, expected, found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused_by_their_name() {
        let default = MonitorSettings::default();
        default.check().unwrap();
        let mix = BTreeMap::from([("a".to_owned(), 0.7), ("b".to_owned(), 0.4)]);
        let cases = [
            (
                "groups_between_false_alarms",
                MonitorSettings { groups_between_false_alarms: f64::NAN, ..default.clone() },
            ),
            ("group_size", MonitorSettings { group_size: Some(0), ..default.clone() }),
            ("tolerance", MonitorSettings { tolerance: -0.1, ..default.clone() }),
            ("tolerance", MonitorSettings { tolerance: f64::NAN, ..default.clone() }),
            (
                "expected_mix",
                MonitorSettings { expected_mix: Some(ExpectedMix::Stated(mix)), ..default.clone() },
            ),
            ("window", MonitorSettings { window: 9, ..default.clone() }),
            ("window", MonitorSettings { window: 10_001, ..default.clone() }),
            ("streams", MonitorSettings { streams: 101, ..default }),
        ];
        for (expected, settings) in cases {
            match settings.check() {
                Err(Error::InvalidSetting { name, .. }) => assert_eq!(name, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_mix_is_read_as_it_is_written() {
        for text in ["calibration", "defect=0.02", "a=b=0.25,c=0.5"] {
            let mix: ExpectedMix = text.parse().unwrap();
            assert_eq!(mix.to_string(), text);
            let json = serde_json::to_string(&mix).unwrap();
            assert_eq!(serde_json::from_str::<ExpectedMix>(&json).unwrap(), mix);
        }
        for text in ["", "a", "a=", "a=2", "a=0", "a=1e-300", "a=0.6,b=0.6", "a=0.1,a=0.2", "a=nan"]
        {
            assert!(text.parse::<ExpectedMix>().is_err(), "{text}");
        }
    }
}
