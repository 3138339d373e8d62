//! Traces: the spans of the use cases, sent to an OpenTelemetry collector (OTLP over gRPC). Off unless an endpoint is configured.
//!
//! A trace begins with a request of a client and follows it through the services, also into other processes. A client's own
//! `traceparent` (W3C Trace Context) is not looked at: clients are strangers, and whoever could name the trace could have all of its
//! requests sampled, or write into the traces of others. Services believe each other's.
//!
//! Requests never wait for the collector: spans go into a bounded queue, and what finds it full is lost. A thread of the exporter's own
//! sends them.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Uri;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Tracer};
use serde::Deserialize;
use tracing::{Metadata, warn};

use crate::roles::Roles;

/// Spans that wait to be sent. One certificate makes some 80; each takes about 1 KB.
const QUEUE: usize = 8192;
/// Spans that are sent at once.
const BATCH: usize = 512;
/// How often what waits is sent, however little it is.
const SEND_EVERY: Duration = Duration::from_secs(2);
/// How long the collector may take to accept a batch.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long, at the end of the process, the last spans may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// The `[trace]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trace {
    /// Where traces are sent: an OpenTelemetry collector that takes OTLP over gRPC, for example `"http://127.0.0.1:4317"`. Only `http`:
    /// run the collector on this machine or in a network that you trust, since spans name what certificates are asked for. Default: none,
    /// and nothing is traced.
    pub endpoint: Option<String>,
    /// Which part of all requests is traced, from 0.0 to 1.0. Default 1.0, which a busy server feels: each certificate makes some 80
    /// spans.
    pub sample_ratio: f64,
    /// What the process is called in traces (`service.name`). Default: `cairn`, with the roles that it plays if it does not play all,
    /// as in `cairn-ra-va`.
    pub service_name: Option<String>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { endpoint: None, sample_ratio: 1.0, service_name: None }
    }
}

impl Trace {
    /// Whether it can be used.
    ///
    /// # Errors
    /// With the key, what is wrong, and what to write.
    pub fn validate(&self) -> Result<()> {
        ensure!(
            (0.0..=1.0).contains(&self.sample_ratio),
            "sample_ratio: {} is no part of all; write a number from 0.0 to 1.0",
            self.sample_ratio
        );
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        let uri: Option<Uri> = endpoint.parse().ok();
        ensure!(
            uri.is_some_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some()),
            "endpoint: \"{endpoint}\" is no http URL; write for example \"http://127.0.0.1:4317\""
        );
        Ok(())
    }

    fn service_name(&self, roles: &Roles) -> String {
        self.service_name.clone().unwrap_or_else(|| {
            let named = roles.iter().filter(|_| !roles.are_all());
            named.fold("cairn".to_owned(), |name, role| format!("{name}-{role}"))
        })
    }
}

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Begins to send, if there is an endpoint. Inside the runtime: the connection lives there.
pub(super) fn start(config: &Trace, roles: &Roles) -> Result<Option<Tracer>> {
    config.validate().context("[trace]")?;
    let Some(endpoint) = &config.endpoint else { return Ok(None) };
    let exporter =
        SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(SEND_TIMEOUT).build();
    let exporter = exporter.with_context(|| format!("cannot send traces to {endpoint}"))?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(SEND_EVERY)
        .build();
    let resource = Resource::builder_empty().with_service_name(config.service_name(roles)).build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        // Whoever began the trace, here or in another of our processes, has decided for all of it.
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
        .with_resource(resource)
        .build();
    let tracer = provider.tracer("cairn");
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    // Only who has started logging, once per process, comes here.
    let _first = PROVIDER.set(provider);
    Ok(Some(tracer))
}

/// Sends what still waits, within a bound. Nothing is traced afterwards.
pub async fn stop() {
    let Some(provider) = PROVIDER.get() else { return };
    let stopped = tokio::task::spawn_blocking(|| provider.shutdown_with_timeout(FAREWELL)).await;
    if let Ok(Err(error)) = stopped {
        warn!(%error, "the last traces could not be sent");
    }
}

/// What is traced: our own spans, without the events in them, which are the log's.
pub(super) fn traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("cairn")
}

#[cfg(test)]
mod tests {
    use cairn_proto::Role;

    use super::*;
    use crate::config::Internal;

    #[test]
    fn an_endpoint_or_a_ratio_that_is_none_says_what_to_write() {
        let wrong = |trace: Trace| trace.validate().unwrap_err().to_string();
        for endpoint in ["127.0.0.1:4317", "https://collector:4317", "grpc://collector", ""] {
            let trace = Trace { endpoint: Some(endpoint.to_owned()), ..Trace::default() };
            assert!(wrong(trace).contains("http://127.0.0.1:4317"), "{endpoint}");
        }
        for sample_ratio in [-0.1, 1.1, f64::NAN] {
            assert!(wrong(Trace { sample_ratio, ..Trace::default() }).contains("from 0.0 to 1.0"));
        }
        Trace::default().validate().unwrap();
    }

    #[test]
    fn a_process_is_called_by_the_roles_that_it_plays_unless_it_plays_all() {
        let roles = |asked: &[Role]| Roles::new(asked, &Internal::default());
        let trace = Trace::default();
        assert_eq!(trace.service_name(&roles(&[])), "cairn");
        assert_eq!(trace.service_name(&roles(&[Role::Sa, Role::RemoteVa])), "cairn-remote-va-sa");
        let named = Trace { service_name: Some("acme".to_owned()), ..trace };
        assert_eq!(named.service_name(&roles(&[Role::Ra])), "acme");
    }
}
