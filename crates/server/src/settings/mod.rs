//! Command line, environment and configuration file, checked once.
//!
//! One file a subject; [`Settings`] is all of them, so that `--help` shows one list.

mod capture;
mod duration;
mod effective;
mod file;
mod host_pattern;
mod limits;
mod model;
mod monitor;
mod range;
mod security;
mod telemetry;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sdd_report::PictureFolders;

pub use capture::CaptureSettings;
pub use effective::effective_text;
pub use file::{ReadSettings, SettingsError, read};
pub use host_pattern::HostPattern;
pub use limits::LimitSettings;
pub use model::ModelSettings;
pub use monitor::DriftSettings;
pub use security::{AdminAddress, Redacted, SecuritySettings};
pub use telemetry::{LogFormat, TelemetrySettings};

/// The flags that `-h` shows; `--help` shows all.
const COMMON: [&str; 10] = [
    "config",
    "host",
    "port",
    "model",
    "reference",
    "device",
    "workers",
    "monitor",
    "capture",
    "log-format",
];

const EXAMPLES: &str = "\
Examples:
  sdd-server                                      the shipped model on http://127.0.0.1:8000
  sdd-server --model m.onnx --reference store     a model and its reference store
  sdd-server --config sdd.toml --port 9000        settings from a file, one of them changed
  sdd-server config > sdd.toml                    a file with all settings to begin with

Each flag has a twin in the environment (--max-bytes is SDD_MAX_BYTES) and in the file (max-bytes).
A flag goes before the environment, that before the file.";

/// Serves an image classifier: POST an image to /predict, get its class, confidence and drift score.
#[derive(Debug, Parser)]
#[command(name = "sdd-server", version, before_help = EXAMPLES)]
pub struct Cli {
    /// How to serve.
    #[command(flatten, next_help_heading = "Listening")]
    pub settings: Settings,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does instead of serving.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Ask the server at --host and --port whether it is ready; exit code 0 if so, 2 if not
    Health,
    /// Print the settings in force as a file for --config, each with where it comes from; exit code 2 where the file is
    /// wrong
    Config,
    /// Make a random key for clients and print it with its hash, which --api-key-hashes and
    /// --admin-key-hashes take
    Key,
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// A file with settings by the names of their flags, in TOML
    #[arg(long, value_name = "FILE.toml", global = true)]
    pub config: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1", global = true)]
    pub host: String,
    /// Port to listen on; 0 takes a free one, which the log names
    #[arg(long, default_value_t = 8000, global = true)]
    pub port: u16,
    /// Let a second server listen on the same port, so that it can take over before this one is told
    /// to stop
    #[arg(long)]
    pub reuse_port: bool,
    /// What is served.
    #[command(flatten, next_help_heading = "Model")]
    pub model: ModelSettings,
    /// What requests may cost.
    #[command(flatten, next_help_heading = "Limits")]
    pub limits: LimitSettings,
    /// What is kept.
    #[command(flatten, next_help_heading = "Capture")]
    pub capture: CaptureSettings,
    /// What is watched for drift over time.
    #[command(flatten, next_help_heading = "Drift over time")]
    pub drift: DriftSettings,
    /// What is told about its work.
    #[command(flatten, next_help_heading = "Log and traces")]
    pub telemetry: TelemetrySettings,
    /// Who may ask.
    #[command(flatten, next_help_heading = "Security")]
    pub security: SecuritySettings,
}

impl Settings {
    /// Where the pictures of reports come from.
    pub fn picture_folders(&self) -> PictureFolders {
        PictureFolders {
            captured: self.capture.directory.clone(),
            reference_images: self.drift.reference_images.clone(),
            limits: self.model.image_limits(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Cli;
    use crate::settings::file::command;

    #[test]
    fn flags_are_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn what_may_hold_a_secret_is_not_shown() {
        let command = command();
        let hidden: Vec<_> = command
            .get_arguments()
            .filter(|argument| argument.is_hide_env_values_set())
            .map(|argument| argument.get_id().as_str())
            .collect();
        let secret =
            ["api_key_hashes", "admin_key_hashes", "monitor", "drift_webhook", "otlp_endpoint"];
        assert!(secret.iter().all(|name| hidden.contains(name)), "{hidden:?}");
        for argument in command.get_arguments() {
            let takes_url =
                argument.get_help().is_some_and(|help| help.to_string().contains("URL"));
            assert!(!takes_url || argument.is_hide_env_values_set(), "{}", argument.get_id());
        }
    }

    #[test]
    fn zero_is_refused_where_nothing_would_work() {
        for flag in ["--workers", "--queue", "--max-batch", "--max-images", "--max-connections"] {
            assert!(Cli::try_parse_from(["sdd-server", flag, "0"]).is_err(), "{flag}");
        }
    }
}
