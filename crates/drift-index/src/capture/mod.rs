//! `drift-index capture`: images that a server kept, labeled by a person.

mod items;
mod label;
pub mod labels;
mod list;
mod records;
mod staging;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::answer::Answer;
use crate::help;

const BEFORE_HELP: &str = "\
Examples:
  drift-index capture list capture/ --out-of-distribution --out labels.csv
  # write classes into the column label, then
  drift-index capture label capture/ --classes labels.csv --out dataset/";

/// List captured images, and put them into a data set once labeled
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Label(label::Arguments),
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Label(arguments) => label::run(arguments),
    }
}
