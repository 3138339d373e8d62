//! How a room says what it counts: each metric's name, kind, labels and meaning as data, in the room's own `metrics.rs`. The binary
//! describes them to whoever collects, and docs/METRICS.md is written from them.
//!
//! Names begin with `cairn_` and the room, and end with their unit (`_seconds`), or with `_total` if they only ever grow. A label has few
//! values, all known from the code or the configuration: no names of subscribers, no ids, no serials.

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, for whoever reads a dashboard.
    pub help: &'static str,
}

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often which size was seen.
    Histogram,
}

impl Metric {
    /// One that grows.
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter, labels, help }
    }

    /// One that goes up and down.
    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: MetricKind::Gauge, labels, help }
    }

    /// One that counts sizes.
    pub const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: MetricKind::Histogram, labels, help }
    }
}

impl MetricKind {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
