//! What a certificate shall look like, and the building of it (RFC 5280 §4).
//!
//! A profile is plain data. Building checks what can only be wrong by a mistake of the caller (a bad serial,
//! a validity beyond the issuer's) and refuses; nothing is silently corrected.

use der::{
    Decode, Encode,
    asn1::{AnyRef, IntRef},
};
use x509_cert::{Version, ext::Extension};

use crate::{
    algorithm::SignatureAlgorithm,
    certificate::Certificate,
    extension,
    name::{Name, NameError},
    san::SubjectAltName,
    spki::{KeyKind, PublicKey},
    tbs::{KnownExtensions, TbsCertificate},
    validity::Validity,
    wire::TbsCertificateFields,
};

/// RFC 5280 §4.1.2.2.
const MAX_SERIAL_LEN: usize = 20;

/// ub-common-name (RFC 5280 appendix A.1).
const MAX_COMMON_NAME_LEN: usize = 64;

/// What a subscriber's certificate shall look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafProfile {
    /// Carry the must-staple TLS feature (RFC 7633).
    pub must_staple: bool,
    /// Carry a common name: the one asked for if it is among the names, else the first DNS name, either
    /// only if it has at most 64 characters. Without one the subject is empty and the subjectAltName
    /// critical (RFC 5280 §4.2.1.6).
    pub common_name: bool,
    /// Good for TLS servers.
    pub server_auth: bool,
    /// Good for TLS clients.
    pub client_auth: bool,
}

impl Default for LeafProfile {
    fn default() -> Self {
        Self { must_staple: false, common_name: true, server_auth: true, client_auth: false }
    }
}

/// What goes into one leaf.
#[derive(Clone, Copy, Debug)]
pub struct LeafInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid; within the issuer's validity.
    pub validity: Validity,
    /// The key to certify.
    pub public_key: &'a PublicKey,
    /// The names to certify, in this order.
    pub names: &'a [SubjectAltName],
    /// The common name the subscriber would like.
    pub common_name: Option<&'a str>,
    /// Where the CRL that would list this certificate is published.
    pub crl_url: Option<&'a str>,
    /// Where OCSP answers for it.
    pub ocsp_url: Option<&'a str>,
    /// Where the issuer's certificate is published.
    pub issuer_url: Option<&'a str>,
}

/// What goes into a root.
#[derive(Clone, Copy, Debug)]
pub struct RootInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid.
    pub validity: Validity,
    /// The root's own key.
    pub public_key: &'a PublicKey,
    /// The root's name; must not be empty.
    pub subject: &'a Name,
}

/// What an intermediate shall look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntermediateProfile {
    /// How many more intermediates may follow; 0 if it issues leaves only (RFC 5280 §4.2.1.9).
    pub path_len: Option<u8>,
    /// May issue for TLS servers.
    pub server_auth: bool,
    /// May issue for TLS clients. With neither purpose set there is no extendedKeyUsage, which means any.
    pub client_auth: bool,
}

impl Default for IntermediateProfile {
    fn default() -> Self {
        Self { path_len: Some(0), server_auth: true, client_auth: true }
    }
}

/// What goes into an intermediate.
#[derive(Clone, Copy, Debug)]
pub struct IntermediateInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid; within the issuer's validity.
    pub validity: Validity,
    /// The intermediate's key.
    pub public_key: &'a PublicKey,
    /// The intermediate's name; must not be empty.
    pub subject: &'a Name,
    /// Where the issuer's CRL is published.
    pub crl_url: Option<&'a str>,
    /// Where the issuer's certificate is published.
    pub issuer_url: Option<&'a str>,
}

/// Why a certificate was not built.
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
    /// The issuer's pathLenConstraint forbids another CA below it, or one with so long a path.
    #[error("the issuer's path length constraint forbids this intermediate")]
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

/// Builds a leaf. The extensions stand in a fixed order: keyUsage, extendedKeyUsage, basicConstraints,
/// subjectKeyIdentifier, authorityKeyIdentifier, subjectAltName, then authorityInfoAccess,
/// cRLDistributionPoints and TLS feature where there are any.
pub fn leaf(
    profile: &LeafProfile,
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: LeafInputs<'_>,
) -> Result<TbsCertificate, BuildError> {
    if inputs.names.is_empty() {
        return Err(BuildError::NoNames);
    }
    if !profile.server_auth && !profile.client_auth {
        return Err(BuildError::NoPurpose);
    }
    check_validity(inputs.validity, Some(issuer.validity()))?;
    let authority = authority(issuer, signature)?;

    let common_name = if profile.common_name { common_name(inputs.common_name, inputs.names) } else { None };
    let subject = Name::common_name_only(common_name)?;
    let mut extensions = Vec::with_capacity(9);
    extensions.push(extension::leaf_key_usage(inputs.public_key.kind())?);
    extensions.push(extension::extended_key_usage(profile.server_auth, profile.client_auth)?);
    extensions.push(extension::basic_constraints(false, None)?);
    extensions.push(extension::subject_key_identifier(inputs.public_key.key_identifier())?);
    extensions.push(extension::authority_key_identifier(authority)?);
    extensions.push(extension::subject_alt_name(inputs.names, subject.is_empty())?);
    extensions.extend(extension::authority_info_access(inputs.ocsp_url, inputs.issuer_url)?);
    if let Some(url) = inputs.crl_url {
        extensions.push(extension::crl_distribution_point(url)?);
    }
    if profile.must_staple {
        extensions.push(extension::must_staple()?);
    }
    assemble(Parts {
        serial: inputs.serial,
        signature,
        issuer: issuer.subject(),
        validity: inputs.validity,
        subject: &subject,
        public_key: inputs.public_key,
        extensions,
    })
}

/// Builds a root, which issues itself: no authorityKeyIdentifier, no path length, no extendedKeyUsage.
pub fn root(signature: SignatureAlgorithm, inputs: RootInputs<'_>) -> Result<TbsCertificate, BuildError> {
    if inputs.subject.is_empty() {
        return Err(BuildError::NoSubject);
    }
    check_algorithm(inputs.public_key.kind(), signature)?;
    check_validity(inputs.validity, None)?;
    assemble(Parts {
        serial: inputs.serial,
        signature,
        issuer: inputs.subject,
        validity: inputs.validity,
        subject: inputs.subject,
        public_key: inputs.public_key,
        extensions: vec![
            extension::basic_constraints(true, None)?,
            extension::ca_key_usage()?,
            extension::subject_key_identifier(inputs.public_key.key_identifier())?,
        ],
    })
}

/// Builds an intermediate below `issuer`.
pub fn intermediate(
    profile: &IntermediateProfile,
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: IntermediateInputs<'_>,
) -> Result<TbsCertificate, BuildError> {
    if inputs.subject.is_empty() {
        return Err(BuildError::NoSubject);
    }
    check_validity(inputs.validity, Some(issuer.validity()))?;
    let authority = authority(issuer, signature)?;
    // RFC 5280 §4.2.1.9: the issuer's constraint counts the intermediates below it, this one included.
    if let Some(allowed) = issuer.path_len()
        && profile.path_len.is_none_or(|path_len| path_len >= allowed)
    {
        return Err(BuildError::PathLength);
    }
    let mut extensions =
        vec![extension::basic_constraints(true, profile.path_len)?, extension::ca_key_usage()?];
    if profile.server_auth || profile.client_auth {
        extensions.push(extension::extended_key_usage(profile.server_auth, profile.client_auth)?);
    }
    extensions.push(extension::subject_key_identifier(inputs.public_key.key_identifier())?);
    extensions.push(extension::authority_key_identifier(authority)?);
    extensions.extend(extension::authority_info_access(None, inputs.issuer_url)?);
    if let Some(url) = inputs.crl_url {
        extensions.push(extension::crl_distribution_point(url)?);
    }
    assemble(Parts {
        serial: inputs.serial,
        signature,
        issuer: issuer.subject(),
        validity: inputs.validity,
        subject: inputs.subject,
        public_key: inputs.public_key,
        extensions,
    })
}

/// The common name to write: the wish if it is one of the names, else the first DNS name; short ones only.
fn common_name<'a>(wish: Option<&'a str>, names: &'a [SubjectAltName]) -> Option<&'a str> {
    let is_short = |name: &&str| name.len() <= MAX_COMMON_NAME_LEN;
    let is_among_the_names = |wish: &&str| {
        names.iter().any(|name| match name {
            SubjectAltName::Dns(name) => name == wish,
            SubjectAltName::Ip(address) => address.to_string() == **wish,
        })
    };
    let first_dns_name = || {
        names.iter().find_map(|name| match name {
            SubjectAltName::Dns(name) if is_short(&name.as_str()) => Some(name.as_str()),
            SubjectAltName::Dns(_) | SubjectAltName::Ip(_) => None,
        })
    };
    wish.filter(is_among_the_names).filter(is_short).or_else(first_dns_name)
}

/// Checks that `issuer` may sign with `signature`, and returns its key identifier.
fn authority(issuer: &Certificate, signature: SignatureAlgorithm) -> Result<&[u8], BuildError> {
    if !issuer.is_ca() {
        return Err(BuildError::IssuerNotACa);
    }
    check_algorithm(issuer.public_key().kind(), signature)?;
    issuer.subject_key_identifier().ok_or(BuildError::IssuerKeyIdentifier)
}

fn check_algorithm(key: KeyKind, algorithm: SignatureAlgorithm) -> Result<(), BuildError> {
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

fn serial(octets: &[u8]) -> Result<IntRef<'_>, BuildError> {
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
