//! What is counted, and how a trace goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use super::world::*;
use crate::Role;

/// Sums up by name and labels. A histogram is the number of its values.
#[derive(Clone, Default)]
struct Sums(Arc<Mutex<BTreeMap<String, f64>>>);

struct Sum(Sums, String);

impl Sum {
    fn add(&self, value: f64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
}

impl CounterFn for Sum {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }
    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Sum {
    fn increment(&self, value: f64) {
        self.add(value);
    }
    fn decrement(&self, value: f64) {
        self.add(-value);
    }
    fn set(&self, _: f64) {}
}

impl HistogramFn for Sum {
    fn record(&self, _: f64) {
        self.add(1.0);
    }
}

impl Sums {
    fn sum(&self, key: &Key) -> Arc<Sum> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Sum(self.clone(), format!("{} {}", key.name(), labels.join(" "))))
    }

    #[track_caller]
    fn is(&self, name: &str, value: f64) {
        let sums = self.0.lock().unwrap();
        assert_eq!(sums.get(name).copied().unwrap_or_default(), value, "{name} in {sums:#?}");
    }
}

impl Recorder for Sums {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.sum(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.sum(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.sum(key))
    }
}

#[tokio::test]
async fn calls_are_counted_on_both_sides() {
    let sums = Sums::default();
    let _guard = ::metrics::set_default_local_recorder(&sums);
    let (pki, _log) = (Pki::new(), Log::new());
    let script = Script::new(|request| async move {
        match request.into_inner().service.as_str() {
            "bad" => Err(tonic::Status::not_found("no such thing")),
            _ => Ok(String::new()),
        }
    });
    let (serving, channel) = pki.pair(&script).await;
    say(&channel, "Write", "good").await.unwrap();
    say(&channel, "Write", "bad").await.unwrap_err();
    let stranger = pki.channel(Role::Wfe, Role::Sa, &[serving.address]);
    say(&stranger, "Write", "good").await.unwrap_err();
    sums.is("cairn_rpc_client_connections role=sa", 2.0);
    drop((channel, stranger));
    serving.stop().await;

    for (side, good, refused) in [("server", 1.0, 0.0), ("client", 1.0, 1.0)] {
        let of = |name: &str, labels: &str| format!("cairn_rpc_{side}_{name} {labels}");
        sums.is(&of("calls_total", "service=test.Script method=Write code=OK"), good);
        sums.is(&of("calls_total", "service=test.Script method=Write code=NOT_FOUND"), 1.0);
        sums.is(&of("calls_total", "service=test.Script method=Write code=PERMISSION_DENIED"), refused);
        sums.is(&of("call_seconds", "service=test.Script method=Write"), 2.0 + refused);
        sums.is(&of("calls_in_flight", "role=sa"), 0.0);
    }
    sums.is("cairn_rpc_server_calls_refused_total role=sa reason=not-allowed", 1.0);
    sums.is("cairn_rpc_server_connections role=sa", 0.0);
}

#[tokio::test]
async fn a_trace_goes_on_in_the_callee() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    fn trace() -> String {
        Span::current().context().span().span_context().trace_id().to_string()
    }
    let pki = Pki::new();
    let (_serving, channel) = pki.pair(&Script::new(|_| async { Ok(trace()) })).await;
    let calling = async { (trace(), say(&channel, "Write", "").await.unwrap()) };
    let (ours, theirs) = calling.instrument(info_span!("request")).await;
    assert_eq!(ours, theirs);
    assert_ne!(ours, "00000000000000000000000000000000");
    // Another request is another trace.
    let other = say(&channel, "Write", "").instrument(info_span!("request")).await.unwrap();
    assert_ne!(ours, other);
}
