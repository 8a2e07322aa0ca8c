//! What the exit code says.

use std::process::ExitCode;

/// Shown below `--help`.
pub const HELP: &str = "\
Exit codes:
  0    done; query: no image is out of distribution, or the store has no calibration to tell;
       check, report: stable, or too few images to tell
  1    query: at least one image is out of distribution; check, report: drifting; diff: they
       differ
  2    an error, wrong usage, or an image of several that query could not answer
  3    build, embed, add, calibrate, merge, remove: done, but some images were skipped;
       verify: sound, but an earlier generation is not
  130  interrupted; what was there before is as it was

Results go to standard output, progress and errors to standard error (more with SDD_LOG=info).
With --json, a failure too is one document: {\"status\":\"error\",\"error\":{\"code\",\"message\"}}.";

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done.
    Success,
    /// The answer is that something is out of distribution, or that a batch has drifted.
    Drift,
    /// The answer is that two stores are not the same.
    Different,
    /// No answer, or not for everything that was asked.
    Error,
    /// A store or a matrix was made from less than was asked for, or not all that a store keeps is sound.
    Partial,
    /// Stopped by a signal.
    Interrupted,
}

impl ExitStatus {
    /// The name under `status` in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "ok",
            Self::Drift => "drift",
            Self::Different => "different",
            Self::Error => "error",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Success => 0,
            ExitStatus::Drift | ExitStatus::Different => 1,
            ExitStatus::Error => 2,
            ExitStatus::Partial => 3,
            ExitStatus::Interrupted => 130,
        })
    }
}
