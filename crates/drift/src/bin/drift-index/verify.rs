//! `drift-index verify`: is the store whole?

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use sdd_drift::{CalibrationImages, Reference};
use serde::Serialize;

use crate::answer::{Answer, line};
use crate::exit::ExitStatus;
use crate::info::StoreInfo;

const AFTER_LONG_HELP: &str = "\
JSON (--json): as of `info`, and bytes, min_norm, max_norm, zero_rows. A store that is damaged is a
failure: {\"status\":\"error\",\"error\":{\"code\",\"message\"}}, exit code 2.";

/// Check everything in a store: files, checksums, every row, score and calibration
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// The store
    store: PathBuf,
}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    info: StoreInfo,
    bytes: u64,
    min_norm: f64,
    max_norm: f64,
    zero_rows: usize,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let name = arguments.store.display();
    let found =
        sdd_index::verify(&arguments.store).with_context(|| format!("{name} is not sound"))?;
    let reference =
        Reference::open(&arguments.store).with_context(|| format!("{name} is not sound"))?;
    CalibrationImages::from_store(reference.store())
        .with_context(|| format!("{name} is not sound"))?;
    let verified = Verified {
        info: StoreInfo::new(&arguments.store, &reference),
        bytes: found.bytes,
        min_norm: found.min_norm,
        max_norm: found.max_norm,
        zero_rows: found.zero_rows,
    };
    Answer::new(ExitStatus::Success, &verified)
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)?;
        line(f, "norms", format_args!("{:.4} to {:.4}", self.min_norm, self.max_norm))?;
        let zeros = match self.zero_rows {
            0 => String::new(),
            rows => {
                format!("; {rows} zero vectors, which speak for a broken model if there are many")
            }
        };
        line(f, "sound", format_args!("{} bytes checked{zeros}", self.bytes))
    }
}
