//! Traces of requests, for an OpenTelemetry collector.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use thiserror::Error;

use crate::settings::TelemetrySettings;
use crate::telemetry::collector::Client;

/// The name of the service unless `OTEL_SERVICE_NAME` gives another.
const SERVICE_NAME: &str = "sdd-server";

/// Why no traces can be sent.
#[derive(Debug, Error)]
pub enum TraceError {
    /// Where to.
    #[error("traces cannot be sent: {0}")]
    Endpoint(String),
    /// OpenTelemetry's settings in the environment.
    #[error("traces cannot be sent")]
    Exporter(#[from] ExporterBuildError),
}

/// Sends spans in batches, on a thread of its own; where the collector does not keep up, spans are
/// dropped.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    pub(crate) tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

impl Traces {
    /// Starts sending to the collector that the settings or OpenTelemetry's environment variables
    /// name; `None` where they name none. Whether it is there shows only later.
    pub fn start(settings: &TelemetrySettings) -> Result<Option<Self>, TraceError> {
        let url = settings.traces_url(|name| std::env::var(name).ok());
        let Some(url) = url.map_err(TraceError::Endpoint)? else {
            return Ok(None);
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new())
            .with_endpoint(&url)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .build();
        tracing::info!("traces go to a collector");
        let tracer = provider.tracer(SERVICE_NAME);
        Ok(Some(Self { provider, tracer, propagator: TraceContextPropagator::new() }))
    }

    /// The trace that a client's request belongs to, by the headers `traceparent` and `tracestate`
    /// (W3C Trace Context).
    pub fn parent_of(&self, headers: &HeaderMap) -> Parent {
        let named =
            |name: &str| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned()));
        let told: HashMap<String, String> = self.propagator.fields().filter_map(named).collect();
        let context = self.propagator.extract_with_context(&Context::new(), &told);
        Parent(context.has_active_span().then_some(context))
    }

    /// Sends what has not been sent. Blocks, for `limit` at most.
    pub fn stop(&self, limit: Duration) {
        match self.provider.shutdown_with_timeout(limit) {
            Ok(()) | Err(OTelSdkError::AlreadyShutdown) => {}
            Err(error) => tracing::debug!("the last traces were not sent: {error}"),
        }
    }
}

/// What a request's span hangs from: a client's span, or nothing.
#[derive(Debug, Clone, Default)]
pub struct Parent(pub(crate) Option<Context>);

fn resource() -> Resource {
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
    if named { resource } else { resource.with_service_name(SERVICE_NAME) }.build()
}
