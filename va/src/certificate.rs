//! The certificate that a server shows for tls-alpn-01, held against RFC 8737 §3 and RFC 8738 §6.

use std::net::IpAddr;

use cairn_core::{Identifier, ProblemType};
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::oid::AssociatedOid;
use der::{AnyRef, Decode, Encode, Reader, SliceReader};
use x509_cert::Certificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::tls::{supported_algorithms, verify_with_key};

/// id-pe-acmeIdentifier, RFC 8737 §6.1.
const ACME_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.31");

/// What is wrong with a certificate. The message completes "the server's certificate …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("is not a readable X.509 certificate")]
    Unreadable,
    #[error("is not self-signed: its issuer is not its subject")]
    IssuedByAnother,
    #[error(
        "is not self-signed: its signature does not come from its own key, or its algorithm is not supported"
    )]
    BadSelfSignature,
    #[error("has the extension {0} more than once")]
    DuplicateExtension(ObjectIdentifier),
    #[error("has no subjectAltName extension")]
    NoNames,
    #[error("must have exactly one name in its subjectAltName, {expected} and of that type; it has {count}")]
    WrongNames { expected: String, count: usize },
    #[error(
        "has no acmeIdentifier extension (1.3.6.1.5.5.7.1.31); the server may have answered with its usual certificate"
    )]
    NoAcmeIdentifier,
    #[error("has an acmeIdentifier extension that is not marked critical")]
    NotCritical,
    #[error("has an acmeIdentifier extension that is not an OCTET STRING of 32 bytes")]
    NotADigest,
    #[error("has an acmeIdentifier extension with the digest of another key authorization")]
    WrongDigest,
}

impl Violation {
    /// The problem it becomes.
    pub(crate) const fn kind(&self) -> ProblemType {
        match self {
            // All is as the method demands, but for another account or token.
            Self::WrongDigest => ProblemType::Unauthorized,
            Self::Unreadable
            | Self::IssuedByAnother
            | Self::BadSelfSignature
            | Self::DuplicateExtension(_)
            | Self::NoNames
            | Self::WrongNames { .. }
            | Self::NoAcmeIdentifier
            | Self::NotCritical
            | Self::NotADigest => ProblemType::IncorrectResponse,
        }
    }
}

/// Whether the certificate `der` answers the challenge for `identifier` with this digest of the key authorization.
pub(crate) fn check(der: &[u8], identifier: &Identifier, digest: &[u8; 32]) -> Result<(), Violation> {
    let certificate = Certificate::from_der(der).map_err(|_| Violation::Unreadable)?;
    let extensions = certificate.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
    for (index, extension) in extensions.iter().enumerate() {
        // RFC 5280 §4.2. Unknown extensions are tolerated, twice the same is not: readers could disagree which one counts.
        if extensions.iter().take(index).any(|earlier| earlier.extn_id == extension.extn_id) {
            return Err(Violation::DuplicateExtension(extension.extn_id));
        }
    }
    check_names(extensions, identifier)?;
    check_acme_identifier(extensions, digest)?;
    check_self_signed(der, &certificate)
}

/// The DER SubjectPublicKeyInfo of the certificate `der`.
pub(crate) fn subject_public_key_info(der: &[u8]) -> der::Result<Vec<u8>> {
    Certificate::from_der(der)?.tbs_certificate().subject_public_key_info().to_der()
}

/// RFC 8737 §3: one dNSName with the name and nothing else; RFC 8738 §6: one iPAddress with the address and nothing else.
fn check_names(extensions: &[Extension], identifier: &Identifier) -> Result<(), Violation> {
    let extension = find(extensions, SubjectAltName::OID).ok_or(Violation::NoNames)?;
    let SubjectAltName(names) =
        SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(|_| Violation::Unreadable)?;
    let right = match (names.as_slice(), identifier) {
        ([GeneralName::DnsName(found)], Identifier::Dns(name)) => {
            found.as_str().eq_ignore_ascii_case(name.as_str())
        }
        ([GeneralName::IpAddress(found)], Identifier::Ip(IpAddr::V4(ip))) => found.as_bytes() == ip.octets(),
        ([GeneralName::IpAddress(found)], Identifier::Ip(IpAddr::V6(ip))) => found.as_bytes() == ip.octets(),
        _ => false,
    };
    if right {
        Ok(())
    } else {
        let kind = match identifier {
            Identifier::Dns(_) => "dNSName",
            Identifier::Ip(_) => "iPAddress",
        };
        Err(Violation::WrongNames { expected: format!("{kind} {identifier}"), count: names.len() })
    }
}

/// RFC 8737 §3: critical, and the SHA-256 digest of the key authorization in an OCTET STRING.
fn check_acme_identifier(extensions: &[Extension], digest: &[u8; 32]) -> Result<(), Violation> {
    let extension = find(extensions, ACME_IDENTIFIER).ok_or(Violation::NoAcmeIdentifier)?;
    if !extension.critical {
        return Err(Violation::NotCritical);
    }
    let value =
        <&OctetStringRef>::from_der(extension.extn_value.as_bytes()).map_err(|_| Violation::NotADigest)?;
    if value.as_bytes().len() != digest.len() {
        return Err(Violation::NotADigest);
    }
    if value.as_bytes() == digest { Ok(()) } else { Err(Violation::WrongDigest) }
}

/// RFC 8737 §3: self-signed.
fn check_self_signed(der: &[u8], certificate: &Certificate) -> Result<(), Violation> {
    let tbs = certificate.tbs_certificate();
    if tbs.issuer() != tbs.subject() {
        return Err(Violation::IssuedByAnother);
    }
    let verified = || -> der::Result<bool> {
        let signed = signed_bytes(der)?;
        let algorithm = certificate.signature_algorithm().to_der()?;
        let algorithm = AnyRef::from_der(&algorithm)?.value();
        let candidates: Vec<_> = supported_algorithms()
            .all
            .iter()
            .copied()
            .filter(|candidate| candidate.signature_alg_id().as_ref() == algorithm)
            .collect();
        let key = tbs.subject_public_key_info().to_der()?;
        let signature = certificate.signature().as_bytes().unwrap_or_default();
        Ok(verify_with_key(&candidates, &key, signed, signature))
    };
    if verified().is_ok_and(|verified| verified) { Ok(()) } else { Err(Violation::BadSelfSignature) }
}

/// The bytes that the signature is over, exactly as they came (RFC 5280 §4.1.1.3).
fn signed_bytes(der: &[u8]) -> der::Result<&[u8]> {
    SliceReader::new(der)?.sequence(|reader| {
        let tbs = reader.tlv_bytes()?;
        let _algorithm = reader.tlv_bytes()?;
        let _signature = reader.tlv_bytes()?;
        Ok(tbs)
    })
}

fn find(extensions: &[Extension], id: ObjectIdentifier) -> Option<&Extension> {
    extensions.iter().find(|extension| extension.extn_id == id)
}
