//! The configuration file: settings by the names of their flags, in TOML.
//!
//! A flag goes before its twin in the environment, that before the file, and the file before the default: what stands in
//! the file takes the defaults' place before arguments are read. So everything is read and checked by the same code,
//! wherever it stands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};
use thiserror::Error;
use toml::{Table, Value};

use crate::settings::{COMMON, Cli};

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
    /// Something in the file is no TOML, no setting, or none of that value.
    #[error("the configuration file {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Where or which, and what would be right. Never a line of the file, which may hold a password.
        reason: String,
    },
    /// Settings that do not go together, or one that is not to be quoted, wherever they stand.
    #[error("{0}")]
    Combination(&'static str),
}

/// The settings, and where they come from.
pub struct ReadSettings {
    /// The settings, and what to do.
    pub cli: Cli,
    /// What was found, from which each value's source can be told.
    pub matches: ArgMatches,
    /// The names of the settings that the file has.
    pub in_file: Vec<String>,
}

/// Reads arguments, environment, and the file that these name.
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<ReadSettings, SettingsError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = command();
    let mut in_file = Vec::new();
    if let Some(path) = config_path(&arguments) {
        for (key, value) in table(&path)? {
            let refused = |reason| SettingsError::File { path: path.clone(), reason };
            command = with_default(command, &key, value).map_err(refused)?;
            in_file.push(key);
        }
    }
    let matches = command.try_get_matches_from(&arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    check_combinations(&cli)?;
    Ok(ReadSettings { cli, matches, in_file })
}

/// The command, each of whose flags has a twin in the environment (`--max-bytes` is `SDD_MAX_BYTES`), and of which `-h`
/// shows the common ones alone.
pub(crate) fn command() -> Command {
    Cli::command().mut_args(|argument| {
        let name = argument.get_long().unwrap_or_default();
        let (twin, is_rare) = (name.replace('-', "_").to_uppercase(), !COMMON.contains(&name));
        argument.env(format!("SDD_{twin}")).hide_short_help(is_rare)
    })
}

/// The file that arguments or environment name, whatever else is wrong with them.
fn config_path(arguments: &[OsString]) -> Option<PathBuf> {
    let found = command().ignore_errors(true).try_get_matches_from(arguments).ok()?;
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
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let reason = format!("line {line} is no TOML: {}", error.message());
        SettingsError::File { path: path.into(), reason }
    })
}

/// With the value of the file in the default's place; else what is wrong with it.
fn with_default(command: Command, key: &str, value: Value) -> Result<Command, String> {
    let known = |name: &str| {
        let is_it = |argument: &&Arg| argument.get_long() == Some(name);
        command.get_arguments().find(is_it).filter(|argument| argument.get_id() != "config")
    };
    let Some(argument) = known(key) else {
        let dashed = key.replace('_', "-");
        return Err(match known(&dashed) {
            Some(_) if dashed != key => format!("`{key}` is spelled `{dashed}`, as its flag is"),
            _ => format!("`{key}` is no setting; `sdd-server config` lists all of them"),
        });
    };
    let values = texts(argument, value)
        .map_err(|expected| format!("`{key}` takes {expected}, as its flag does"))?;
    check(argument, key, &values)?;
    let id = argument.get_id().clone();
    Ok(command.mut_arg(id, |argument| {
        let is_secret = argument.is_hide_env_values_set();
        argument.default_values(values).hide_default_value(is_secret)
    }))
}

/// A value as it would stand on the command line; else what would be right.
fn texts(argument: &Arg, value: Value) -> Result<Vec<String>, &'static str> {
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(is_set) => Ok(is_set.to_string()),
        Value::Array(_) | Value::Datetime(_) | Value::Table(_) => Err("one text or number"),
    };
    let takes_several = argument.get_value_delimiter().is_some();
    match value {
        Value::Boolean(is_set) if !argument.get_action().takes_values() => {
            Ok(vec![is_set.to_string()])
        }
        _ if !argument.get_action().takes_values() => Err("true or false"),
        Value::Array(values) if takes_several => values.into_iter().map(text).collect(),
        value => Ok(vec![text(value)?]),
    }
}

/// Whether the flag takes these values, also where it or its twin in the environment goes before the file.
fn check(argument: &Arg, key: &str, values: &[String]) -> Result<(), String> {
    if !argument.get_action().takes_values() {
        return Ok(());
    }
    let alone = Command::new("file").no_binary_name(true).disable_help_flag(true);
    let given = values.iter().map(|value| format!("--{key}={value}"));
    let Err(error) = alone.arg(argument.clone()).try_get_matches_from(given) else {
        return Ok(());
    };
    let reason = std::error::Error::source(&error).map_or_else(
        || error.to_string().lines().next().unwrap_or_default().replacen("error: ", "", 1),
        ToString::to_string,
    );
    Err(if argument.is_hide_env_values_set() {
        format!("`{key}`: {reason}")
    } else {
        format!("`{key} = {}`: {reason}", values.join(", "))
    })
}

/// Refuses what must not stand alone, at which clap would not look where it comes from the file, and what clap would
/// quote and must not be shown.
fn check_combinations(cli: &Cli) -> Result<(), SettingsError> {
    let security = &cli.settings.security;
    if security.tls_cert.is_some() != security.tls_key.is_some() {
        return Err(SettingsError::Combination("--tls-cert and --tls-key go together"));
    }
    if security.rate_limit_burst.is_some() && security.rate_limit.is_none() {
        return Err(SettingsError::Combination("--rate-limit-burst takes --rate-limit"));
    }
    if cli.settings.drift.has_wrong_webhook() {
        let expected = "--drift-webhook takes a URL, as https://alarms.example/hook";
        return Err(SettingsError::Combination(expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::settings::effective_text as effective;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn read_with(text: &str, arguments: &[&str]) -> Result<ReadSettings, SettingsError> {
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
            ("port = [1, 2]", "`port` takes one text or number"),
            ("port = []", "`port` takes one text or number"),
            ("port = 70000", "`port = 70000`"),
            ("workers = 0", "`workers = 0`"),
            ("port = true", "`port = true`"),
            ("reuse-port = 1", "`reuse-port` takes true or false"),
            ("[model]\npath = 'x'", "`model` takes one text or number"),
            ("tls-cert = 'c.pem'", "--tls-cert and --tls-key go together"),
            ("rate-limit-burst = 3", "--rate-limit-burst takes --rate-limit"),
            ("host = 'a'\nport = ", "line 2 is no TOML"),
        ];
        for (text, expected) in cases {
            let message = refusal(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
        let missing = read(["sdd-server", "--config", "/nowhere/sdd.toml"].map(OsString::from));
        assert!(matches!(missing, Err(SettingsError::Unreadable { .. })));
    }

    #[test]
    fn a_mistake_is_found_behind_a_flag_and_a_pair_may_stand_in_two_places() {
        assert!(read_with("workers = 0", &["--workers", "2"]).is_err());
        // The flag's mistake is not the file's.
        let flag = read_with("port = 9000", &["--port", "abc"]).map(drop).unwrap_err();
        assert!(matches!(flag, SettingsError::Arguments(_)), "{flag}");
        read_with("tls-key = 'k.pem'", &["--tls-cert", "c.pem"]).unwrap();
        read_with("rate-limit = 5", &["--rate-limit-burst", "9"]).unwrap();
        let kept = read_with("capture-always-ood = false", &[]).unwrap();
        assert!(!kept.cli.settings.capture.always_ood);
    }

    #[test]
    fn what_is_printed_is_read_back_as_the_same() {
        let text = "port = 9000\ndrift-window = 200\nallowed-hosts = ['sdd.example']\nqueue = 7";
        let first = read_with(text, &["--host", "::1", "--drift-tolerance", "0.02"]).unwrap();
        let printed = effective(&first);
        assert!(printed.contains("port = 9000  # file\n"), "{printed}");
        assert!(printed.contains("host = \"::1\"  # flag\n"), "{printed}");
        assert!(printed.contains("# tls-cert =\n"), "{printed}");
        assert!(printed.contains("\n# max-batch = 1  # computed\n"), "{printed}");
        assert!(
            read_with("workers = 3", &[])
                .is_ok_and(|read| { effective(&read).contains("\nworkers = 3  # file\n") })
        );
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
        assert!(
            effective(&read)
                .contains("# monitor = (secret: set it where this file is used)  # file\n")
        );
        assert_eq!(read.cli.settings.drift.monitor.unwrap().expose(), secret);
        for wrong in
            ["drift-webhook = 'no url open-sesame'", "monitor = postgres://u:open-sesame@h"]
        {
            let message = refusal(wrong);
            assert!(!message.contains("open-sesame"), "{message}");
        }
        let flag = read_with("", &["--drift-webhook", "open-sesame"]).map(drop).unwrap_err();
        assert!(!flag.to_string().contains("open-sesame"), "{flag}");
    }

    #[test]
    fn short_help_shows_the_common_flags_alone() {
        let short = command().render_help().to_string();
        let flags = short.lines().filter(|line| line.starts_with("      --"));
        let shown: Vec<_> = flags.filter_map(|line| line.split_whitespace().next()).collect();
        let common = COMMON.map(|name| format!("--{name}"));
        assert_eq!(shown.len(), common.len(), "{short}");
        assert!(common.iter().all(|flag| shown.contains(&flag.as_str())), "{short}");
        let long = command().render_long_help().to_string();
        assert!(long.contains("--drift-window") && long.contains("Security:"), "{long}");
    }
}
