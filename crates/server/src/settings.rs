//! Flags, each with its twin in the environment.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use sdd_core::{DEFAULT_MODEL, Device, ImageLimits};

/// The reference store that is served when none is named and this one is there.
pub const DEFAULT_REFERENCE: &str = "models/reference";

/// Serves an image classifier: POST an image to /predict, get its class, confidence and drift score.
#[derive(Debug, Parser)]
#[command(name = "sdd-server", version)]
pub struct Cli {
    /// How to serve.
    #[command(flatten)]
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
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Address to listen on
    #[arg(long, env = "SDD_HOST", default_value = "127.0.0.1", global = true)]
    pub host: String,
    /// Port to listen on; 0 takes a free one, which the log names
    #[arg(long, env = "SDD_PORT", default_value_t = 8000, global = true)]
    pub port: u16,
    /// The model, an ONNX file
    #[arg(long, env = "SDD_MODEL", default_value = DEFAULT_MODEL)]
    pub model: PathBuf,
    /// Description of the model (JSON), instead of the one in its metadata
    #[arg(long, env = "SDD_MODEL_SPEC")]
    pub model_spec: Option<PathBuf>,
    /// The reference store of the model's training images, made by `drift-index build`
    /// [default: models/reference where it is there; `none` serves without drift]
    #[arg(long, env = "SDD_REFERENCE")]
    pub reference: Option<PathBuf>,
    /// Where the model runs: cpu, cuda, cuda:N or auto
    #[arg(long, env = "SDD_DEVICE", default_value_t = Device::Cpu)]
    pub device: Device,
    /// Threads that decode and infer, each with the model [default: one a core]
    #[arg(long, env = "SDD_WORKERS", value_parser = at_least_one(1024))]
    pub workers: Option<usize>,
    /// Images that may wait for a worker; more are answered 503
    #[arg(long, env = "SDD_QUEUE", default_value_t = 64, value_parser = at_least_one(65_536))]
    pub queue: usize,
    /// Nearest reference images shown with an answer
    #[arg(long, env = "SDD_NEIGHBORS", default_value_t = 3)]
    pub neighbors: usize,
    /// Largest upload, in bytes
    #[arg(long, env = "SDD_MAX_BYTES", default_value_t = ImageLimits::default().max_bytes,
          value_parser = at_least_one(1 << 32))]
    pub max_bytes: usize,
    /// Largest image, in pixels
    #[arg(long, env = "SDD_MAX_PIXELS", default_value_t = ImageLimits::default().max_pixels,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub max_pixels: u64,
    /// Seconds that an upload may take
    #[arg(long, env = "SDD_UPLOAD_TIMEOUT_S", default_value_t = 30)]
    pub upload_timeout_s: u64,
    /// Seconds that requests in flight get to end when the server is told to stop
    #[arg(long, env = "SDD_SHUTDOWN_TIMEOUT_S", default_value_t = 30)]
    pub shutdown_timeout_s: u64,
    /// How the log, on standard error, is written
    #[arg(long, env = "SDD_LOG_FORMAT", value_enum, default_value_t = LogFormat::Pretty)]
    pub log_format: LogFormat,
}

/// Takes 1 to `largest`.
fn at_least_one(largest: u64) -> impl TypedValueParser<Value = usize> {
    let in_range = clap::value_parser!(u64).range(1..=largest);
    in_range.try_map(usize::try_from)
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// What one image may cost.
    #[must_use]
    pub fn image_limits(&self) -> ImageLimits {
        ImageLimits {
            max_bytes: self.max_bytes,
            max_pixels: self.max_pixels,
            ..ImageLimits::default()
        }
    }

    /// The reference to open, and whether it was named, so that it has to be there.
    #[must_use]
    pub fn reference(&self) -> Option<(PathBuf, bool)> {
        match &self.reference {
            Some(named) if named.as_os_str() == "none" => None,
            Some(named) => Some((named.clone(), true)),
            None => Some((PathBuf::from(DEFAULT_REFERENCE), false)),
        }
    }

    /// Threads that decode and infer: what was asked for, or the number of cores.
    #[must_use]
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.unwrap_or_else(cores)
    }

    /// Time that an upload may take.
    #[must_use]
    pub fn upload_timeout(&self) -> Duration {
        Duration::from_secs(self.upload_timeout_s)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn flags_are_well_formed_and_each_has_a_twin() {
        let command = Cli::command();
        command.clone().debug_assert();
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            if name == "help" || name == "version" {
                continue;
            }
            let twin = argument.get_env().map(|twin| twin.to_string_lossy().into_owned());
            assert_eq!(twin, Some(format!("SDD_{}", name.to_uppercase())));
        }
    }

    #[test]
    fn a_reference_can_be_named_left_to_the_default_or_turned_off() {
        let reference = |arguments: &[&str]| {
            let arguments = [&["sdd-server"], arguments].concat();
            Cli::parse_from(arguments).settings.reference()
        };
        assert_eq!(reference(&[]), Some((PathBuf::from("models/reference"), false)));
        assert_eq!(reference(&["--reference", "r"]), Some((PathBuf::from("r"), true)));
        assert_eq!(reference(&["--reference", "none"]), None);
    }
}
