//! `drift-index export`: embeddings for other programs.

mod table;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::table::Table;

use crate::answer::{Answer, count};
use crate::exit::ExitStatus;
use crate::help;
use crate::revision::Base;
use crate::store_argument::StoreArgument;
use crate::{npy, whole_file};

const BEFORE_HELP: &str = "\
Examples:
  drift-index export store --out store.npy
  drift-index export store@3 --what calibration --out held_out.csv";

const AFTER_HELP: &str = "\
FILE.npy is float32 [N, D] for numpy.load, with a table of the rows beside it in FILE.csv.
FILE.csv has both, the values in columns e0, e1, …, for pandas.read_csv.
Columns of the reference: id, label, norm (the embedding's Euclidean norm). Of the
calibration: id, label, predicted_class, norm, and p_CLASS where probabilities are kept.
Embeddings are as the model made them, also where the store keeps unit vectors: up to the
last place then.

JSON (--json): status, store, what, rows, dimension, files.";

/// Write rows of a store as a matrix or a table
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = AFTER_HELP)]
pub struct Arguments {
    /// The store, or a generation of it
    #[arg(value_name = "STORE[@N]")]
    store: StoreArgument,

    /// The file to write, which is replaced
    #[arg(long, value_name = "FILE.{npy,csv}")]
    out: PathBuf,

    /// The reference images, or the held-out ones
    #[arg(long, value_enum, default_value = "reference")]
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Reference,
    Calibration,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let base = Base::open(&arguments.store)?;
    let table = match arguments.what {
        What::Reference => Table::of_reference(&base),
        What::Calibration => Table::of_calibration(&base)?,
    };
    let out = &arguments.out;
    let files = match out.extension().and_then(std::ffi::OsStr::to_str) {
        Some("npy") => {
            let beside = out.with_extension("csv");
            whole_file::check_destination(out, &["npy"])?;
            whole_file::write_with(&beside, |file| table.write_csv(file, false))?;
            npy::write(out, &table.embeddings)?;
            vec![out.display().to_string(), beside.display().to_string()]
        }
        Some("csv") => {
            whole_file::write_with(out, |file| table.write_csv(file, true))?;
            vec![out.display().to_string()]
        }
        _ => bail!("{} ends in neither .npy nor .csv", out.display()),
    };
    let (rows, dimension) = table.embeddings.dim();
    let store = arguments.store.to_string();
    let exported = Exported { store, what: arguments.what, rows, dimension, files };
    Answer::new(ExitStatus::Success, &exported)
}

#[derive(Serialize)]
struct Exported {
    store: String,
    what: What,
    rows: usize,
    dimension: usize,
    files: Vec<String>,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = count(self.rows, "embedding");
        writeln!(
            f,
            "wrote {rows} of {} to {}",
            count(self.dimension, "value"),
            self.files.join(", ")
        )
    }
}
