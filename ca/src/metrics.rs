//! What the certificate authority counts. Issuers and profiles are few: each issuer has its counters ready
//! from when it is taken into use.

use std::collections::BTreeMap;
use std::time::Instant;

use cairn_core::Metric;
use metrics::{Counter, Histogram, counter, histogram};

use crate::issuer::Issuer;

/// Every metric of the certificate authority.
pub const METRICS: &[Metric] =
    &[CERTIFICATES, SIGNATURES, SIGNATURE_ERRORS, SIGNATURE_DURATION, LINT_FAILURES];

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

    /// Runs what signs.
    pub(crate) fn signing<T, E>(&self, sign: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let began = Instant::now();
        let signed = sign();
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
