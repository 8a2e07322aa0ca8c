//! Which p-value a calibration gives, and among which of its images.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_open_unit};

/// The probability that a calibration-conditional guarantee fails, unless another is asked for.
pub const DEFAULT_DELTA: f64 = 0.01;

/// What a p-value promises, see [the module](super).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PValueKind {
    /// `marginal`: at most a share alpha of false alarms on average over calibration sets.
    #[default]
    Marginal,
    /// `simes`: at most a share alpha given the calibration set at hand, with probability `1 − delta`,
    /// by the generalized Simes inequality.
    Simes {
        /// The probability that the guarantee fails.
        delta: f64,
    },
}

impl PValueKind {
    /// The names that [`PValueKind::from_name`] takes.
    pub const NAMES: [&str; 2] = ["marginal", "simes"];

    /// The kind of this name; `delta` is dropped where the kind has none.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownPValue`], [`Error::InvalidArgument`].
    pub fn from_name(name: &str, delta: f64) -> Result<Self> {
        let kind = match name {
            "marginal" => Self::Marginal,
            "simes" => Self::Simes { delta },
            _ => return Err(unknown(name, Self::NAMES)),
        };
        kind.check()?;
        Ok(kind)
    }

    /// The name by which people and files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Marginal => "marginal",
            Self::Simes { .. } => "simes",
        }
    }

    /// The probability that the guarantee fails, where it is given the calibration set at hand.
    #[must_use]
    pub fn delta(self) -> Option<f64> {
        match self {
            Self::Marginal => None,
            Self::Simes { delta } => Some(delta),
        }
    }

    /// The smallest p-value that `images` calibration images can give: `1/(n + 1)`, `1 − δ^{1/⌊n/2⌋}`;
    /// 1 where there are too few for any other.
    #[must_use]
    pub fn smallest_p_value(self, images: usize) -> f64 {
        match self {
            Self::Marginal => ((images + 1) as f64).recip(),
            Self::Simes { .. } if images < 2 => 1.0,
            Self::Simes { delta } => -(delta.ln() / (images / 2) as f64).exp_m1(),
        }
    }

    /// The smallest number of calibration images with which an alarm at level `alpha` is possible. At
    /// alpha = 5 %: 19, with Simes and δ = 1 % 180.
    #[must_use]
    pub fn required_images(self, alpha: f64) -> usize {
        // The smallest p-value falls with the number of images.
        let suffices = |images: usize| self.smallest_p_value(images) <= alpha;
        let mut high = 1_usize;
        while !suffices(high) {
            match high.checked_mul(2) {
                Some(double) => high = double,
                None => return usize::MAX,
            }
        }
        let mut low = high / 2;
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if suffices(middle) { high = middle } else { low = middle }
        }
        high
    }

    pub(super) fn check(self) -> Result<()> {
        self.delta().map_or(Ok(()), |delta| check_open_unit("delta", delta))
    }
}

/// `marginal`, `simes with delta 0.01`.
impl fmt::Display for PValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.delta() {
            None => f.write_str(self.name()),
            Some(delta) => write!(f, "{} with delta {delta}", self.name()),
        }
    }
}

/// Among which calibration images a score is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PValueWithin {
    /// `all`: all of them.
    #[default]
    All,
    /// `predicted-class`: those of the same predicted class (class-conditional or Mondrian conformal
    /// prediction: Vovk, “Conditional validity of inductive conformal predictors”, ACML 2012). The
    /// guarantee then holds for each predicted class by itself.
    PredictedClass,
}

impl PValueWithin {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::All, Self::PredictedClass];

    /// The name by which people and files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::PredictedClass => "predicted-class",
        }
    }
}

impl FromStr for PValueWithin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|within| within.name() == text);
        found.ok_or_else(|| unknown(text, Self::ALL.map(Self::name)))
    }
}

/// When a score is out of distribution: where its p-value, of this kind and among these calibration
/// images, is at most alpha.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VerdictRule {
    /// The level, strictly between 0 and 1: the tolerated share of false alarms among good images.
    pub alpha: f64,
    /// What the p-value promises.
    pub p_value: PValueKind,
    /// Among which calibration images.
    pub within: PValueWithin,
}

impl VerdictRule {
    /// Marginal p-values among all calibration images.
    #[must_use]
    pub fn marginal(alpha: f64) -> Self {
        Self { alpha, p_value: PValueKind::Marginal, within: PValueWithin::All }
    }

    /// The smallest number of calibration images that this rule needs: in all, or of a class.
    #[must_use]
    pub fn required_images(&self) -> usize {
        self.p_value.required_images(self.alpha)
    }

    /// Refuses a level or a delta that is no probability.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`].
    pub fn check(&self) -> Result<()> {
        check_open_unit("alpha", self.alpha)?;
        self.p_value.check()
    }
}

fn unknown<const N: usize>(found: &str, known: [&str; N]) -> Error {
    Error::UnknownPValue { found: found.to_owned(), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::PValues;
    use super::*;

    const KINDS: [PValueKind; 2] = [PValueKind::Marginal, PValueKind::Simes { delta: 0.01 }];

    fn p_values(images: u32, kind: PValueKind) -> PValues {
        PValues::of_images((1..=images).map(f64::from).collect(), kind).unwrap()
    }

    #[test]
    fn names_are_read_back() {
        for (kind, name) in KINDS.into_iter().zip(PValueKind::NAMES) {
            assert_eq!(kind.name(), name);
            assert_eq!(PValueKind::from_name(name, 0.01).unwrap(), kind);
        }
        assert_eq!(PValueKind::from_name("exact", 0.01).unwrap_err().code(), "unknown_p_value");
        assert_eq!(PValueKind::from_name("simes", 1.0).unwrap_err().code(), "invalid_argument");
        assert!(PValueKind::from_name("marginal", f64::NAN).is_ok());
        for within in PValueWithin::ALL {
            assert_eq!(within.name().parse::<PValueWithin>().unwrap(), within);
            assert_eq!(serde_json::to_value(within).unwrap(), within.name());
        }
    }

    #[test]
    fn required_images_are_the_fewest_that_can_alarm() {
        let required = KINDS.map(|kind| kind.required_images(0.05));
        assert_eq!(required, [19, 180]);
        assert_eq!(PValueKind::Marginal.required_images(0.0), usize::MAX);
    }

    #[test]
    fn the_smallest_p_value_is_that_of_the_strangest_score() {
        for kind in KINDS {
            for images in [0, 1, 2, 3, 19, 99, 200, 2000] {
                let (found, expected) =
                    (p_values(images, kind).p_value(1e9), kind.smallest_p_value(images as usize));
                assert!((found - expected).abs() < 1e-12, "{kind} {images}: {found} {expected}");
            }
        }
        let simes = PValueKind::Simes { delta: 0.01 };
        assert!((simes.smallest_p_value(99) - 0.0897).abs() < 1e-4);
    }

    #[test]
    fn a_delta_next_to_one_still_gives_no_p_value_of_zero() {
        let kind = PValueKind::Simes { delta: 1.0_f64.next_down() };
        let smallest = p_values(1000, kind).p_value(1e9);
        assert!(smallest > 0.0 && smallest < 1e-15, "{smallest}");
    }
}
