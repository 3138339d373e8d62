//! The to-be-signed part of a certificate (RFC 5280 §4.1.2), as bytes.
//!
//! A CA records what it is about to sign before it signs it. So the bytes are made once and everything else
//! stands beside them: what was recorded, linted and signed is one and the same sequence of bytes.

use const_oid::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::ext::{
    Extension,
    pkix::{AuthorityKeyIdentifier, BasicConstraints, SubjectKeyIdentifier},
};

use crate::{
    algorithm::SignatureAlgorithm,
    certificate::{Certificate, CertificateError},
    name::Name,
    oid,
    san::{FoundName, SubjectAltName, read_general_names},
    signer::{Signer, SignerError},
    spki::PublicKey,
    validity::Validity,
    wire::{Signed, TbsCertificateFields},
};

/// What a CA signs, or has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TbsCertificate {
    pub(crate) der: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) validity: Validity,
    pub(crate) public_key: PublicKey,
    pub(crate) extensions: KnownExtensions,
}

/// The extensions other parts of Cairn ask about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownExtensions {
    pub(crate) is_ca: bool,
    pub(crate) path_len: Option<u8>,
    pub(crate) names: Vec<SubjectAltName>,
    pub(crate) subject_key_identifier: Option<Vec<u8>>,
    pub(crate) authority_key_identifier: Option<Vec<u8>>,
    /// As it lies there: every leaf below is judged by it.
    pub(crate) name_constraints: Option<Vec<u8>>,
    /// The same of extendedKeyUsage.
    pub(crate) extended_key_usage: Option<Vec<u8>>,
}

/// Why a TBS was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The algorithm is written inside what is signed (RFC 5280 §4.1.2.3), so the signer must use that one.
    #[error("the signature is to be {tbs}, but the signer uses {signer}")]
    AlgorithmMismatch {
        /// The algorithm in the TBS.
        tbs: SignatureAlgorithm,
        /// The algorithm of the signer.
        signer: SignatureAlgorithm,
    },
    /// The signer failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The signature does not fit into DER.
    #[error("what was signed cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
}

impl TbsCertificate {
    /// Reads the DER of a TBSCertificate; trailing bytes are an error.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::from_vec(bytes.to_vec())
    }

    pub(crate) fn from_vec(der: Vec<u8>) -> Result<Self, CertificateError> {
        let fields = TbsCertificateFields::from_der(&der)?;
        let serial = fields.serial.as_bytes();
        // RFC 5280 §4.1.2.2: a positive integer. Its length is for lints to judge.
        if serial.first().is_none_or(|first| *first >= 0x80) {
            return Err(CertificateError::NegativeSerial);
        }
        Ok(Self {
            serial: serial.to_vec(),
            algorithm: SignatureAlgorithm::from_identifier(&fields.signature)?,
            issuer: Name::from_vec(fields.issuer.to_der()?)?,
            subject: Name::from_vec(fields.subject.to_der()?)?,
            validity: Validity::from_wire(&fields.validity),
            public_key: PublicKey::from_vec(fields.public_key.to_der()?)?,
            extensions: KnownExtensions::read(fields.extensions.as_deref().unwrap_or_default())?,
            der,
        })
    }

    /// The bytes to record and to sign.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The value of the extension of this kind.
    pub(crate) fn extension(&self, kind: ObjectIdentifier) -> der::Result<Option<Vec<u8>>> {
        let fields = TbsCertificateFields::from_der(&self.der)?;
        let mut extensions = fields.extensions.into_iter().flatten();
        let extension = extensions.find(|extension| extension.extn_id == kind);
        Ok(extension.map(|extension| extension.extn_value.into_bytes().into()))
    }

    /// Signs these bytes.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Certificate, SignError> {
        let algorithm = signer.algorithm();
        if algorithm != self.algorithm {
            return Err(SignError::AlgorithmMismatch { tbs: self.algorithm, signer: algorithm });
        }
        let signature = signer.sign(&self.der)?;
        let signed = Signed { message: &self.der, algorithm: algorithm.identifier(), signature: &signature };
        let der = signed.to_der()?;
        Ok(Certificate::from_parts(der, self.clone(), algorithm, signature))
    }
}

impl KnownExtensions {
    pub(crate) fn read(extensions: &[Extension]) -> der::Result<Self> {
        let mut known = Self::default();
        for extension in extensions {
            let value = extension.extn_value.as_bytes();
            match extension.extn_id {
                oid::BASIC_CONSTRAINTS => {
                    let constraints = BasicConstraints::from_der(value)?;
                    known.is_ca = constraints.ca;
                    known.path_len = constraints.path_len_constraint;
                }
                oid::SUBJECT_KEY_IDENTIFIER => {
                    let identifier = SubjectKeyIdentifier::from_der(value)?;
                    known.subject_key_identifier = Some(identifier.0.as_bytes().to_vec());
                }
                oid::AUTHORITY_KEY_IDENTIFIER => {
                    let identifier = AuthorityKeyIdentifier::from_der(value)?.key_identifier;
                    known.authority_key_identifier = identifier.map(|octets| octets.as_bytes().to_vec());
                }
                oid::NAME_CONSTRAINTS => known.name_constraints = Some(value.to_vec()),
                oid::EXTENDED_KEY_USAGE => known.extended_key_usage = Some(value.to_vec()),
                oid::SUBJECT_ALT_NAME => {
                    known.names = read_general_names(value)?
                        .into_iter()
                        .filter_map(|name| match name {
                            FoundName::Known(name) => Some(name),
                            FoundName::Other(_kind) => None,
                        })
                        .collect();
                }
                _ => {}
            }
        }
        Ok(known)
    }
}
