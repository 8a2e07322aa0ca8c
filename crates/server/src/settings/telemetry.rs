//! What is told about the server's work, and to whom.

use actix_web::http::Uri;
use clap::{Args, ValueEnum};

use crate::settings::security::Redacted;

/// The path of a collector that takes traces (OTLP/HTTP).
const TRACES_PATH: &str = "/v1/traces";

/// What is told about the server's work, and to whom.
#[derive(Debug, Clone, Args)]
pub struct TelemetrySettings {
    /// How the log, on standard error, is written
    #[arg(long, value_enum, default_value_t = LogFormat::Pretty)]
    pub log_format: LogFormat,
    #[expect(clippy::doc_markdown, reason = "shown by --help as it stands")]
    /// Base URL of an OpenTelemetry collector that takes traces by OTLP over HTTP, as
    /// http://localhost:4318; empty for none [default: OTEL_EXPORTER_OTLP_ENDPOINT, else none]
    #[arg(long, hide_env_values = true)]
    pub otlp_endpoint: Option<Redacted>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl TelemetrySettings {
    /// The URL that traces are posted to; `None` without a collector. `variable` looks up OpenTelemetry's own
    /// settings in the environment.
    pub fn traces_url(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, String> {
        if let Some(base) = &self.otlp_endpoint {
            // Only now: the program would repeat what is wrong with a flag, and this may hold a password.
            let base =
                base_url(base.expose()).map_err(|reason| format!("--otlp-endpoint: {reason}"))?;
            return Ok(Some(with_path(&base)).filter(|_| !base.is_empty()));
        }
        let named = |name: &str| {
            let value = variable(name).filter(|value| !value.trim().is_empty())?;
            Some(base_url(value.trim()).map_err(|reason| format!("{name}: {reason}")))
        };
        // The one for traces is the whole URL, the one for all signals its beginning.
        if let Some(whole) = named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            return whole.map(Some);
        }
        let base = named("OTEL_EXPORTER_OTLP_ENDPOINT").transpose()?;
        Ok(base.map(|base| with_path(&base)))
    }
}

fn with_path(base: &str) -> String {
    let base = base.trim_end_matches('/');
    if base.ends_with(TRACES_PATH) { base.to_owned() } else { format!("{base}{TRACES_PATH}") }
}

fn base_url(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let expected = "expected a URL, as http://localhost:4318";
    let url: Uri = text.parse().map_err(|error| format!("{expected}: {error}"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.query().is_some() {
        return Err(expected.into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::settings::Cli;

    fn traces_url(flags: &[&str], variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let settings = Cli::parse_from([&["sdd-server"], flags].concat()).settings.telemetry;
        settings.traces_url(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_flag_goes_before_the_variable_for_traces_before_the_one_for_all() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318/");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/otlp");
        let flag = ["--otlp-endpoint", "http://flag:4318"];
        let url = |flags: &[&str], variables: &[_]| traces_url(flags, variables).unwrap();
        assert_eq!(url(&[], &[]), None);
        assert_eq!(url(&[], &[all]).as_deref(), Some("http://all:4318/v1/traces"));
        assert_eq!(url(&[], &[all, traces]).as_deref(), Some("https://traces/otlp"));
        assert_eq!(url(&flag, &[all, traces]).as_deref(), Some("http://flag:4318/v1/traces"));
        assert_eq!(url(&["--otlp-endpoint", ""], &[all]), None);
        assert_eq!(url(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in ["localhost:4318", "grpc://localhost:4317", "http://", "http://x/?a=b", "a b"] {
            assert!(traces_url(&["--otlp-endpoint", bad], &[]).is_err(), "{bad}");
            assert!(traces_url(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", bad)]).is_err(), "{bad}");
        }
    }
}
