//! What RFC 6960 §4.2.2.2 and the Baseline Requirements demand of a delegated OCSP responder.

use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::{Lint, Subject, ensure};
use crate::oid;

pub(super) const OCSP_RESPONDER: &[Lint] = &[
    Lint { name: "ocsp_subject", citation: "BRs §7.1.2.8", check: ocsp_subject },
    Lint { name: "ocsp_key_usage", citation: "RFC 5280 §4.2.1.3, BRs §7.1.2.8.7", check: ocsp_key_usage },
    Lint { name: "ocsp_purpose", citation: "RFC 6960 §4.2.2.2, BRs §7.1.2.8.5", check: ocsp_purpose },
    Lint { name: "ocsp_no_check", citation: "RFC 6960 §4.2.2.2.1, BRs §7.1.2.8.6", check: ocsp_no_check },
    Lint { name: "ocsp_has_no_crl", citation: "BRs §7.1.2.8.2", check: ocsp_has_no_crl },
];

fn ocsp_subject(subject: &Subject<'_>) -> Result<(), String> {
    ensure(!subject.tbs().subject().is_empty(), || "the subject of the responder is empty".to_owned())?;
    ensure(!subject.is_self_issued(), || "the responder has its issuer's name".to_owned())
}

fn ocsp_key_usage(subject: &Subject<'_>) -> Result<(), String> {
    let Some((critical, KeyUsage(usages))) = subject.decoded(oid::KEY_USAGE)? else {
        return Err("there is no keyUsage".to_owned());
    };
    ensure(critical, || "keyUsage is not critical".to_owned())?;
    ensure(usages == KeyUsages::DigitalSignature, || format!("keyUsage is {usages:?}, not digitalSignature"))
}

/// OCSPSigning and nothing else: a responder's key is online.
fn ocsp_purpose(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, ExtendedKeyUsage(purposes))) = subject.decoded(oid::EXTENDED_KEY_USAGE)? else {
        return Err("there is no extendedKeyUsage".to_owned());
    };
    ensure(purposes == [oid::OCSP_SIGNING], || format!("the purposes are {purposes:?}, not OCSPSigning"))
}

/// There, not critical, and NULL.
fn ocsp_no_check(subject: &Subject<'_>) -> Result<(), String> {
    let Some((critical, der::asn1::Null)) = subject.decoded(oid::OCSP_NO_CHECK)? else {
        return Err("there is no id-pkix-ocsp-nocheck".to_owned());
    };
    ensure(!critical, || "id-pkix-ocsp-nocheck is critical".to_owned())
}

/// Nobody is to check, so there is nowhere to look.
fn ocsp_has_no_crl(subject: &Subject<'_>) -> Result<(), String> {
    ensure(subject.extension(oid::CRL_DISTRIBUTION_POINTS).is_none(), || {
        "the responder has a CRL distribution point".to_owned()
    })
}
