//! `sdd-server config`: what the server would run with, as a file that `--config` takes.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, CommandFactory};
use toml::Value;

use super::Cli;
use super::file::ReadSettings;

/// Every setting with its value and where that comes from; what is not set as a comment. Secrets are not shown.
#[must_use]
pub fn effective_text(read: &ReadSettings) -> String {
    let mut text = String::from(
        "# What sdd-server runs with. A flag goes before its twin in the environment (SDD_…), that before this file. What is\n\
         # commented out has a default of its own, which `sdd-server --help` tells.\n",
    );
    let mut heading = None;
    for argument in Cli::command().get_arguments() {
        let Some(key) = argument.get_long().filter(|key| !BESIDE.contains(key)) else { continue };
        if heading != argument.get_help_heading() {
            heading = argument.get_help_heading();
            let _ = writeln!(text, "\n# {}", heading.unwrap_or("Others"));
        }
        let _ = match value(read, argument) {
            None => writeln!(text, "# {key} ="),
            Some(_) if argument.is_hide_env_values_set() => {
                writeln!(
                    text,
                    "# {key} = (secret: set it where this file is used)  # {}",
                    source(read, argument, key)
                )
            }
            Some(value) => writeln!(text, "{key} = {value}  # {}", source(read, argument, key)),
        };
    }
    text
}

/// What is no setting.
const BESIDE: [&str; 3] = ["config", "help", "version"];

fn value(read: &ReadSettings, argument: &Arg) -> Option<Value> {
    let id = argument.get_id().as_str();
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return Some(Value::Boolean(read.matches.get_flag(id)));
    }
    let raw = read.matches.get_raw(id)?;
    let mut values: Vec<Value> = raw.map(|value| of_text(&value.to_string_lossy())).collect();
    if argument.get_value_delimiter().is_some() {
        return Some(Value::Array(values));
    }
    values.pop()
}

/// A number where the text is one and would be read back as the same.
fn of_text(text: &str) -> Value {
    let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Integer)
}

fn source(read: &ReadSettings, argument: &Arg, key: &str) -> String {
    match read.matches.value_source(argument.get_id().as_str()) {
        Some(ValueSource::CommandLine) => "flag".into(),
        Some(ValueSource::EnvVariable) => match argument.get_env() {
            Some(twin) => twin.to_string_lossy().into_owned(),
            None => "environment".into(),
        },
        _ if read.in_file.iter().any(|known| known == key) => "file".into(),
        _ => "default".into(),
    }
}
