//! `drift-index` builds reference stores, changes them generation by generation, and checks images against them.
//!
//! One file or folder a command. What the program knows about statistics is in the libraries; here are files, folders,
//! the model, and what people and programs read.

mod answer;
mod build;
mod calibration;
mod capture;
mod check;
mod csv_list;
mod describe;
mod embed;
mod exit;
mod export;
mod groups;
mod held_out;
mod help;
mod images;
mod interrupt;
mod model;
mod npy;
mod parallel;
mod progress;
mod remarks;
mod report;
mod revision;
mod rollback;
mod rule_arguments;
mod show;
mod sides;
mod store_argument;
mod text_file;
mod update;
mod whole_file;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::answer::Answer;
use crate::exit::ExitStatus;

const BEFORE_HELP: &str = "\
Examples:
  drift-index build train/ --calibrate held_out/ --model my.onnx --out store
  drift-index check store today/ --model my.onnx
  drift-index update store --add labeled/ --calibrate new_held_out/ --model my.onnx
  drift-index show store --history

A store holds the embeddings of known images, with their names and classes, and held-out
images that say which score is unusual. STORE@3 is its generation 3. IMAGES are a folder
of images with all below it, image files, or a matrix of embeddings that ends in .npy.";

/// Builds, checks and maintains the reference that drift is measured against.
#[derive(Debug, Parser)]
#[command(
    name = "drift-index",
    version,
    help_template = help::TEMPLATE,
    before_help = BEFORE_HELP,
    after_help = exit::HELP,
    max_term_width = 100,
)]
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
    Update(Box<update::Arguments>),
    Rollback(rollback::Arguments),
    Show(show::Arguments),
    Check(Box<check::Arguments>),
    Report(Box<report::Arguments>),
    Embed(embed::Arguments),
    Export(export::Arguments),
    Capture(capture::Arguments),
}

fn main() -> ExitCode {
    sdd_core::runtime::without_telemetry();
    quiet_decoders();
    if let Err(error) = sdd_index::check_cpu() {
        eprintln!("error: {error}");
        return ExitStatus::Error.into();
    }
    let Arguments { command, json } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return answer::report_usage(&error).into(),
    };
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
        Command::Update(arguments) => update::run(&arguments),
        Command::Rollback(arguments) => rollback::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Embed(arguments) => embed::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Capture(arguments) => capture::run(&arguments),
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
