//! What is asked of a CA certificate that is being made, beyond what one that exists is held to
//! (`lint_ca`): that it is of the kind that was meant.

use der::Encode;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectKeyIdentifier};

use super::{Lint, Subject, ensure};
use crate::{oid, validity::Validity};

/// Fifty years. Longer is more often a slip in a number than a wish, and no algorithm lasts.
const MAX_LIFETIME: i64 = 50 * 366 * 24 * 60 * 60;

pub(super) const ANY: &[Lint] =
    &[Lint { name: "ca_lifetime", citation: "no standard; our own order", check: ca_lifetime }];

pub(super) const ROOT: &[Lint] =
    &[Lint { name: "self_signed", citation: "RFC 5280 §3.2", check: self_signed }];

pub(super) const SUBORDINATE: &[Lint] =
    &[Lint { name: "not_self_issued", citation: "RFC 5280 §3.2", check: not_self_issued }];

pub(super) const INTERMEDIATE: &[Lint] =
    &[Lint { name: "ca_has_purposes", citation: "BRs §7.1.2.6, §7.1.2.10.6", check: ca_has_purposes }];

pub(super) const CROSS: &[Lint] =
    &[Lint { name: "same_ca", citation: "RFC 5280 §3.2, §4.2.1.2", check: same_ca }];

fn ca_lifetime(subject: &Subject<'_>) -> Result<(), String> {
    let lifetime = Validity::from_wire(subject.tbs().validity()).lifetime();
    ensure(lifetime <= MAX_LIFETIME, || {
        format!("the certificate is valid for {} days, which is more than fifty years", lifetime / 86_400)
    })
}

fn self_signed(subject: &Subject<'_>) -> Result<(), String> {
    ensure(subject.is_self_issued(), || "the root's issuer is not its subject".to_owned())?;
    subject
        .certificate
        .verify_issued_by(subject.certificate)
        .map_err(|error| format!("the root is not signed by its own key: {error}"))
}

fn not_self_issued(subject: &Subject<'_>) -> Result<(), String> {
    ensure(!subject.is_self_issued(), || "the subject has the name of its issuer".to_owned())
}

/// With no purpose said an intermediate is good for all of them.
fn ca_has_purposes(subject: &Subject<'_>) -> Result<(), String> {
    ensure(subject.decoded::<ExtendedKeyUsage>(oid::EXTENDED_KEY_USAGE)?.is_some(), || {
        "there is no extendedKeyUsage".to_owned()
    })
}

/// Name, key and key identifier are those of the certificate that exists, octet by octet: else what the CA
/// issued would not chain to the new one.
fn same_ca(subject: &Subject<'_>) -> Result<(), String> {
    let Some(existing) = subject.existing else { return Ok(()) };
    let tbs = subject.tbs();
    let name = tbs.subject().to_der().map_err(|error| error.to_string())?;
    ensure(name == existing.subject().der(), || {
        format!("the subject is {}, but the existing certificate's is {}", tbs.subject(), existing.subject())
    })?;
    let key = tbs.subject_public_key_info().to_der().map_err(|error| error.to_string())?;
    ensure(key == existing.public_key().der(), || "the key is not the existing certificate's".to_owned())?;
    let identifier = subject.decoded::<SubjectKeyIdentifier>(oid::SUBJECT_KEY_IDENTIFIER)?;
    let identifier = identifier.as_ref().map(|(_, identifier)| identifier.0.as_bytes());
    ensure(identifier == existing.subject_key_identifier(), || {
        "the subjectKeyIdentifier is not the existing certificate's".to_owned()
    })
}
