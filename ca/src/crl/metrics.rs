//! What is counted of CRLs. By issuer and not by shard, of which there may be many.

use cairn_core::{CrlHead, CrlKind, Metric};
use metrics::{Counter, Gauge, counter, gauge};

use crate::issuer::Issuer;

/// Every metric of CRLs.
pub(crate) const METRICS: [Metric; 5] = [PUBLISHED, FAILURES, OLDEST, NEXT_END, ENTRIES];

const PUBLISHED: Metric =
    Metric::counter("cairn_ca_crls_total", &["issuer", "kind"], "CRLs that were signed and published.");
const FAILURES: Metric = Metric::counter(
    "cairn_ca_crl_failures_total",
    &["issuer"],
    "CRLs that could not be made or published; each is tried again after some seconds.",
);
const OLDEST: Metric = Metric::gauge(
    "cairn_ca_crl_oldest_timestamp_seconds",
    &["issuer"],
    "When the oldest of an issuer's latest complete CRLs was made, in seconds since 1970; 0 if one was never made.",
);
const NEXT_END: Metric = Metric::gauge(
    "cairn_ca_crl_next_end_timestamp_seconds",
    &["issuer"],
    "When the first of an issuer's latest complete CRLs ends (nextUpdate), in seconds since 1970.",
);
const ENTRIES: Metric =
    Metric::gauge("cairn_ca_crl_entries", &["issuer"], "Certificates on an issuer's latest complete CRLs.");

/// An issuer's.
pub(super) struct Handles {
    failures: Counter,
    oldest: Gauge,
    next_end: Gauge,
    entries: Gauge,
}

impl Handles {
    pub(super) fn new(issuer: &Issuer) -> Self {
        let name = issuer.label();
        Self {
            failures: counter!(FAILURES.name, "issuer" => name.clone()),
            oldest: gauge!(OLDEST.name, "issuer" => name.clone()),
            next_end: gauge!(NEXT_END.name, "issuer" => name.clone()),
            entries: gauge!(ENTRIES.name, "issuer" => name),
        }
    }

    pub(super) fn failed(&self) {
        self.failures.increment(1);
    }

    /// Shows the latest complete CRL of each of `shards` shards.
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since 1970 and entries need fewer than a float's 53 bits"
    )]
    pub(super) fn show<'a>(&self, shards: usize, heads: impl Iterator<Item = &'a CrlHead>) {
        let (mut count, mut entries, mut oldest, mut end) = (0, 0, i64::MAX, i64::MAX);
        for head in heads {
            count += 1;
            entries += head.entries;
            oldest = oldest.min(head.this_update.unix());
            end = end.min(head.next_update.unix());
        }
        if count < shards {
            (oldest, end) = (0, 0);
        }
        self.entries.set(entries as f64);
        self.oldest.set(oldest as f64);
        self.next_end.set(end as f64);
    }
}

/// One was published.
pub(super) fn published(issuer: &Issuer, kind: CrlKind) {
    let kind = match kind {
        CrlKind::Complete => "complete",
        CrlKind::Delta => "delta",
    };
    counter!(PUBLISHED.name, "issuer" => issuer.label(), "kind" => kind).increment(1);
}
