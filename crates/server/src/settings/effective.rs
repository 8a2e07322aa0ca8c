//! `sdd-server config`: what the server would run with, as a file that `--config` takes.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction};
use sdd_core::Device;
use toml::Value;

use crate::settings::Settings;
use crate::settings::file::{ReadSettings, command};

/// Every setting with its value and where that comes from; what is not set as a comment. Secrets are not shown.
pub fn effective_text(read: &ReadSettings) -> String {
    let mut text = String::from(
        "# What sdd-server runs with. A flag goes before its twin in the environment (SDD_…), that before this file. What is\n\
         # commented out is not set: where a start computes a value, it stands there, and else `sdd-server --help` tells of it.\n",
    );
    let mut heading = None;
    for argument in command().get_arguments() {
        let Some(key) = argument.get_long().filter(|key| !BESIDE.contains(key)) else { continue };
        if heading != argument.get_help_heading() {
            heading = argument.get_help_heading();
            let _ = writeln!(text, "\n# {}", heading.unwrap_or("Others"));
        }
        let _ = match value(read, argument) {
            None => match computed(&read.cli.settings, key) {
                Some(value) => writeln!(text, "# {key} = {value}  # computed"),
                None => writeln!(text, "# {key} ="),
            },
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

/// What a start would use here and now where nothing is set, as far as that is known without the model.
fn computed(settings: &Settings, key: &str) -> Option<Value> {
    let (model, security) = (&settings.model, &settings.security);
    let number = |number: usize| i64::try_from(number).ok().map(Value::Integer);
    match key {
        "workers" => number(model.workers()),
        "max-batch" if model.device != Device::Auto => {
            number(model.engine_options(model.device).max_batch(model.device))
        }
        "reference" => {
            let reference = model.reference_to_open().unwrap_or_else(|| "none".into());
            Some(Value::String(reference.display().to_string()))
        }
        "monitor" => {
            let place = settings.drift.place().ok().flatten()?;
            Some(Value::String(place.location.to_string()))
        }
        "rate-limit-burst" => security.rate_limit.map(|limit| Value::Integer(limit.get().into())),
        _ => None,
    }
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
        Some(ValueSource::EnvVariable) => {
            argument.get_env().unwrap_or_default().to_string_lossy().into_owned()
        }
        _ if read.in_file.iter().any(|known| known == key) => "file".into(),
        _ => "default".into(),
    }
}
