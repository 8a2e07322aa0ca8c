//! What is watched for drift over time, and what shall be noticed.

use std::path::PathBuf;
use std::time::Duration;

use actix_web::http::Uri;
use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use sdd_monitor::{ClassMixRule, Location, MonitorSettings};

use super::duration::{DAY, duration};
use super::security::Redacted;

/// The name of the monitor's file in a folder for it.
const FILE: &str = "sdd-monitor.sqlite";

/// What is watched for drift over time, and what shall be noticed.
#[derive(Debug, Clone, Args)]
pub struct DriftSettings {
    #[expect(clippy::doc_markdown, reason = "shown by --help as it stands")]
    /// File that the drift monitor remembers all predictions in, or PostgreSQL database that several
    /// servers share, as postgres://user:password@host/database?sslmode=verify-full, whose password may
    /// also be in PGPASSWORD or ~/.pgpass; `none` turns it off
    /// [default: sdd-monitor.sqlite in `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/sdd`, else
    /// `~/.local/state/sdd`]
    #[arg(
        id = "monitor",
        long = "monitor",
        env = "SDD_MONITOR",
        value_name = "FILE|URL",
        hide_env_values = true,
        value_parser = any_text
    )]
    pub monitor: Option<Redacted>,
    /// Predictions that the monitor keeps of each pair of model and reference
    #[arg(
        id = "monitor_keep",
        long = "monitor-keep",
        env = "SDD_MONITOR_KEEP",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub keep: u64,
    /// Time after which the monitor forgets a pair of model and reference that no server has served and
    /// that had no prediction, in days on which others were served
    #[arg(id = "monitor_keep_pairs", long = "monitor-keep-pairs", env = "SDD_MONITOR_KEEP_PAIRS",
          value_name = "TIME", default_value = "90d", value_parser = duration(DAY, 36_500 * DAY))]
    pub keep_pairs: Duration,
    /// Share of images out of distribution that is tolerated [default: what the calibration's own false
    /// alarms explain]
    #[arg(long, env = "SDD_DRIFT_TOLERATED_SHARE", value_name = "SHARE")]
    pub drift_tolerated_share: Option<f64>,
    /// Probability that the e-process ever alarms falsely
    #[arg(long, env = "SDD_DRIFT_FALSE_ALARM", value_name = "P", default_value_t = 0.01)]
    pub drift_false_alarm: f64,
    /// Images between two false alarms of the CUSUM, on average
    #[arg(
        long,
        env = "SDD_DRIFT_IMAGES_BETWEEN_ALARMS",
        value_name = "N",
        default_value_t = 30_000.0
    )]
    pub drift_images_between_alarms: f64,
    /// Share of images out of distribution that shall be found fast [default: three times the level of
    /// the calibration]
    #[arg(long, env = "SDD_DRIFT_FIND_SHARE", value_name = "SHARE")]
    pub drift_find_share: Option<f64>,
    /// Images in a window
    #[arg(long, env = "SDD_DRIFT_WINDOW", value_name = "N", default_value_t = 500)]
    pub drift_window: usize,
    /// Images below which there is no verdict
    #[arg(long, env = "SDD_DRIFT_MIN_IMAGES", value_name = "N", default_value_t = 100)]
    pub drift_min_images: usize,
    /// Probability of a false alarm in one window, of its images and of its class mix each
    #[arg(long, env = "SDD_DRIFT_WINDOW_FALSE_ALARM", value_name = "P", default_value_t = 0.01)]
    pub drift_window_false_alarm: f64,
    /// What a changed mix of classes does: `alarm` makes the verdict `drifting`, `report` only tells of
    /// it
    #[arg(long, env = "SDD_DRIFT_CLASS_MIX", value_name = "RULE",
          default_value_t = ClassMixRule::Alarm,
          value_parser = PossibleValuesParser::new(ClassMixRule::NAMES)
              .try_map(|name| name.parse::<ClassMixRule>()))]
    pub drift_class_mix: ClassMixRule,
    /// Folder of the images that the reference was built from, for pictures in reports: ids are paths in it
    #[arg(long, env = "SDD_REFERENCE_IMAGES", value_name = "DIR")]
    pub reference_images: Option<PathBuf>,
    /// URL that a change of the verdict is posted to, as JSON; it may hold a secret, and is not logged
    #[arg(long, env = "SDD_DRIFT_WEBHOOK", value_name = "URL", hide_env_values = true,
          value_parser = webhook_url)]
    pub drift_webhook: Option<Redacted>,
    /// Time in which no second change is posted; what changes meanwhile is posted after it
    #[arg(long, env = "SDD_DRIFT_WEBHOOK_COOLDOWN", value_name = "TIME", default_value = "10m",
          value_parser = duration(Duration::ZERO, DAY))]
    pub drift_webhook_cooldown: Duration,
}

fn webhook_url(text: &str) -> Result<Redacted, String> {
    let url: Option<Uri> = text.parse().ok();
    let is_http = url.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")));
    let expected = || "expected a URL, as https://alarms.example/hook".to_owned();
    is_http.then(|| Redacted::from(text.to_owned())).ok_or_else(expected)
}

/// Whatever is wrong with it is said later: here the text would be quoted, and it may hold a password.
#[expect(clippy::unnecessary_wraps, reason = "a parser's form")]
fn any_text(text: &str) -> Result<Redacted, String> {
    Ok(Redacted::from(text.to_owned()))
}

/// The monitor's memory.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorPlace {
    /// Where it is.
    pub location: Location,
    /// Whether the operator named it, so that it has to be usable.
    pub named: bool,
}

impl DriftSettings {
    /// The memory to open; `None` where there shall be none, or no folder is known for it.
    ///
    /// # Errors
    /// As [`Location::parse`].
    pub fn place(&self) -> sdd_monitor::Result<Option<MonitorPlace>> {
        match self.monitor.as_ref().map(Redacted::expose) {
            Some("none") => Ok(None),
            Some(named) => {
                let location =
                    Location::parse(named)?.with_password_of(|name| std::env::var_os(name));
                Ok(Some(MonitorPlace { location, named: true }))
            }
            None => {
                let file = default_file(|name| std::env::var_os(name).map(PathBuf::from));
                let place = |path| MonitorPlace { location: Location::File(path), named: false };
                Ok(file.map(place))
            }
        }
    }

    /// What shall be noticed.
    #[must_use]
    pub fn tests(&self) -> MonitorSettings {
        MonitorSettings {
            tolerated_share: self.drift_tolerated_share,
            false_alarm_probability: self.drift_false_alarm,
            images_between_false_alarms: self.drift_images_between_alarms,
            share_to_find: self.drift_find_share,
            window: self.drift_window,
            minimum_images: self.drift_min_images,
            window_false_alarm_probability: self.drift_window_false_alarm,
            class_mix: self.drift_class_mix,
        }
    }
}

/// By the first of these variables that has an absolute path, as the XDG specification asks for.
fn default_file(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let folder = |name| variable(name).filter(|path| path.is_absolute());
    let folder = folder("STATE_DIRECTORY")
        .or_else(|| folder("XDG_STATE_HOME").map(|state| state.join("sdd")))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state/sdd")))?;
    Some(folder.join(FILE))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;
    use sdd_monitor::{ClassMixRule, Location, MonitorSettings};

    use super::{DriftSettings, MonitorPlace, default_file};
    use crate::settings::Cli;

    fn parse(arguments: &[&str]) -> DriftSettings {
        Cli::parse_from([&["sdd-server"], arguments].concat()).settings.drift
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        assert_eq!(parse(&[]).tests(), MonitorSettings::default());
        let other =
            parse(&["--drift-class-mix", "report", "--drift-tolerated-share", "0.1"]).tests();
        assert_eq!((other.class_mix, other.tolerated_share), (ClassMixRule::Report, Some(0.1)));
        for bad in [["--drift-class-mix", "loud"], ["--drift-webhook", "alarms.example"]] {
            assert!(Cli::try_parse_from([&["sdd-server"], &bad[..]].concat()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_file_can_be_named_turned_off_or_left_to_the_state_folder() {
        let place = |text| parse(&["--monitor", text]).place();
        let file = MonitorPlace { location: Location::File("m.sqlite".into()), named: true };
        assert_eq!(place("m.sqlite").unwrap(), Some(file));
        assert_eq!(place("none").unwrap(), None);
        let database = place("postgres://u:sesame@h/d").unwrap().unwrap();
        assert_eq!(database.location.to_string(), "h:5432/d");
        for text in ["postgres://u:sesame@h/d", "postgres://u:sesame@h:x/d"] {
            let settings = parse(&["--monitor", text]);
            let shown = format!("{settings:?} {:?}", settings.place());
            assert!(!shown.contains("sesame"), "{shown}");
        }
        let with = |known: &[(&str, &str)]| {
            let find = |name: &str| known.iter().find(|(known, _)| *known == name);
            default_file(|name| find(name).map(|(_, value)| PathBuf::from(value)))
        };
        let expected = |folder: &str| Some(PathBuf::from(folder).join("sdd-monitor.sqlite"));
        assert_eq!(with(&[("HOME", "/h")]), expected("/h/.local/state/sdd"));
        assert_eq!(with(&[("HOME", "/h"), ("XDG_STATE_HOME", "/x")]), expected("/x/sdd"));
        assert_eq!(
            with(&[("HOME", "/h"), ("XDG_STATE_HOME", "x")]),
            expected("/h/.local/state/sdd")
        );
        assert_eq!(with(&[("STATE_DIRECTORY", "/s"), ("HOME", "/h")]), expected("/s"));
        assert_eq!(with(&[]), None);
    }
}
