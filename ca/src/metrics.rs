//! What the certificate authority counts. Its issuer and its profiles are few, and known when it starts: each has its counters ready.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Instant;

use cairn_core::Metric;
use metrics::{Counter, Histogram, counter, gauge, histogram};

use crate::issuer::Issuer;

/// Every metric of the certificate authority.
pub const METRICS: &[Metric] =
    &[CERTIFICATES, SIGNATURES, SIGNATURE_ERRORS, SIGNATURE_DURATION, KEY_UP, LINT_FAILURES];

const CERTIFICATES: Metric = Metric::counter(
    "cairn_ca_certificates_total",
    &["issuer", "profile"],
    "Certificates that were signed and stored.",
);
const SIGNATURES: Metric = Metric::counter(
    "cairn_ca_signatures_total",
    &["issuer", "algorithm"],
    "Signatures made with an issuer's key.",
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
        let name = issuer.certificate().subject().common_name();
        let name = name.map_or_else(|| issuer.id().to_string(), str::to_owned);
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
