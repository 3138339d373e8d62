//! What an auditor wants to find in the log (Baseline Requirements §5.4.1): events with the target `audit` and stable names.

use cairn_core::api::ca::IssuanceRequest;
use cairn_core::{Error, Serial, Timestamp};
use cairn_x509::{Certificate, Validity};

use crate::issuer::Issuer;

/// A certificate is about to be recorded and signed.
pub(crate) fn intent(request: &IssuanceRequest, serial: &Serial, validity: Validity, issuer: &Issuer) {
    tracing::info!(
        target: "audit",
        event = "certificate.intent",
        serial = %serial,
        order.id = request.order.map(display),
        account.id = request.account.map(display),
        profile = request.profile,
        names = names(request),
        not_before = %Timestamp::from_unix(validity.not_before),
        not_after = %Timestamp::from_unix(validity.not_after),
        issuer = %issuer.id(),
    );
}

/// A certificate was signed.
pub(crate) fn signed(request: &IssuanceRequest, serial: &Serial, certificate: &Certificate) {
    tracing::info!(
        target: "audit",
        event = "certificate.signed",
        serial = %serial,
        order.id = request.order.map(display),
        account.id = request.account.map(display),
        names = names(request),
        sha256 = hex(&certificate.sha256_fingerprint()),
    );
}

/// A certificate was signed, and could not be stored: nobody gets it, but it exists. The log holds it whole.
pub(crate) fn not_stored(serial: &Serial, certificate: &Certificate, error: &Error) {
    tracing::error!(
        target: "audit",
        event = "certificate.not_stored",
        serial = %serial,
        certificate = hex(certificate.der()),
        %error,
    );
}

fn names(request: &IssuanceRequest) -> String {
    request.identifiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
