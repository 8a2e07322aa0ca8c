//! `drift-index` builds reference stores, asks them, checks them, and changes them generation by generation; and
//! writes embeddings.
//!
//! One file a subcommand. What the program knows about statistics is in the library; here are
//! files, folders, the model, and what people and programs read.

mod add;
mod answer;
mod build;
mod calibrate;
mod calibration;
mod captured;
mod check;
mod csv_list;
mod diff;
mod embed;
mod exit;
mod export;
mod held_out;
mod history;
mod images;
mod info;
mod interrupt;
mod label;
mod merge;
mod model;
mod npy;
mod progress;
mod query;
mod remarks;
mod remove;
mod report;
mod revision;
mod rollback;
mod sides;
mod text_file;
mod verify;
mod whole_file;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::answer::Answer;
use crate::exit::ExitStatus;

/// Builds, asks, checks and maintains the reference that drift is measured against.
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
    Calibrate(Box<calibrate::Arguments>),
    Add(Box<add::Arguments>),
    Remove(remove::Arguments),
    Merge(merge::Arguments),
    History(history::Arguments),
    Rollback(rollback::Arguments),
    Diff(diff::Arguments),
    Export(export::Arguments),
    Captured(captured::Arguments),
    Label(label::Arguments),
    Report(Box<report::Arguments>),
    Info(info::Arguments),
    Verify(verify::Arguments),
}

fn main() -> ExitCode {
    sdd_core::runtime::without_telemetry();
    quiet_decoders();
    if let Err(error) = sdd_index::check_cpu() {
        eprintln!("error: {error}");
        return ExitStatus::Error.into();
    }
    let Arguments { command, json } = Arguments::parse();
    log_to_stderr();
    match interrupt::survive_file_limits()
        .and_then(|()| run(command))
        .and_then(|answer| answer.print(json))
    {
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
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Add(arguments) => add::run(&arguments),
        Command::Remove(arguments) => remove::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Rollback(arguments) => rollback::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Captured(arguments) => captured::run(&arguments),
        Command::Label(arguments) => label::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
    }
}

/// What a decoder cannot cope with is the image's fault, and told as such.
fn quiet_decoders() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !sdd_core::image::is_decoding() {
            report(panic);
        }
    }));
}

/// Warnings of the libraries, unless `SDD_LOG` asks for more or less.
fn log_to_stderr() {
    let filter = EnvFilter::builder()
        .with_env_var("SDD_LOG")
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
