//! What is kept of uploads and predictions, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sdd_serving::capture::CaptureOptions;

use crate::settings::duration::{DAY, duration};
use crate::settings::range::at_least_one;

const SECOND: Duration = Duration::from_secs(1);

/// What is kept of uploads and predictions, and for how long.
#[derive(Debug, Clone, Args)]
pub struct CaptureSettings {
    /// Folder in which uploads and a record of each prediction are kept [default: nothing is kept]
    #[arg(long = "capture", value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Share of the images that is kept, 0 to 1, chosen by their content: the same image always or
    /// never
    #[arg(long = "capture-share",
          value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    pub share: f64,
    /// Whether what is out of distribution is always kept
    #[arg(long = "capture-always-ood",
          value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub always_ood: bool,
    /// Confidence below which a prediction is always kept; 0 turns this off
    #[arg(long = "capture-below-confidence", value_name = "P", default_value_t = 0.8,
          value_parser = share)]
    pub below_confidence: f64,
    /// Bytes that the folder may take: beyond, the oldest files are removed; 0 sets no limit
    #[arg(id = "capture_max_bytes", long = "capture-max-bytes",
          value_name = "BYTES", default_value_t = 10 << 30)]
    pub max_bytes: u64,
    /// Time after which a file is removed, as 12h or 30d, counted from the last prediction that it was
    /// kept for [default: never]
    #[arg(long = "capture-max-age",
          value_name = "TIME", value_parser = duration(SECOND, DAY * 36_500))]
    pub max_age: Option<Duration>,
    /// Bytes of images that may wait to be written; more are not kept, nor is an image that is larger.
    /// What is kept for nothing but --capture-share has three quarters of it
    #[arg(long = "capture-queue-bytes", value_name = "BYTES",
          default_value_t = 64 << 20, value_parser = at_least_one(1 << 40))]
    pub queue_bytes: usize,
    /// Time after which writing is tried again where it has failed
    #[arg(long = "capture-retry",
          value_name = "TIME", default_value = "60s", value_parser = duration(SECOND, DAY))]
    pub retry: Duration,
}

impl CaptureSettings {
    /// What the capture needs to know; `None` where nothing is kept.
    pub fn options(&self) -> Option<CaptureOptions> {
        Some(CaptureOptions {
            directory: self.directory.clone()?,
            share: self.share,
            always_ood: self.always_ood,
            below_confidence: self.below_confidence,
            max_bytes: Some(self.max_bytes).filter(|bytes| *bytes > 0),
            max_age: self.max_age,
            queue_bytes: self.queue_bytes,
            retry_after: self.retry,
        })
    }
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::settings::{CaptureSettings, Cli};

    fn parse(arguments: &[&str]) -> Option<CaptureSettings> {
        let arguments = [&["sdd-server"], arguments].concat();
        Cli::try_parse_from(arguments).ok().map(|cli| cli.settings.capture)
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        assert_eq!(parse(&["--capture-share", "0.25"]).map(|settings| settings.share), Some(0.25));
        for flag in ["--capture-share", "--capture-below-confidence"] {
            for bad in ["1.1", "-0.1", "NaN", "inf", "all", ""] {
                assert!(parse(&[&format!("{flag}={bad}")]).is_none(), "{flag}={bad}");
            }
        }
    }
}
