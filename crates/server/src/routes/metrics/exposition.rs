//! The numbers as text, in the two formats that scrapers read.

use std::fmt;

use prometheus_client::encoding::text::{encode_eof, encode_registry};

use crate::routes::metrics::{process, state};
use crate::service::Service;

/// A format of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus's own, version 0.0.4, which everything reads.
    Prometheus,
}

impl Format {
    /// For the header `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All numbers of the server. Reads `/proc`, so it is nothing for an async worker.
pub(crate) fn expose(service: &Service, format: Format) -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(16 << 10);
    encode_registry(&mut text, &service.metrics.registry)?;
    encode_registry(&mut text, &state::registry(service))?;
    encode_registry(&mut text, &process::registry())?;
    encode_eof(&mut text)?;
    Ok(match format {
        Format::OpenMetrics => text,
        Format::Prometheus => as_prometheus(&text),
    })
}

/// The older format gives a family the name of its samples, which for counters and infos has a suffix
/// that `OpenMetrics` leaves out, and knows neither infos nor units.
fn as_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        let (name, rest) = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(_), said) => {
                help = said.unwrap_or_default();
                continue;
            }
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => (name, kind),
            (Some("#"), ..) => continue,
            _ => {
                text.extend([line, "\n"]);
                continue;
            }
        };
        let (suffix, kind) = match rest {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "unknown" => ("", "untyped"),
            kind => ("", kind),
        };
        text.extend(["# HELP ", name, suffix, " ", help, "\n"]);
        text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
    }
    text
}
