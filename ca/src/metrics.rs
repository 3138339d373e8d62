//! What the certificate authority counts. Issuers and profiles are few: each issuer has its counters ready
//! from when it is taken into use.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::LazyLock;
use std::time::Instant;

use cairn_core::{Metric, Timestamp};
use metrics::{Counter, Histogram, counter, gauge, histogram};

use crate::calendar::{Entry, Kind, State};
use crate::crl;
use crate::issuer::Issuer;

/// Every metric of the certificate authority.
pub const METRICS: &[Metric] = &[
    CERTIFICATES,
    SIGNATURES,
    SIGNATURE_ERRORS,
    SIGNATURE_DURATION,
    KEY_UP,
    LINT_FAILURES,
    OCSP_ANSWERS,
    ENDS,
    RENEW_FROM,
    RENEW_BY,
    crl::METRICS[0],
    crl::METRICS[1],
    crl::METRICS[2],
    crl::METRICS[3],
    crl::METRICS[4],
];

const CERTIFICATES: Metric = Metric::counter(
    "cairn_ca_certificates_total",
    &["issuer", "profile"],
    "Certificates that were signed and stored.",
);
const SIGNATURES: Metric = Metric::counter(
    "cairn_ca_signatures_total",
    &["issuer", "algorithm"],
    "Signatures made with an issuer's key on certificates and OCSP answers; CRLs are counted by themselves.",
);
const SIGNATURE_ERRORS: Metric = Metric::counter(
    "cairn_ca_signature_errors_total",
    &["issuer", "algorithm"],
    "Signatures that an issuer's key did not give.",
);
const SIGNATURE_DURATION: Metric = Metric::histogram(
    "cairn_ca_signature_duration_seconds",
    &["issuer", "algorithm"],
    "How long an issuer's key took to sign.",
);
const KEY_UP: Metric = Metric::gauge(
    "cairn_ca_key_up",
    &["issuer"],
    "1 while an issuer's key can sign; 0 from when it could not until it can again, as when a hardware security module is away.",
);
const LINT_FAILURES: Metric = Metric::counter(
    "cairn_ca_lint_failures_total",
    &["issuer"],
    "Certificates that were not signed because the lints found something: each is a fault in the configuration or the program.",
);

const OCSP_ANSWERS: Metric = Metric::counter(
    "cairn_ca_ocsp_answers_total",
    &["result"],
    "OCSP requests of front ends, which ask for what they have no answer to: signed, unauthorized (nothing of what was asked is known), \
     malformed, failed.",
);

const ENDS: Metric = Metric::gauge(
    "cairn_ca_end_timestamp_seconds",
    &["kind", "part"],
    "When a part of the hierarchy (an issuer, another CA's certificate, a CRL, an OCSP responder) ends, in seconds since 1970.",
);
const RENEW_FROM: Metric = Metric::gauge(
    "cairn_ca_renew_from_timestamp_seconds",
    &["kind", "part"],
    "When the part's successor should be made; infinite if there is one.",
);
const RENEW_BY: Metric = Metric::gauge(
    "cairn_ca_renew_by_timestamp_seconds",
    &["kind", "part"],
    "When the part's successor must be in use, since leaves are shortened or outlive their chain from then on; infinite if there is one.",
);

/// An OCSP request was answered so.
pub(crate) fn ocsp(result: &'static str) {
    static COUNTERS: LazyLock<[(&str, Counter); 4]> = LazyLock::new(|| {
        ["signed", "unauthorized", "malformed", "failed"]
            .map(|result| (result, counter!(OCSP_ANSWERS.name, "result" => result)))
    });
    if let Some((_, counter)) = COUNTERS.iter().find(|(known, _)| *known == result) {
        counter.increment(1);
    }
}

/// The calendar as gauges.
#[derive(Debug, Default)]
pub struct Gauges(BTreeSet<(Kind, String)>);

impl Gauges {
    /// Shows what the calendar says. What was there before and is not any more never ends.
    pub fn show(&mut self, entries: &[Entry]) {
        let parts: BTreeSet<_> = entries.iter().map(|entry| (entry.kind, entry.name.clone())).collect();
        for (kind, part) in self.0.difference(&parts) {
            set(*kind, part, [f64::INFINITY; 3]);
        }
        for entry in entries {
            let [ends, from, by] = [entry.ends, entry.renew_from, entry.renew_by].map(seconds);
            let times = match entry.state {
                State::Succeeded => [ends, f64::INFINITY, f64::INFINITY],
                State::Good | State::Due | State::Overdue | State::Ended => [ends, from, by],
            };
            set(entry.kind, &entry.name, times);
        }
        self.0 = parts;
    }
}

fn set(kind: Kind, part: &str, times: [f64; 3]) {
    for (metric, time) in [ENDS, RENEW_FROM, RENEW_BY].into_iter().zip(times) {
        gauge!(metric.name, "kind" => kind.as_str(), "part" => part.to_owned()).set(time);
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 need 33 bits, and a float has 53")]
fn seconds(time: Timestamp) -> f64 {
    time.unix() as f64
}

pub(crate) struct Handles {
    certificates: BTreeMap<String, Counter>,
    signatures: Counter,
    signature_errors: Counter,
    signature_duration: Histogram,
    lint_failures: Counter,
}

impl Handles {
    /// For one issuer and these profiles.
    pub(crate) fn new<'a>(issuer: &Issuer, profiles: impl Iterator<Item = &'a String>) -> Self {
        let name = issuer.label();
        let algorithm = issuer.signer().algorithm().to_string();
        issuer.key().show_in(gauge!(KEY_UP.name, "issuer" => name.clone()));
        let certificates = |profile: &String| {
            let counter = counter!(CERTIFICATES.name, "issuer" => name.clone(), "profile" => profile.clone());
            (profile.clone(), counter)
        };
        Self {
            certificates: profiles.map(certificates).collect(),
            signatures: counter!(SIGNATURES.name, "issuer" => name.clone(), "algorithm" => algorithm.clone()),
            signature_errors: counter!(
                SIGNATURE_ERRORS.name,
                "issuer" => name.clone(),
                "algorithm" => algorithm.clone()
            ),
            signature_duration: histogram!(
                SIGNATURE_DURATION.name,
                "issuer" => name.clone(),
                "algorithm" => algorithm
            ),
            lint_failures: counter!(LINT_FAILURES.name, "issuer" => name),
        }
    }

    /// Counts what signs.
    pub(crate) async fn signing<T, E>(&self, sign: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let began = Instant::now();
        let signed = sign.await;
        self.signature_duration.record(began.elapsed());
        if signed.is_ok() { &self.signatures } else { &self.signature_errors }.increment(1);
        signed
    }

    pub(crate) fn lints_failed(&self) {
        self.lint_failures.increment(1);
    }

    pub(crate) fn issued(&self, profile: &str) {
        if let Some(counter) = self.certificates.get(profile) {
            counter.increment(1);
        }
    }
}
