//! extendedKeyUsage along a chain. RFC 5280 §4.2.1.12 says what a key may be used for and nothing of what a CA may hand down; those who
//! verify take a CA's purposes as the most that is below it.

use der::Decode;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::{Lint, Subject, ensure};
use crate::oid;

pub(super) const BELOW: &[Lint] = &[Lint {
    name: "purposes_within_issuer",
    citation: "no standard; OpenSSL, Windows and NSS refuse the chain",
    check: purposes_within_issuer,
}];

/// A purpose that the issuer has not would be a promise that no verifier keeps.
fn purposes_within_issuer(subject: &Subject<'_>) -> Result<(), String> {
    let Some(outer) = subject.issuer.tbs().extensions.extended_key_usage.as_deref() else { return Ok(()) };
    let ExtendedKeyUsage(outer) = ExtendedKeyUsage::from_der(outer)
        .map_err(|error| format!("the issuer's extendedKeyUsage does not decode: {error}"))?;
    if outer.contains(&oid::ANY_PURPOSE) {
        return Ok(());
    }
    let Some((_, ExtendedKeyUsage(own))) = subject.decoded(oid::EXTENDED_KEY_USAGE)? else { return Ok(()) };
    own.iter().try_for_each(|purpose| {
        ensure(outer.contains(purpose), || {
            format!("purpose {purpose} is none of the issuer's, so that no chain with both is taken for it")
        })
    })
}
