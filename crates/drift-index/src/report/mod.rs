//! `drift-index report`: what a monitor has seen, for people.

mod arguments;
mod pictures;
mod play;
mod recorded;
mod unix_ms;

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Result, ensure};
use sdd_report::Report;
use serde::Serialize;

pub use self::arguments::Arguments;
use self::pictures::AtHand;
use self::unix_ms::unix_ms;
use crate::answer::{Answer, line};
use crate::exit::ExitStatus;
use crate::remarks::Remarks;
use crate::whole_file;

/// The answer of `report`.
#[derive(Serialize)]
struct Reported {
    store: String,
    html: Option<PathBuf>,
    box_plot: Option<PathBuf>,
    #[serde(flatten)]
    report: Report,
    #[serde(flatten)]
    remarks: Remarks,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    // Before the work, not after it.
    if let Some(out) = &arguments.out {
        whole_file::check_destination(out, &["html", "htm"])?;
    }
    if let Some(out) = &arguments.box_plot {
        whole_file::check_destination(out, &["svg"])?;
    }
    for folder in [&arguments.captured, &arguments.reference_images].into_iter().flatten() {
        ensure!(folder.is_dir(), "{} is not a folder", folder.display());
    }
    let reference = arguments.store.open_reference()?;
    let mut at_hand = AtHand::new(arguments);
    let mut remarks = Remarks::default();
    let now_ms = unix_ms(SystemTime::now());
    let report = if arguments.images.is_empty() {
        let model = arguments.model_sha256.as_deref();
        recorded::report(&arguments.recorded()?, model, &reference, now_ms)?
    } else {
        play::report(arguments, &reference, &mut at_hand, &mut remarks, now_ms)?
    };
    if let Some(out) = &arguments.out {
        whole_file::write(out, sdd_report::html(&report, &mut at_hand)?.as_bytes())?;
    }
    if let Some(out) = &arguments.box_plot {
        whole_file::write(out, sdd_report::box_plot_svg(&report).as_bytes())?;
    }
    let reported = Reported {
        store: arguments.store.to_string(),
        html: arguments.out.clone(),
        box_plot: arguments.box_plot.clone(),
        report,
        remarks,
    };
    Answer::new(reported.status(), &reported)
}

impl Reported {
    fn status(&self) -> ExitStatus {
        ExitStatus::of_verdict(self.report.drift.verdict, !self.remarks.skipped.is_empty())
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drift = &self.report.drift;
        writeln!(f, "{}: {}", self.store, drift.verdict.name())?;
        line(f, "summary", &drift.summary)?;
        let epoch = format_args!("{} in epoch {}", drift.epoch.images, drift.epoch.number);
        line(f, "images", epoch)?;
        for (rank, step) in self.report.what_to_do.iter().enumerate() {
            line(f, if rank == 0 { "what to do" } else { "" }, step)?;
        }
        self.remarks.fmt(f)?;
        for (name, path) in [("page", &self.html), ("box plot", &self.box_plot)] {
            if let Some(path) = path {
                line(f, name, path.display())?;
            }
        }
        Ok(())
    }
}
