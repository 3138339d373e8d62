//! What a certificate shall look like, and the building of it (RFC 5280 §4).
//!
//! A profile is plain data. Building checks what can only be wrong by a mistake of the caller (a bad serial,
//! a validity beyond the issuer's) and refuses; nothing is silently corrected.

mod ca;
mod leaf;
mod ocsp_responder;

use der::{
    Decode, Encode,
    asn1::{AnyRef, IntRef},
};
use x509_cert::{Version, ext::Extension};

pub use self::{
    ca::{
        CaProfile, CrossInputs, IntermediateInputs, RootInputs, Urls, cross_certificate, intermediate, root,
    },
    leaf::{LeafInputs, LeafProfile, leaf},
    ocsp_responder::{OcspResponderInputs, ocsp_responder},
};
use crate::{
    algorithm::SignatureAlgorithm,
    certificate::Certificate,
    name::{Name, NameError},
    spki::{KeyKind, PublicKey},
    tbs::{KnownExtensions, TbsCertificate},
    validity::Validity,
    wire::TbsCertificateFields,
};

/// RFC 5280 §4.1.2.2.
const MAX_SERIAL_LEN: usize = 20;

/// Why a certificate or a CRL was not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// RFC 5280 §4.1.2.2: a positive INTEGER of at most 20 octets, in its shortest form.
    #[error("the serial number is not a positive DER integer of 1 to {MAX_SERIAL_LEN} octets")]
    Serial,
    /// It would end before it begins, or lies outside 1970 to 9999.
    #[error("the validity from {0} to {1} is impossible", validity.not_before, validity.not_after)]
    Validity {
        /// The impossible validity.
        validity: Validity,
    },
    /// It would be valid when its issuer is not, and clients would reject it then.
    #[error(
        "the validity from {0} to {1} exceeds the issuer's, {2} to {3}",
        validity.not_before, validity.not_after, issuer.not_before, issuer.not_after
    )]
    BeyondIssuer {
        /// The validity asked for.
        validity: Validity,
        /// The issuer's.
        issuer: Validity,
    },
    /// A leaf without a name is good for nothing.
    #[error("a leaf certificate needs at least one name")]
    NoNames,
    /// Neither server nor client authentication.
    #[error("a leaf certificate needs at least one purpose")]
    NoPurpose,
    /// RFC 5280 §4.1.2.6: a CA's subject must not be empty.
    #[error("a CA certificate needs a subject")]
    NoSubject,
    /// The issuer's certificate is not one of a CA.
    #[error("the issuer is not a CA")]
    IssuerNotACa,
    /// An intermediate or a cross-certificate with its issuer's name would be taken for the issuer itself.
    #[error("the subject has the name of its issuer; give each CA a name of its own")]
    SameName,
    /// Cross-certificates are for CAs.
    #[error("the certificate to cross-certify is not one of a CA")]
    SubjectNotACa,
    /// Without it chains through the cross-certificate could not be found (RFC 5280 §4.2.1.2).
    #[error("the certificate to cross-certify has no subject key identifier")]
    SubjectKeyIdentifier,
    /// The issuer's keyUsage is without cRLSign (RFC 5280 §4.2.1.3).
    #[error("the issuer may not sign CRLs")]
    CrlSign,
    /// RFC 5280 §5.2.5: the extension MUST NOT be empty.
    #[error("the scope of the CRL says nothing; leave it away for a list of everything")]
    CrlScope,
    /// RFC 5280 §5.3.1: unspecified is said by giving no reason, removeFromCRL is for delta CRLs.
    #[error("a complete CRL does not give the reasons unspecified and removeFromCRL")]
    CrlReason,
    /// Entries that come one by one come in the order in which they stand.
    #[error("the entries of the CRL do not come by ascending serial numbers")]
    CrlOrder,
    /// RFC 5280 §5.2.4: a delta CRL tells what changed since an earlier CRL.
    #[error("a delta CRL names no later CRL as its base, and no delta CRL itself")]
    CrlBase,
    /// A certificate is revoked once.
    #[error("a serial number stands twice among the entries of the CRL")]
    CrlRepeats,
    /// A subtree of names that cannot be one.
    #[error("{0}")]
    NameConstraint(String),
    /// The issuer's pathLenConstraint forbids another CA below it, or one with so long a path.
    #[error(
        "the issuer's path length constraint forbids this intermediate; take another issuer, or a smaller path length"
    )]
    PathLength,
    /// The issuer has no subjectKeyIdentifier to repeat as authorityKeyIdentifier (RFC 5280 §4.2.1.1).
    #[error("the issuer's certificate has no subject key identifier")]
    IssuerKeyIdentifier,
    /// The issuer's key cannot sign so.
    #[error("the issuer's {key} key cannot sign with {algorithm}")]
    Algorithm {
        /// The issuer's key.
        key: KeyKind,
        /// The algorithm asked for.
        algorithm: SignatureAlgorithm,
    },
    /// A common name cannot be written.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A name or URL cannot be written into DER, most likely because it is not ASCII.
    #[error("the certificate cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
}

/// Checks that `issuer` may sign with `signature`, and returns its key identifier.
pub(crate) fn authority(issuer: &Certificate, signature: SignatureAlgorithm) -> Result<&[u8], BuildError> {
    if !issuer.is_ca() {
        return Err(BuildError::IssuerNotACa);
    }
    check_algorithm(issuer.public_key().kind(), signature)?;
    issuer.subject_key_identifier().ok_or(BuildError::IssuerKeyIdentifier)
}

pub(crate) fn check_algorithm(key: KeyKind, algorithm: SignatureAlgorithm) -> Result<(), BuildError> {
    if algorithm.fits(key) { Ok(()) } else { Err(BuildError::Algorithm { key, algorithm }) }
}

fn check_validity(validity: Validity, issuer: Option<Validity>) -> Result<(), BuildError> {
    if validity.not_after < validity.not_before {
        return Err(BuildError::Validity { validity });
    }
    match issuer {
        Some(issuer) if !validity.is_within(&issuer) => Err(BuildError::BeyondIssuer { validity, issuer }),
        _ => Ok(()),
    }
}

struct Parts<'a> {
    serial: &'a [u8],
    signature: SignatureAlgorithm,
    issuer: &'a Name,
    validity: Validity,
    subject: &'a Name,
    public_key: &'a PublicKey,
    extensions: Vec<Extension>,
}

/// Writes the bytes, once and for all.
fn assemble(parts: Parts<'_>) -> Result<TbsCertificate, BuildError> {
    let validity = parts.validity.to_wire().ok_or(BuildError::Validity { validity: parts.validity })?;
    let known = KnownExtensions::read(&parts.extensions)?;
    let fields = TbsCertificateFields {
        version: Version::V3,
        serial: serial(parts.serial)?,
        signature: parts.signature.identifier(),
        issuer: AnyRef::from_der(parts.issuer.der())?,
        validity,
        subject: AnyRef::from_der(parts.subject.der())?,
        public_key: AnyRef::from_der(parts.public_key.der())?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(parts.extensions),
    };
    Ok(TbsCertificate {
        der: fields.to_der()?,
        serial: parts.serial.to_vec(),
        algorithm: parts.signature,
        issuer: parts.issuer.clone(),
        subject: parts.subject.clone(),
        validity: parts.validity,
        public_key: parts.public_key.clone(),
        extensions: known,
    })
}

pub(crate) fn serial(octets: &[u8]) -> Result<IntRef<'_>, BuildError> {
    let is_positive_and_shortest = match octets {
        [] | [0] => false,
        [0, second, ..] => *second >= 0x80,
        [first, ..] => *first < 0x80,
    };
    if is_positive_and_shortest && octets.len() <= MAX_SERIAL_LEN {
        Ok(IntRef::new(octets)?)
    } else {
        Err(BuildError::Serial)
    }
}
