//! `drift-index` builds reference stores, asks them, and checks them; and writes embeddings.
//!
//! One file a subcommand. What the program knows about statistics is in the library; here are
//! files, folders, the model, and what people and programs read.

mod answer;
mod build;
mod check;
mod embed;
mod exit;
mod images;
mod info;
mod interrupt;
mod model;
mod npy;
mod query;
mod text_file;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::answer::Answer;
use crate::exit::ExitStatus;

/// Builds, asks and checks the reference that drift is measured against.
///
/// A reference store holds the embeddings of known images, with their names and classes, and the
/// scores of held-out images that say which score is unusual.
#[derive(Debug, Parser)]
#[command(name = "drift-index", version, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(Box<build::Arguments>),
    Embed(embed::Arguments),
    Query(query::Arguments),
    Check(check::Arguments),
    Info(info::Arguments),
    Verify(verify::Arguments),
}

fn main() -> ExitCode {
    if let Err(error) = sdd_index::check_cpu() {
        eprintln!("error: {error}");
        return ExitStatus::Error.into();
    }
    let Arguments { command, json } = Arguments::parse();
    log_to_stderr();
    match run(command).and_then(|answer| answer.print(json)) {
        Ok(status) => status,
        Err(error) => answer::report_failure(&error, json),
    }
    .into()
}

fn run(command: Command) -> Result<Answer> {
    match command {
        Command::Build(arguments) => build::run(&arguments),
        Command::Embed(arguments) => embed::run(&arguments),
        Command::Query(arguments) => query::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
    }
}

/// Warnings of the libraries, unless `SDD_LOG` asks for more or less.
fn log_to_stderr() {
    let filter = EnvFilter::builder()
        .with_env_var("SDD_LOG")
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
