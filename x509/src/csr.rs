//! Certification requests (RFC 2986): a stranger's public key, the names it is for, and proof that the
//! stranger holds the private key.
//!
//! Read from a CSR: the key, the names (subjectAltName and common name taken together, RFC 8555 §7.4) and
//! whether it asks for must-staple (RFC 7633). Every other attribute and extension is ignored: what a
//! certificate looks like is the profile's choice, never the subscriber's.

use std::net::IpAddr;

use der::{Decode, Encode, asn1::AnyRef};
use x509_cert::{Version, ext::Extension};

use crate::{
    algorithm::{AlgorithmError, SignatureAlgorithm},
    name::Name,
    oid,
    san::{FoundName, SubjectAltName, read_general_names},
    spki::{KeyKind, PublicKey, SignatureError, SpkiError},
    wire::{AttributeFields, CsrInfoFields, Signed},
};

/// status_request, the TLS feature that is must-staple (RFC 7633 §4.2.3.1; its number is in RFC 6066 §1.1).
const STATUS_REQUEST: u16 = 5;

/// A longer text is no DNS name (RFC 1035 §2.3.4), and error messages repeat names.
const MAX_NAME_LEN: usize = 253;

/// A certification request whose signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr {
    public_key: PublicKey,
    names: Vec<SubjectAltName>,
    common_name: Option<String>,
    wants_must_staple: bool,
}

/// Why a CSR is refused. Each text may be shown to the subscriber.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// PEM where DER is due; the commonest mistake of ACME clients (RFC 8555 §7.4).
    #[error("the CSR is PEM; send the base64url encoding of its DER instead")]
    Pem,
    /// Not the DER of a CertificationRequest.
    #[error("the CSR is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// RFC 2986 knows version 1 (written as 0) only.
    #[error("the CSR has an unknown version")]
    Version,
    /// The public key is malformed or of an unknown kind.
    #[error("the CSR's public key cannot be used: {0}")]
    Key(#[from] SpkiError),
    /// An RSA key of a size whose signatures are not checked at all.
    #[error("the CSR has an {0} key; RSA keys must have 2048 to 8192 bits")]
    KeySize(KeyKind),
    /// The signature algorithm is unknown or broken.
    #[error("the CSR cannot be checked: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// The CSR was not signed by the key in it: no proof of possession.
    #[error("the CSR is not signed by its own key: {0}")]
    Signature(#[from] SignatureError),
    /// An attribute or extension that may stand once stands twice.
    #[error("the CSR contains {0} more than once")]
    Repeated(&'static str),
    /// A kind of subjectAltName this CA does not issue for.
    #[error("the CSR asks for {0}, but only DNS names and IP addresses are issued")]
    UnsupportedName(&'static str),
    /// A DNS name that cannot be one.
    #[error("{0:?} in the CSR is not a DNS name or IP address")]
    InvalidName(String),
    /// Neither a subjectAltName nor a common name.
    #[error("the CSR contains no names")]
    NoNames,
}

impl Csr {
    /// Reads a CSR and verifies its signature. The caller bounds the length of `der`; work grows with it
    /// linearly.
    pub fn parse(der: &[u8]) -> Result<Self, CsrError> {
        if der.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(CsrError::Pem);
        }
        let signed = Signed::from_der(der)?;
        let info = CsrInfoFields::from_der(signed.message)?;
        if info.version != Version::V1 {
            return Err(CsrError::Version);
        }
        let public_key = PublicKey::from_vec(info.public_key.to_der()?)?;
        check_kind(public_key.kind())?;
        verify(&signed, &public_key)?;

        let subject = Name::from_vec(info.subject.to_der()?)?;
        let common_name = common_name(&subject)?;
        let requested = Requested::read(info.attributes.iter().flat_map(|set| set.iter()))?;
        let mut names = requested.names;
        if let Some(text) = &common_name {
            names.push(match text.parse::<IpAddr>() {
                Ok(address) => SubjectAltName::Ip(address),
                Err(_not_an_address) => SubjectAltName::Dns(text.clone()),
            });
        }
        names.iter().try_for_each(check_name)?;
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Err(CsrError::NoNames);
        }
        Ok(Self { public_key, names, common_name, wants_must_staple: requested.must_staple })
    }

    /// The key to certify; its holder signed this CSR.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// All names asked for, in lower case, sorted, each once; never empty.
    #[must_use]
    pub fn names(&self) -> &[SubjectAltName] {
        &self.names
    }

    /// The common name of the subject in lower case; it is among [`names`](Self::names) too.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// Whether the certificate is asked to carry the must-staple TLS feature (RFC 7633 §4).
    #[must_use]
    pub fn wants_must_staple(&self) -> bool {
        self.wants_must_staple
    }
}

/// The kinds of key that a subscriber may have at all; policy allows some of them.
fn check_kind(kind: KeyKind) -> Result<(), CsrError> {
    match kind {
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519 => Ok(()),
        KeyKind::Rsa { modulus_bits: 2048..=8192 } => Ok(()),
        KeyKind::Rsa { .. } => Err(CsrError::KeySize(kind)),
        KeyKind::MlDsa44 | KeyKind::MlDsa65 | KeyKind::MlDsa87 => {
            Err(SpkiError::UnsupportedAlgorithm(kind.to_string()).into())
        }
    }
}

fn verify(signed: &Signed<'_>, public_key: &PublicKey) -> Result<(), CsrError> {
    let algorithm = SignatureAlgorithm::from_identifier(&signed.algorithm)?;
    match algorithm {
        SignatureAlgorithm::EcdsaSha256
        | SignatureAlgorithm::EcdsaSha384
        | SignatureAlgorithm::EcdsaSha512
        | SignatureAlgorithm::RsaSha256
        | SignatureAlgorithm::RsaSha384
        | SignatureAlgorithm::RsaSha512
        | SignatureAlgorithm::Ed25519 => {}
        // What CAs may sign with, and subscribers may not.
        SignatureAlgorithm::RsaPssSha256
        | SignatureAlgorithm::RsaPssSha384
        | SignatureAlgorithm::RsaPssSha512
        | SignatureAlgorithm::MlDsa44
        | SignatureAlgorithm::MlDsa65
        | SignatureAlgorithm::MlDsa87 => {
            return Err(AlgorithmError::Unsupported(algorithm.to_string()).into());
        }
    }
    Ok(public_key.verify(algorithm, signed.message, signed.signature)?)
}

fn common_name(subject: &Name) -> Result<Option<String>, CsrError> {
    let mut found = subject.common_names();
    let first = found.next();
    if found.next().is_some() {
        return Err(CsrError::Repeated("a common name"));
    }
    match first {
        // Some tools write an empty common name when they have none.
        None | Some(Some("")) => Ok(None),
        Some(Some(text)) => Ok(Some(text.to_ascii_lowercase())),
        Some(None) => {
            Err(CsrError::InvalidName("(a common name that is not UTF-8, printable or IA5 text)".to_owned()))
        }
    }
}

/// Labels of letters, digits and hyphens, perhaps behind `*.`: nothing else can be an identifier of an order.
/// Which names may be issued is for policy to say.
fn check_name(name: &SubjectAltName) -> Result<(), CsrError> {
    let SubjectAltName::Dns(text) = name else { return Ok(()) };
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let bare = text.strip_prefix("*.").unwrap_or(text);
    if text.len() <= MAX_NAME_LEN && bare.split('.').all(is_label) {
        Ok(())
    } else {
        Err(CsrError::InvalidName(text.chars().take(MAX_NAME_LEN).collect()))
    }
}

/// What the extensionRequest attribute (RFC 2985 §5.4.2) asks for.
#[derive(Default)]
struct Requested {
    names: Vec<SubjectAltName>,
    must_staple: bool,
}

impl Requested {
    fn read<'a>(attributes: impl Iterator<Item = &'a AttributeFields<'a>>) -> Result<Self, CsrError> {
        let mut requests = attributes.filter(|attribute| attribute.kind == oid::EXTENSION_REQUEST);
        let Some(request) = requests.next() else { return Ok(Self::default()) };
        if requests.next().is_some() || request.values.len() > 1 {
            return Err(CsrError::Repeated("an extension request"));
        }
        match request.values.get(0) {
            Some(value) => Self::read_extensions(*value),
            None => Ok(Self::default()),
        }
    }

    fn read_extensions(value: AnyRef<'_>) -> Result<Self, CsrError> {
        let extensions: Vec<Extension> = value.decode_as()?;
        let mut requested = Self::default();
        if let Some(extension) = only(&extensions, oid::SUBJECT_ALT_NAME, "a subjectAltName")? {
            for name in read_general_names(extension.extn_value.as_bytes())? {
                match name {
                    FoundName::Known(name) => requested.names.push(name),
                    FoundName::Other(kind) => return Err(CsrError::UnsupportedName(kind)),
                }
            }
        }
        if let Some(extension) = only(&extensions, oid::TLS_FEATURE, "a TLS feature extension")? {
            let features = Vec::<u16>::from_der(extension.extn_value.as_bytes())?;
            requested.must_staple = features.contains(&STATUS_REQUEST);
        }
        Ok(requested)
    }
}

/// The one extension of this kind, if it is there. RFC 5280 §4.2: no extension may stand twice.
fn only<'a>(
    extensions: &'a [Extension],
    kind: const_oid::ObjectIdentifier,
    what: &'static str,
) -> Result<Option<&'a Extension>, CsrError> {
    let mut found = extensions.iter().filter(|extension| extension.extn_id == kind);
    let first = found.next();
    if found.next().is_some() { Err(CsrError::Repeated(what)) } else { Ok(first) }
}
