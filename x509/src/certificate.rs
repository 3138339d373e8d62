//! A certificate (RFC 5280 §4.1): the bytes, and what they say.
//!
//! Reading one proves its form only. [`Certificate::verify_issued_by`] proves who signed it; whether it
//! ought to exist is for [`lint`](crate::lint) to say.

use crate::{
    algorithm::{AlgorithmError, SignatureAlgorithm},
    name::Name,
    pem::{Form, PemError},
    san::SubjectAltName,
    spki::{PublicKey, SignatureError, SpkiError, sha256},
    wire::Signed,
};
pub use crate::{
    tbs::{SignError, TbsCertificate},
    validity::Validity,
};

/// The longest that is read from a file. A CA's certificate with many constrained names and an ML-DSA key and signature has a quarter of it.
const MAX_LEN: usize = 64 << 10;

const PEM: Form = Form::new("CERTIFICATE", MAX_LEN);

/// A well-formed X.509 certificate with the exact bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: TbsCertificate,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

/// Why bytes are not a [`Certificate`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Far longer than any certificate.
    #[error("the file has {0} octets, more than any certificate; name the file of one certificate")]
    TooLong(usize),
    /// Not exactly one PEM block labelled CERTIFICATE.
    #[error("the file is not one PEM certificate")]
    Pem,
    /// Not the DER of a certificate, or an extension in it is malformed.
    #[error("the certificate is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// RFC 5280 §4.1.2.2 wants positive serial numbers.
    #[error("the certificate's serial number is negative")]
    NegativeSerial,
    /// The subject's public key is malformed or of an unknown kind.
    #[error("the certificate's public key cannot be used: {0}")]
    Key(#[from] SpkiError),
    /// The signature algorithm is unknown or broken.
    #[error("the certificate cannot be checked: {0}")]
    Algorithm(#[from] AlgorithmError),
}

/// Why a certificate or a CRL was not issued by the given issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The issuer name is not the other certificate's subject (RFC 5280 §6.1.3 (a)(4)).
    #[error("the issuer is {issuer:?}, but the given certificate's subject is {subject:?}")]
    Name {
        /// The issuer that is named.
        issuer: String,
        /// The subject of the certificate that should be the issuer's.
        subject: String,
    },
    /// The authority key identifier is not the issuer's subject key identifier (RFC 5280 §4.2.1.1).
    #[error("the authority key identifier is not that of the given issuer")]
    KeyIdentifier,
    /// The issuer's certificate is not one of a CA (RFC 5280 §6.1.4 (k)).
    #[error("the given issuer is not a CA")]
    NotACa,
    /// The issuer's keyUsage is without cRLSign (RFC 5280 §6.3.3 (f)).
    #[error("the given issuer may not sign CRLs")]
    CrlSign,
    /// The algorithm inside and outside the signed part differ (RFC 5280 §4.1.1.2).
    #[error("the signature algorithm is not the one that was signed")]
    AlgorithmMismatch,
    /// The signature is not the issuer's.
    #[error("the signature is not the given issuer's: {0}")]
    Signature(#[from] SignatureError),
}

impl Certificate {
    /// Reads a DER certificate; trailing bytes are an error.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CertificateError> {
        let signed = Signed::from_der(bytes)?;
        Ok(Self {
            tbs: TbsCertificate::from_der(signed.message)?,
            algorithm: SignatureAlgorithm::from_identifier(&signed.algorithm)?,
            signature: signed.signature.to_vec(),
            der: bytes.to_vec(),
        })
    }

    /// Reads one PEM certificate (RFC 7468 §5).
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        match PEM.read(pem) {
            Ok(document) => Self::from_der(document.as_bytes()),
            Err(PemError::TooLong(length)) => Err(CertificateError::TooLong(length)),
            Err(PemError::NotOne) => Err(CertificateError::Pem),
        }
    }

    pub(crate) fn from_parts(
        der: Vec<u8>,
        tbs: TbsCertificate,
        algorithm: SignatureAlgorithm,
        signature: Vec<u8>,
    ) -> Self {
        Self { der, tbs, algorithm, signature }
    }

    /// The DER, byte for byte as it was read.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Strict PEM: 64 columns, line feeds, nothing around it (RFC 8555 §9.1, RFC 7468 §3).
    #[must_use]
    pub fn to_pem(&self) -> String {
        PEM.write(&self.der)
    }

    /// The part that was signed.
    #[must_use]
    pub fn tbs(&self) -> &TbsCertificate {
        &self.tbs
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        self.tbs.der()
    }

    /// The serial number: the content octets of its INTEGER, so with a leading zero octet if the first bit
    /// of the number is set. This is the form RFC 9773 §4.1 wants.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.tbs.serial
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.tbs.issuer
    }

    /// Whom it is about; often empty in a leaf.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.tbs.subject
    }

    /// When it is valid.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.tbs.validity
    }

    /// The certified key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.tbs.public_key
    }

    /// The algorithm it was signed with.
    #[must_use]
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The DNS names and IP addresses of the subjectAltName, in its order. Other kinds are left out.
    #[must_use]
    pub fn names(&self) -> Vec<SubjectAltName> {
        self.tbs.extensions.names.clone()
    }

    /// Whether basicConstraints says that it belongs to a CA (RFC 5280 §4.2.1.9).
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.tbs.extensions.is_ca
    }

    /// How many intermediates may follow this CA (RFC 5280 §4.2.1.9).
    #[must_use]
    pub fn path_len(&self) -> Option<u8> {
        self.tbs.extensions.path_len
    }

    /// The subjectKeyIdentifier (RFC 5280 §4.2.1.2).
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.tbs.extensions.subject_key_identifier.as_deref()
    }

    /// The keyIdentifier of the authorityKeyIdentifier (RFC 5280 §4.2.1.1).
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.tbs.extensions.authority_key_identifier.as_deref()
    }

    /// SHA-256 over the whole DER.
    #[must_use]
    pub fn sha256_fingerprint(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// Checks that `issuer` issued this: the names chain, the key identifiers agree, `issuer` is a CA and
    /// its key made the signature. Validity periods are not looked at. A root is checked against itself.
    pub fn verify_issued_by(&self, issuer: &Self) -> Result<(), VerifyError> {
        if self.issuer().der() != issuer.subject().der() {
            return Err(VerifyError::Name {
                issuer: self.issuer().to_string(),
                subject: issuer.subject().to_string(),
            });
        }
        if let (Some(authority), Some(subject)) =
            (self.authority_key_identifier(), issuer.subject_key_identifier())
            && authority != subject
        {
            return Err(VerifyError::KeyIdentifier);
        }
        if !issuer.is_ca() {
            return Err(VerifyError::NotACa);
        }
        if self.algorithm != self.tbs.algorithm {
            return Err(VerifyError::AlgorithmMismatch);
        }
        Ok(issuer.public_key().verify(self.algorithm, self.tbs_der(), &self.signature)?)
    }
}
