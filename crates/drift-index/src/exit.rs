//! What the exit code says.

use std::process::ExitCode;

use sdd_drift::batch::Status;

/// Shown below `--help`.
pub const HELP: &str = "\
Exit codes:
  0    done; no drift
  1    drift: the images are drifting, or the one image is out of distribution;
       show --diff: the two differ
  2    an error, or wrong usage
  3    done, with images left out that cannot be used;
       show --verify: sound, but an earlier generation is not
  4    too few images to say, or nothing to compare them with
  130  interrupted; what was there before is as it was

Results go to standard output, progress and errors to standard error
(more with SDD_LOG=info). With --json, a failure too is one document:
{\"status\":\"error\",\"error\":{\"code\",\"message\"}}.";

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done, and nothing was found that a person should look at.
    Success,
    /// An image is out of distribution, or several have drifted.
    Drift,
    /// Two stores are not the same.
    Different,
    /// No answer.
    Error,
    /// Done with less than was asked for, or not all that a store keeps is sound.
    Partial,
    /// Too few images for an answer.
    TooFew,
    /// Stopped by a signal.
    Interrupted,
}

impl ExitStatus {
    /// Of work that is done, with some images left out or with all.
    pub fn done(left_out: bool) -> Self {
        if left_out { Self::Partial } else { Self::Success }
    }

    /// Of a verdict on images, of which some may have been left out.
    pub fn of_verdict(verdict: Status, left_out: bool) -> Self {
        match verdict {
            Status::Drifting => Self::Drift,
            Status::InsufficientData => Self::TooFew,
            Status::Stable => Self::done(left_out),
        }
    }

    /// The name under `status` in JSON.
    pub fn name(self) -> &'static str {
        self.name_and_code().0
    }

    fn name_and_code(self) -> (&'static str, u8) {
        match self {
            Self::Success => ("ok", 0),
            Self::Drift => ("drift", 1),
            Self::Different => ("different", 1),
            Self::Error => ("error", 2),
            Self::Partial => ("partial", 3),
            Self::TooFew => ("insufficient_data", 4),
            Self::Interrupted => ("interrupted", 130),
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.name_and_code().1)
    }
}
