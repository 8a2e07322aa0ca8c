//! The configuration file: settings by the names of their flags, in TOML.
//!
//! A flag goes before its twin in the environment, that before the file, and the file before the default: what stands in
//! the file takes the defaults' place before arguments are read. So everything is read and checked by the same code,
//! wherever it stands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ContextKind;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use thiserror::Error;
use toml::{Table, Value};

use super::{COMMON, Cli};

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// What the command line says of itself: a mistake, or what `--help` shows.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML.
    #[error("the configuration file {path} is no TOML")]
    NoToml {
        /// The file.
        path: PathBuf,
        /// Where and why reading stopped.
        source: Box<toml::de::Error>,
    },
    /// Something in it is no setting, or none of that value.
    #[error("the configuration file {path}: {reason}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// Which, and what would be right.
        reason: String,
    },
}

/// What was read, and by what command line it was: for who shows where each value comes from.
pub struct Read {
    /// The settings, and what to do.
    pub cli: Cli,
    /// What was found, from which each value's source can be told.
    pub matches: ArgMatches,
    /// The names of the settings that the file has.
    pub in_file: Vec<String>,
}

/// Reads arguments, environment, and the file that these name.
///
/// # Errors
/// [`SettingsError`].
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Read, SettingsError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = grouped();
    let mut in_file = Vec::new();
    let path = config_path(&arguments);
    if let Some(path) = &path {
        for (key, value) in table(path)? {
            command = with_default(command, path, &key, value)?;
            in_file.push(key);
        }
    }
    let matches = command.try_get_matches_from(&arguments).map_err(|error| {
        path.as_deref().and_then(|path| of_file(path, &in_file, &error)).unwrap_or(error.into())
    })?;
    let cli = Cli::from_arg_matches(&matches)?;
    if let (Some(path), Some(reason)) = (path, incomplete(&cli)) {
        return Err(SettingsError::Setting { path, reason: reason.into() });
    }
    Ok(Read { cli, matches, in_file })
}

/// The command, of whose flags `-h` shows the common ones alone.
fn grouped() -> Command {
    Cli::command().mut_args(|argument| {
        let is_rare = !COMMON.contains(&argument.get_id().as_str());
        argument.hide_short_help(is_rare)
    })
}

/// The file that arguments or environment name, whatever else is wrong with them.
fn config_path(arguments: &[OsString]) -> Option<PathBuf> {
    let found = Cli::command().ignore_errors(true).try_get_matches_from(arguments).ok()?;
    let named = found.try_get_one::<PathBuf>("config").ok()??.clone();
    (!named.as_os_str().is_empty()).then_some(named)
}

fn table(path: &Path) -> Result<Table, SettingsError> {
    let read = || {
        let (file, length) = sdd_core::regular_file::open(path)?;
        if length > MAX_BYTES {
            let reason = format!("it has {length} bytes: a configuration has {MAX_BYTES} at most");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, reason));
        }
        std::io::read_to_string(file)
    };
    let text = read().map_err(|source| SettingsError::Unreadable { path: path.into(), source })?;
    text.parse().map_err(|source: toml::de::Error| SettingsError::NoToml {
        path: path.into(),
        source: Box::new(source),
    })
}

/// With the value of the file in the default's place.
fn with_default(
    command: Command,
    path: &Path,
    key: &str,
    value: Value,
) -> Result<Command, SettingsError> {
    let refused = |reason: String| SettingsError::Setting { path: path.into(), reason };
    let known = |name: &str| {
        let is_it = |argument: &&clap::Arg| argument.get_long() == Some(name);
        command.get_arguments().find(is_it).filter(|argument| argument.get_id() != "config")
    };
    let Some(argument) = known(key) else {
        let dashed = key.replace('_', "-");
        return Err(refused(match known(&dashed) {
            Some(_) if dashed != key => format!("`{key}` is spelled `{dashed}`, as its flag is"),
            _ => format!("`{key}` is no setting; `sdd-server config` lists all of them"),
        }));
    };
    let takes_values = argument.get_action().takes_values();
    let values = texts(value, takes_values).map_err(|expected| {
        refused(format!("`{key}` is no {expected}, which is what the flag --{key} takes"))
    })?;
    let id = argument.get_id().clone();
    Ok(command.mut_arg(id, |argument| {
        let is_secret = argument.is_hide_env_values_set();
        argument.default_values(values).hide_default_value(is_secret)
    }))
}

/// A value as it would stand on the command line; else what would be right.
fn texts(value: Value, takes_values: bool) -> Result<Vec<String>, &'static str> {
    match (value, takes_values) {
        (Value::Boolean(is_set), false) => Ok(vec![is_set.to_string()]),
        (_, false) => Err("true or false"),
        (Value::Array(values), true) => {
            let each = values.into_iter().map(|value| texts(value, true));
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
        (Value::String(text), true) => Ok(vec![text]),
        (Value::Integer(number), true) => Ok(vec![number.to_string()]),
        (Value::Float(number), true) => Ok(vec![number.to_string()]),
        (Value::Boolean(_) | Value::Datetime(_) | Value::Table(_), true) => {
            Err("text, number or list of these")
        }
    }
}

/// What is wrong with a value that the file has, in place of the command line's words.
fn of_file(path: &Path, in_file: &[String], error: &clap::Error) -> Option<SettingsError> {
    let flag = error.get(ContextKind::InvalidArg)?.to_string();
    let key = in_file.iter().find(|key| {
        let rest = flag.strip_prefix("--").and_then(|flag| flag.strip_prefix(key.as_str()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })?;
    let reason = std::error::Error::source(error).map_or_else(
        || error.to_string().lines().next().unwrap_or_default().to_owned(),
        ToString::to_string,
    );
    let value = error.get(ContextKind::InvalidValue).map(ToString::to_string);
    let is_secret = |key: &str| {
        let command = Cli::command();
        let mut arguments = command.get_arguments();
        arguments
            .any(|argument| argument.get_long() == Some(key) && argument.is_hide_env_values_set())
    };
    let reason = match value.filter(|_| !is_secret(key)) {
        Some(value) => format!("`{key} = {value}`: {reason}"),
        None => format!("`{key}`: {reason}"),
    };
    Some(SettingsError::Setting { path: path.into(), reason })
}

/// What must not stand alone. On the command line clap says so, which does not look at defaults.
fn incomplete(cli: &Cli) -> Option<&'static str> {
    let security = &cli.settings.security;
    if security.tls_cert.is_some() != security.tls_key.is_some() {
        return Some("`tls-cert` and `tls-key` go together");
    }
    if security.rate_limit_burst.is_some() && security.rate_limit.is_none() {
        return Some("`rate-limit-burst` takes `rate-limit`");
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::settings::effective;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn read_with(text: &str, arguments: &[&str]) -> Result<Read, SettingsError> {
        let file = file(text);
        let path = file.path().as_os_str().to_owned();
        let beginning = ["sdd-server".into(), "--config".into(), path];
        read(beginning.into_iter().chain(arguments.iter().map(OsString::from)))
    }

    fn refusal(text: &str) -> String {
        match read_with(text, &[]).map(drop).unwrap_err() {
            SettingsError::Arguments(error) => panic!("of the command line: {error}"),
            error => error.to_string(),
        }
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let text = "port = 9000\nmodel = 'm.onnx'\nmax-bytes = 5\nrequest-timeout = '2m'\n\
                    scaled-jpeg = true\ncors-origins = ['https://a.example', 'https://b.example']";
        let read = read_with(text, &["--port", "9001"]).unwrap();
        let settings = &read.cli.settings;
        assert_eq!((settings.port, settings.model.max_bytes), (9001, 5));
        assert_eq!(settings.model.model, Path::new("m.onnx"));
        assert_eq!(settings.limits.request_timeout.as_secs(), 120);
        assert!(settings.model.scaled_jpeg);
        assert_eq!(settings.security.cors_origins, ["https://a.example", "https://b.example"]);
        assert_eq!(settings.limits.queue, 64);
    }

    #[test]
    fn mistakes_in_the_file_are_told_by_the_names_in_it() {
        let cases = [
            ("prot = 1", "`prot` is no setting"),
            ("max_bytes = 1", "`max_bytes` is spelled `max-bytes`"),
            ("config = 'other.toml'", "`config` is no setting"),
            ("port = 'abc'", "`port = abc`"),
            ("port = 70000", "`port = 70000`"),
            ("workers = 0", "`workers = 0`"),
            ("port = true", "`port` is no text, number or list"),
            ("reuse-port = 1", "`reuse-port` is no true or false"),
            ("[model]\npath = 'x'", "`model` is no text, number or list"),
            ("tls-cert = 'c.pem'", "`tls-cert` and `tls-key` go together"),
            ("rate-limit-burst = 3", "`rate-limit-burst` takes `rate-limit`"),
            ("port = ", "is no TOML"),
        ];
        for (text, expected) in cases {
            let message = refusal(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
        let missing = read(["sdd-server", "--config", "/nowhere/sdd.toml"].map(OsString::from));
        assert!(matches!(missing, Err(SettingsError::Unreadable { .. })));
    }

    #[test]
    fn what_is_printed_is_read_back_as_the_same() {
        let text = "port = 9000\ndrift-window = 200\nallowed-hosts = ['sdd.example']\nqueue = 7";
        let first = read_with(text, &["--host", "::1", "--drift-false-alarm", "0.02"]).unwrap();
        let printed = effective(&first);
        assert!(printed.contains("port = 9000  # file\n"), "{printed}");
        assert!(printed.contains("host = \"::1\"  # flag\n"), "{printed}");
        assert!(printed.contains("# tls-cert =\n"), "{printed}");
        let again = read_with(&printed, &[]).unwrap();
        assert_eq!(format!("{:?}", again.cli.settings), {
            let mut settings = first.cli.settings.clone();
            settings.config.clone_from(&again.cli.settings.config);
            format!("{settings:?}")
        });
    }

    #[test]
    fn no_secret_is_shown() {
        let secret = "postgres://sdd:open-sesame@db.example/sdd";
        let read = read_with(&format!("monitor = '{secret}'"), &[]).unwrap();
        let help = read_with(&format!("monitor = '{secret}'"), &["--help"]).map(drop).unwrap_err();
        for shown in [effective(&read), help.to_string()] {
            assert!(shown.contains("monitor") && !shown.contains("open-sesame"), "{shown}");
        }
        assert!(effective(&read).contains("# monitor = (hidden)  # file\n"));
        assert_eq!(read.cli.settings.drift.monitor.unwrap().expose(), secret);
        let message = refusal("drift-webhook = 'no url open-sesame'");
        assert!(!message.contains("open-sesame"), "{message}");
    }

    #[test]
    fn short_help_shows_the_common_flags_alone() {
        let short = grouped().render_help().to_string();
        let flags = short.lines().filter(|line| line.trim_start().starts_with("--")).count();
        assert_eq!(flags, COMMON.len(), "{short}");
        let long = grouped().render_long_help().to_string();
        assert!(long.contains("--drift-window") && long.contains("Security:"), "{long}");
    }
}
