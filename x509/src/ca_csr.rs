//! Certification requests between CAs (RFC 2986): by which a root or an intermediate asks somebody else for a
//! certificate, and by which somebody else's asks for one of ours.
//!
//! They are another matter than the requests of subscribers ([`Csr`](crate::Csr)): a subject is copied from them,
//! a person reads what they ask for, and their keys may be of any kind that a CA may have.

use std::collections::HashSet;

use der::{
    Decode, Encode,
    asn1::{AnyRef, SetOfVec},
};
use x509_cert::{Version, ext::Extension};

use crate::{
    algorithm::{AlgorithmError, SignatureAlgorithm},
    description::Description,
    extension,
    name::Name,
    oid,
    pem::{Form, PemError},
    signer::{Signer, SignerError},
    spki::{PublicKey, SignatureError, SpkiError},
    tbs::KnownExtensions,
    wire::{AttributeFields, CsrInfoFields, Signed},
};

/// The longest key and signature, those of ML-DSA-87, have 8 KiB together; the rest is a name and a few
/// extensions.
const MAX_LEN: usize = 64 << 10;

const PEM: Form = Form::new("CERTIFICATE REQUEST", MAX_LEN);

/// What to ask for.
#[derive(Clone, Copy, Debug)]
pub struct CsrRequest<'a> {
    /// The name to have; must not be empty.
    pub subject: &'a Name,
    /// To be a CA. Without it nothing is asked for but name and key.
    pub ca: Option<CaRequest>,
}

/// What a CA asks for: basicConstraints with CA, keyUsage with keyCertSign and cRLSign, and the
/// subjectKeyIdentifier that its key has in certificates made here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaRequest {
    /// The path length to have (RFC 5280 §4.2.1.9).
    pub path_len: Option<u8>,
    /// Ask for digitalSignature too.
    pub digital_signature: bool,
}

/// A certification request of a CA whose signature has been verified, with the exact bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCsr {
    der: Vec<u8>,
    subject: Name,
    public_key: PublicKey,
    extensions: KnownExtensions,
    description: Description,
}

/// Why a request is not made, or refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaCsrError {
    /// Far longer than any request.
    #[error("the CSR has {0} octets; no more than {MAX_LEN} are read")]
    TooLong(usize),
    /// Not exactly one PEM block labelled CERTIFICATE REQUEST.
    #[error("the file is not one PEM CSR")]
    Pem,
    /// Not the DER of a CertificationRequest, or an extension in it is malformed.
    #[error("the CSR is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// RFC 2986 knows version 1 (written as 0) only.
    #[error("the CSR has an unknown version")]
    Version,
    /// The public key is malformed or of an unknown kind.
    #[error("the CSR's public key cannot be used: {0}")]
    Key(#[from] SpkiError),
    /// The signature algorithm is unknown or broken.
    #[error("the CSR cannot be checked: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// The CSR was not signed by the key in it: no proof of possession.
    #[error("the CSR is not signed by its own key: {0}")]
    Signature(#[from] SignatureError),
    /// What may stand once stands twice.
    #[error("the CSR contains {0} more than once")]
    Repeated(String),
    /// RFC 5280 §4.1.2.6: a CA's subject must not be empty.
    #[error("the CSR has no subject")]
    NoSubject,
    /// The key did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl CsrRequest<'_> {
    /// The request, signed by the key that it is for.
    pub fn sign(&self, signer: &dyn Signer) -> Result<CaCsr, CaCsrError> {
        let public_key = signer.public_key();
        let extensions = match self.ca {
            Some(ca) => vec![
                extension::basic_constraints(true, ca.path_len)?,
                extension::ca_key_usage(ca.digital_signature)?,
                extension::subject_key_identifier(&public_key.key_identifier())?,
            ],
            None => Vec::new(),
        };
        let extensions = extensions.to_der()?;
        let mut attributes = SetOfVec::new();
        if self.ca.is_some() {
            let values = SetOfVec::try_from(vec![AnyRef::from_der(&extensions)?])?;
            attributes.insert(AttributeFields { kind: oid::EXTENSION_REQUEST, values })?;
        }
        let info = CsrInfoFields {
            version: Version::V1,
            subject: AnyRef::from_der(self.subject.der())?,
            public_key: AnyRef::from_der(public_key.der())?,
            // RFC 2986 §4.1: there is a set, if need be an empty one.
            attributes: Some(attributes),
        };
        let message = info.to_der()?;
        let signature = signer.sign(&message)?;
        let algorithm = signer.algorithm().identifier();
        let der = Signed { message: &message, algorithm, signature: &signature }.to_der()?;
        CaCsr::from_der(&der)
    }
}

impl CaCsr {
    /// Reads a DER CSR and verifies its signature; trailing bytes are an error.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CaCsrError> {
        if bytes.len() > MAX_LEN {
            return Err(CaCsrError::TooLong(bytes.len()));
        }
        let signed = Signed::from_der(bytes)?;
        let info = CsrInfoFields::from_der(signed.message)?;
        if info.version != Version::V1 {
            return Err(CaCsrError::Version);
        }
        let public_key = PublicKey::from_vec(info.public_key.to_der()?)?;
        let algorithm = SignatureAlgorithm::from_identifier(&signed.algorithm)?;
        public_key.verify(algorithm, signed.message, signed.signature)?;
        let subject = Name::from_vec(info.subject.to_der()?)?;
        if subject.is_empty() {
            return Err(CaCsrError::NoSubject);
        }
        let requested = requested(info.attributes.iter().flat_map(|set| set.iter()))?;
        Ok(Self {
            subject,
            public_key,
            extensions: KnownExtensions::read(&requested)?,
            description: Description::of(&requested)?,
            der: bytes.to_vec(),
        })
    }

    /// Reads one PEM CSR (RFC 7468 §7) and verifies its signature.
    pub fn from_pem(pem: &str) -> Result<Self, CaCsrError> {
        match PEM.read(pem) {
            Ok(document) => Self::from_der(document.as_bytes()),
            Err(PemError::TooLong(length)) => Err(CaCsrError::TooLong(length)),
            Err(PemError::NotOne) => Err(CaCsrError::Pem),
        }
    }

    /// The DER, byte for byte as it was read.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Strict PEM: 64 columns, line feeds, nothing around it (RFC 7468 §3).
    #[must_use]
    pub fn to_pem(&self) -> String {
        PEM.write(&self.der)
    }

    /// The name asked for; never empty.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key to certify; its holder signed this CSR.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether it asks to be a CA. One that does not say so may be made one all the same.
    #[must_use]
    pub fn asks_for_ca(&self) -> bool {
        self.extensions.is_ca
    }

    /// The path length asked for.
    #[must_use]
    pub fn path_len(&self) -> Option<u8> {
        self.extensions.path_len
    }

    /// The subjectKeyIdentifier asked for.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.extensions.subject_key_identifier.as_deref()
    }

    /// What else it asks for.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }
}

/// The extensions of the extensionRequest attribute (RFC 2985 §5.4.2), each once. Other attributes are ignored.
fn requested<'a>(
    attributes: impl Iterator<Item = &'a AttributeFields<'a>>,
) -> Result<Vec<Extension>, CaCsrError> {
    let mut requests = attributes.filter(|attribute| attribute.kind == oid::EXTENSION_REQUEST);
    let Some(request) = requests.next() else { return Ok(Vec::new()) };
    if requests.next().is_some() || request.values.len() > 1 {
        return Err(CaCsrError::Repeated("an extension request".to_owned()));
    }
    let extensions: Vec<Extension> = match request.values.get(0) {
        Some(value) => value.decode_as()?,
        None => return Ok(Vec::new()),
    };
    let mut seen = HashSet::new();
    match extensions.iter().find(|extension| !seen.insert(extension.extn_id)) {
        Some(twin) => Err(CaCsrError::Repeated(format!("extension {}", twin.extn_id))),
        None => Ok(extensions),
    }
}
