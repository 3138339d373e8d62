//! Metrics: what the rooms count, collected in one recorder for the process and rendered as Prometheus text by the management listener.
//!
//! Counting costs a few atomic operations and never waits. Samples of histograms gather until they are rendered or [`keep_up`] sorts
//! them into their buckets.

mod process;

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result};
use cairn_core::{Metric, MetricKind};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Every metric there is, by whom it is about. The names, kinds and words are the rooms' own.
pub const ROOMS: &[(&str, &[Metric])] = &[
    ("Front end", cairn_wfe::METRICS),
    ("Front end for relying parties", cairn_wfe::pki::METRICS),
    ("Registration authority", cairn_ra::METRICS),
    ("Validation authority", cairn_va::METRICS),
    ("Certificate authority", cairn_ca::METRICS),
    ("Storage authority", cairn_sa::METRICS),
    ("CRLs for others to serve", crate::crl_push::METRICS),
    ("Calls between processes", cairn_proto::transport::metrics::METRICS),
    ("Process", process::METRICS),
];

/// Bounds of durations in seconds: from a read of the embedded database to the longest validation.
const SECONDS: &[f64] = &[
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0,
];
/// Bounds of numbers of things.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// How often samples are sorted into buckets when nobody asks for them: at 10,000 requests a second they take a few MB until then.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count. Once per process, and before any room is opened: what is counted earlier is lost.
///
/// # Errors
/// If counting was begun before.
pub fn start() -> Result<()> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), SIZES))
        .and_then(PrometheusBuilder::install_recorder)
        .context("cannot begin to count")?;
    for Metric { name, kind, help, .. } in ROOMS.iter().flat_map(|(_, metrics)| metrics.iter()) {
        match kind {
            MetricKind::Counter => ::metrics::describe_counter!(*name, *help),
            MetricKind::Gauge => ::metrics::describe_gauge!(*name, *help),
            MetricKind::Histogram => ::metrics::describe_histogram!(*name, *help),
        }
    }
    process::started();
    // There is one recorder for the process, and only who installed it comes here.
    let _first = RECORDER.set(handle);
    Ok(())
}

/// All that was counted, in the text format of Prometheus; `None` if counting was not begun.
pub fn render() -> Option<String> {
    let mut text = RECORDER.get()?.render();
    process::render(&mut text);
    Some(text)
}

/// Sorts samples into their buckets until `ended`.
pub async fn keep_up(ended: CancellationToken) {
    while ended.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
        if let Some(recorder) = RECORDER.get() {
            recorder.run_upkeep();
        }
    }
}
