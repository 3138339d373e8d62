//! A second look at a certificate or a CRL, by code that did not build it.
//!
//! Before a CA signs, it signs the same bytes with a throw-away key and has the result linted; a finding
//! stops the issuance (BRs §4.3.1.2). So no lint looks at the signature, but that of a finished root, and every
//! lint reads the DER anew, through x509-cert's types, not through what the builder remembers.
//!
//! One function is one lint. It cites what demands it and says in plain words what is wrong.

mod cabf_br;
mod ceremony;
mod crl;
mod name_constraints;
mod purposes;
mod rfc5280;
mod rfc6960;

use const_oid::ObjectIdentifier;
use der::Decode;
use x509_cert::{TbsCertificate, ext::Extension};

pub use self::crl::lint_crl;
pub(crate) use self::crl::lint_large_crl;
use crate::certificate::Certificate;

/// Something wrong with a certificate or a CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the lint, for logs and metrics.
    pub lint: &'static str,
    /// What demands otherwise.
    pub citation: &'static str,
    /// What is wrong here.
    pub message: String,
}

/// Judges a subscriber's certificate that `issuer` is going to sign. No finding means it may be signed.
#[must_use]
pub fn lint_leaf(certificate: &Certificate, issuer: &Certificate) -> Vec<Finding> {
    run(
        &[
            rfc5280::ANY,
            rfc5280::LEAF,
            name_constraints::END_ENTITY,
            purposes::BELOW,
            cabf_br::ANY,
            cabf_br::LEAF,
        ],
        certificate,
        issuer,
        None,
    )
}

/// Judges the certificate of any CA: a root (then `issuer` is the root itself, or its rehearsal), an
/// intermediate, or a cross-certificate, perhaps somebody else's.
#[must_use]
pub fn lint_ca(certificate: &Certificate, issuer: &Certificate) -> Vec<Finding> {
    run(CA_TABLES, certificate, issuer, None)
}

/// Judges a root that has been made. Its signature must be its own, so judge the rehearsal of one, which
/// another key signed, by [`lint_ca`].
#[must_use]
pub fn lint_root(certificate: &Certificate) -> Vec<Finding> {
    let tables = [CA_TABLES, &[ceremony::ANY, ceremony::ROOT]].concat();
    run(&tables, certificate, certificate, None)
}

/// Judges an intermediate that `issuer` is going to sign. It must say what it is for; one that shall be good
/// for anything is judged by [`lint_ca`].
#[must_use]
pub fn lint_intermediate(certificate: &Certificate, issuer: &Certificate) -> Vec<Finding> {
    let tables = [CA_TABLES, &[ceremony::ANY, ceremony::SUBORDINATE, ceremony::INTERMEDIATE]].concat();
    run(&tables, certificate, issuer, None)
}

/// Judges a cross-certificate by which `issuer` is going to vouch for the CA of the `existing` certificate.
#[must_use]
pub fn lint_cross_certificate(
    certificate: &Certificate,
    issuer: &Certificate,
    existing: &Certificate,
) -> Vec<Finding> {
    let tables = [CA_TABLES, &[ceremony::ANY, ceremony::SUBORDINATE, ceremony::CROSS]].concat();
    run(&tables, certificate, issuer, Some(existing))
}

/// Judges the certificate of an OCSP responder that `issuer` is going to sign.
#[must_use]
pub fn lint_ocsp_responder(certificate: &Certificate, issuer: &Certificate) -> Vec<Finding> {
    let tables: &[&[Lint]] =
        &[rfc5280::ANY, rfc5280::NO_CA, name_constraints::END_ENTITY, rfc6960::OCSP_RESPONDER, cabf_br::ANY];
    run(tables, certificate, issuer, None)
}

/// What every CA's certificate is held to.
const CA_TABLES: &[&[Lint]] =
    &[rfc5280::ANY, rfc5280::CA, name_constraints::CA, purposes::BELOW, cabf_br::ANY, cabf_br::CA];

/// A lint: an error is the message of its finding.
struct Lint {
    name: &'static str,
    citation: &'static str,
    check: fn(&Subject<'_>) -> Result<(), String>,
}

/// What lints look at.
struct Subject<'a> {
    certificate: &'a Certificate,
    parsed: x509_cert::Certificate,
    issuer: &'a Certificate,
    /// The certificate that a cross-certified CA has already.
    existing: Option<&'a Certificate>,
}

fn run(
    tables: &[&[Lint]],
    certificate: &Certificate,
    issuer: &Certificate,
    existing: Option<&Certificate>,
) -> Vec<Finding> {
    let parsed = match x509_cert::Certificate::from_der(certificate.der()) {
        Ok(parsed) => parsed,
        Err(error) => {
            return vec![Finding {
                lint: "readable", citation: "RFC 5280 §4.1", message: error.to_string()
            }];
        }
    };
    let subject = Subject { certificate, parsed, issuer, existing };
    tables
        .iter()
        .copied()
        .flatten()
        .filter_map(|lint| {
            let message = (lint.check)(&subject).err()?;
            Some(Finding { lint: lint.name, citation: lint.citation, message })
        })
        .collect()
}

impl Subject<'_> {
    fn tbs(&self) -> &TbsCertificate {
        self.parsed.tbs_certificate()
    }

    fn extensions(&self) -> &[Extension] {
        self.tbs().extensions().map(Vec::as_slice).unwrap_or_default()
    }

    fn extension(&self, kind: ObjectIdentifier) -> Option<&Extension> {
        self.extensions().iter().find(|extension| extension.extn_id == kind)
    }

    /// The extension of this kind as `(critical, value)`.
    fn decoded<T>(&self, kind: ObjectIdentifier) -> Result<Option<(bool, T)>, String>
    where
        T: for<'a> Decode<'a, Error = der::Error>,
    {
        self.extension(kind)
            .map(|extension| match T::from_der(extension.extn_value.as_bytes()) {
                Ok(value) => Ok((extension.critical, value)),
                Err(error) => Err(format!("extension {kind} does not decode: {error}")),
            })
            .transpose()
    }

    /// Whether the certificate names itself as its issuer.
    fn is_self_issued(&self) -> bool {
        self.tbs().issuer() == self.tbs().subject()
    }
}

/// Fails with `message` unless `condition` holds.
fn ensure(condition: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(message()) }
}
