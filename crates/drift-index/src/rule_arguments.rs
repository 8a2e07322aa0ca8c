//! The flags that say how an image is scored, and which score is unusual.

use std::error::Error;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sdd_drift::calibration::DEFAULT_ALPHA;
use sdd_drift::{DEFAULT_DELTA, PValueKind, PValueWithin, Score, ScoreMethod, VerdictRule};

/// Score and rule. What is not given is the default, or stays as it was.
#[derive(Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Score and rule (an update keeps what is not given)")]
pub struct RuleArguments {
    /// How an image is compared with the reference [default: knn]
    #[arg(long, value_parser = by_name::<ScoreMethod>(ScoreMethod::ALL.map(ScoreMethod::name)))]
    score: Option<ScoreMethod>,

    /// Which nearest neighbor's distance is the score [default: 5]
    #[arg(short, value_name = "N")]
    k: Option<NonZeroUsize>,

    /// Tolerated share of false alarms [default: 0.05]
    #[arg(long, value_name = "SHARE", value_parser = open_unit_interval)]
    alpha: Option<f64>,

    /// What is promised: alpha on average over calibrations (marginal), or with probability 1 - delta given
    /// this one (simes), which takes more images: 180 by default [default: marginal]
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(PValueKind::NAMES))]
    p_value: Option<String>,

    /// The probability that the promise of simes fails [default: 0.01]
    #[arg(long, value_name = "PROBABILITY", value_parser = open_unit_interval)]
    delta: Option<f64>,

    /// Held-out images that an image is compared with: all, or those of its predicted class, which must
    /// then be enough (19 by default) for a verdict [default: all]
    #[arg(long, value_name = "IMAGES", value_parser = by_name::<PValueWithin>(PValueWithin::ALL.map(PValueWithin::name)))]
    p_value_within: Option<PValueWithin>,
}

impl RuleArguments {
    /// The names of the flags, for clap.
    pub const IDS: [&str; 6] = ["score", "k", "alpha", "p_value", "delta", "p_value_within"];

    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// The score, which was `before`.
    pub fn score(&self, before: Score) -> sdd_drift::Result<Score> {
        let k = self.k.map(NonZeroUsize::get).or(before.k()).unwrap_or(Score::DEFAULT_K);
        Score::new(self.score.unwrap_or(before.method()), k)
    }

    /// When an image is out of distribution; by which rule it was before.
    pub fn rule(&self, before: Option<&VerdictRule>) -> sdd_drift::Result<VerdictRule> {
        let before = before.copied().unwrap_or_else(|| VerdictRule::marginal(DEFAULT_ALPHA));
        let delta_before = match before.p_value {
            PValueKind::Simes { delta } => delta,
            PValueKind::Marginal => DEFAULT_DELTA,
        };
        let delta = self.delta.unwrap_or(delta_before);
        let p_value = match &self.p_value {
            Some(name) => PValueKind::from_name(name, delta)?,
            None => PValueKind::from_name(before.p_value.name(), delta)?,
        };
        let alpha = self.alpha.unwrap_or(before.alpha);
        let within = self.p_value_within.unwrap_or(before.within);
        Ok(VerdictRule { alpha, p_value, within })
    }
}

/// Values that have names, and are read by them.
pub fn by_name<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

pub fn open_unit_interval(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err("expected a share strictly between 0 and 1".into())
    }
}
