//! What is watched for drift over time, and what shall be noticed.

use std::path::PathBuf;
use std::time::Duration;

use actix_web::http::Uri;
use clap::Args;
use sdd_monitor::{ExpectedMix, Location, MonitorSettings};

use crate::settings::duration::{DAY, duration};
use crate::settings::security::Redacted;

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
    #[arg(long, value_name = "FILE|URL", hide_env_values = true)]
    pub monitor: Option<Redacted>,
    /// Predictions that the monitor keeps of each pair of model and reference
    #[arg(long = "monitor-keep", value_name = "N", default_value_t = 100_000)]
    pub keep: u64,
    /// Time after which the monitor forgets a pair of model and reference that no server has served and
    /// that had no prediction, in days on which others were served
    #[arg(long = "monitor-keep-pairs",
          value_name = "TIME", default_value = "90d", value_parser = duration(DAY, 36_500 * DAY))]
    pub keep_pairs: Duration,
    /// Groups (parts, trays, shifts: what the reference's images are grouped by) between two false
    /// alarms, on average at least
    #[arg(long, value_name = "N", default_value_t = 10_000.0)]
    pub drift_groups_between_alarms: f64,
    /// Images that make a group where nobody says which group an image is of
    /// [default: as many as the middle group of the calibration has]
    #[arg(long, value_name = "N")]
    pub drift_group_size: Option<usize>,
    /// By what share groups may be stranger than those of the calibration before it counts
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub drift_tolerance: f64,
    /// Mix of classes that the line is said to have, as defect=0.02, or `calibration`; another one makes
    /// the verdict `drifting` [default: the mix is told and raises no alarm]
    #[arg(long, value_name = "CLASS=SHARE,...")]
    pub expected_mix: Option<ExpectedMix>,
    /// The last images that shares are told of
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub drift_window: usize,
    /// Streams (cameras, lines) that have a verdict of their own, at most: 0 to 100
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub drift_streams: usize,
    /// Folder of the images that the reference was built from, for pictures in reports: ids are paths in it
    #[arg(long, value_name = "DIR")]
    pub reference_images: Option<PathBuf>,
    /// URL that a change of the verdict is posted to, as JSON; it may hold a secret, and is not logged
    #[arg(long, value_name = "URL", hide_env_values = true)]
    pub drift_webhook: Option<Redacted>,
    /// Time in which no second change is posted; what changes meanwhile is posted after it
    #[arg(long, value_name = "TIME", default_value = "10m",
          value_parser = duration(Duration::ZERO, DAY))]
    pub drift_webhook_cooldown: Duration,
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

    /// Whether changes can be posted to where they are to be. Not looked at while arguments are read, where what is wrong
    /// would be quoted: it may hold a secret.
    pub fn has_wrong_webhook(&self) -> bool {
        let url = self.drift_webhook.as_ref().map(|url| url.expose().parse::<Uri>());
        url.is_some_and(|url| {
            url.map_or(true, |url| !matches!(url.scheme_str(), Some("http" | "https")))
        })
    }

    /// What shall be noticed.
    pub fn tests(&self) -> MonitorSettings {
        MonitorSettings {
            groups_between_false_alarms: self.drift_groups_between_alarms,
            group_size: self.drift_group_size,
            tolerance: self.drift_tolerance,
            expected_mix: self.expected_mix.clone(),
            positive_class: None,
            window: self.drift_window,
            streams: self.drift_streams,
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
    use sdd_monitor::{Location, MonitorSettings};

    use super::{DriftSettings, MonitorPlace, default_file};
    use crate::settings::Cli;

    fn parse(arguments: &[&str]) -> DriftSettings {
        Cli::parse_from([&["sdd-server"], arguments].concat()).settings.drift
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        assert_eq!(parse(&[]).tests(), MonitorSettings::default());
        let other = parse(&["--expected-mix", "defect=0.02", "--drift-tolerance", "0.1"]).tests();
        let mix = other.expected_mix.map(|mix| mix.to_string());
        assert_eq!((mix.as_deref(), other.tolerance), (Some("defect=0.02"), 0.1));
        let loud = ["sdd-server", "--expected-mix", "loud"];
        assert!(Cli::try_parse_from(loud).is_err());
        for (url, is_wrong) in [("alarms.example", true), ("https://alarms.example/hook", false)] {
            assert_eq!(parse(&["--drift-webhook", url]).has_wrong_webhook(), is_wrong, "{url}");
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
