//! Certificate revocation lists (RFC 5280 §5): complete ones, version 2, by the CA that issued what they list.
//!
//! Made like a certificate: [`crl()`] writes the bytes once ([`TbsCrl`]), and what is recorded, linted and signed
//! is that one sequence of bytes. [`CrlWriter`] does the same where a list is so long that it is in memory only once, as what is
//! published in the end; delta CRLs (§5.2.4) are made that way too. Read strictly: a list with a critical extension that is not known here says
//! something else than it seems to (§5.2), and is refused.

mod build;
mod entry;
mod large;
mod scope;

use std::collections::HashSet;

use aws_lc_rs::digest;
use der::{
    Decode, Encode, Reader, SliceReader,
    asn1::{IntRef, UintRef},
};
use x509_cert::{
    Version,
    ext::{
        Extension,
        pkix::{AuthorityKeyIdentifier, KeyUsage, KeyUsages},
    },
};

pub use self::{
    build::{CrlInputs, crl},
    entry::{CrlReason, Entries, RevokedEntry},
    large::{CrlWriter, EntriesLength, LargeCrl, LargeCrlError, LintedCrl, UnsignedCrl},
    scope::{CrlContents, CrlScope},
};
use crate::{
    algorithm::{AlgorithmError, SignatureAlgorithm},
    certificate::{Certificate, VerifyError},
    name::Name,
    oid,
    pem::{Form, PemError},
    signer::Signer,
    tbs::SignError,
    validity::seconds,
    wire::{Signed, TbsCertListFields},
};

/// Longer lists are not read: they would have more than a million entries, and reading one holds it in memory
/// twice.
pub const MAX_CRL_LEN: usize = 64 << 20;

const PEM: Form = Form::new("X509 CRL", MAX_CRL_LEN);

/// The extensions of a list have a few hundred octets; what is parsed into memory must not grow with a hostile
/// list.
const MAX_EXTENSIONS_LEN: usize = 16 << 10;

/// RFC 5280 §5.2.3: verifiers take numbers of up to 20 octets.
const MAX_NUMBER_LEN: usize = 20;

/// A well-formed CRL with the exact bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    der: Vec<u8>,
    tbs: TbsCrl,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

/// The to-be-signed part of a CRL (TBSCertList, RFC 5280 §5.1.2), as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TbsCrl {
    der: Vec<u8>,
    algorithm: SignatureAlgorithm,
    issuer: Name,
    this_update: i64,
    next_update: Option<i64>,
    extensions: CrlExtensions,
}

/// What the extensions of a CRL say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CrlExtensions {
    authority_key_identifier: Option<Vec<u8>>,
    number: Option<Vec<u8>>,
    scope: Option<CrlScope>,
}

/// Why bytes are not a [`Crl`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// More than [`MAX_CRL_LEN`].
    #[error("the CRL has {0} octets; no more than {MAX_CRL_LEN} are read")]
    TooLong(usize),
    /// Not exactly one PEM block labelled X509 CRL.
    #[error("the file is not one PEM CRL")]
    Pem,
    /// Not the DER of a CertificateList of version 2.
    #[error("the CRL is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// The signature algorithm is unknown or broken.
    #[error("the CRL cannot be checked: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// RFC 5280 §5.2, §5.3: a list with a critical extension that is not understood must not be used.
    #[error("the CRL has the critical extension {0}, which is not supported")]
    Critical(String),
    /// Far longer than any.
    #[error("the CRL has {0} octets of extensions; no more than {MAX_EXTENSIONS_LEN} are read")]
    Extensions(usize),
    /// RFC 5280 §5.2: the same as in certificates, no extension may stand twice.
    #[error("the CRL has the extension {0} twice")]
    Repeated(String),
    /// Only some reasons, another CA's certificates, or attribute certificates (RFC 5280 §5.2.5).
    #[error("the CRL is of a kind that is not supported: {0}")]
    Scope(&'static str),
    /// Negative, zero octets long, or longer than verifiers must take (RFC 5280 §5.2.3).
    #[error("the CRL's number is not a number of 1 to {MAX_NUMBER_LEN} octets")]
    Number,
}

impl Crl {
    /// Reads a DER CRL with all its entries; trailing bytes are an error.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CrlError> {
        if bytes.len() > MAX_CRL_LEN {
            return Err(CrlError::TooLong(bytes.len()));
        }
        let signed = Signed::from_der(bytes)?;
        Ok(Self {
            tbs: TbsCrl::from_der(signed.message)?,
            algorithm: SignatureAlgorithm::from_identifier(&signed.algorithm)?,
            signature: signed.signature.to_vec(),
            der: bytes.to_vec(),
        })
    }

    /// Reads one PEM CRL (RFC 7468 §7).
    pub fn from_pem(pem: &str) -> Result<Self, CrlError> {
        match PEM.read(pem) {
            Ok(document) => Self::from_der(document.as_bytes()),
            Err(PemError::TooLong(length)) => Err(CrlError::TooLong(length)),
            Err(PemError::NotOne) => Err(CrlError::Pem),
        }
    }

    /// The DER, byte for byte as it was read.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-256 of the DER.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        digest::digest(&digest::SHA256, &self.der).as_ref().try_into().unwrap_or_default()
    }

    /// Strict PEM: 64 columns, line feeds, nothing around it (RFC 7468 §3).
    #[must_use]
    pub fn to_pem(&self) -> String {
        PEM.write(&self.der)
    }

    /// The part that was signed, which says everything else.
    #[must_use]
    pub fn tbs(&self) -> &TbsCrl {
        &self.tbs
    }

    /// The algorithm it was signed with.
    #[must_use]
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Checks that `issuer` issued this: the names chain, the key identifiers agree, `issuer` is a CA that may
    /// sign CRLs and its key made the signature (RFC 5280 §6.3.3 (f), (g)). Times are not looked at.
    pub fn verify_issued_by(&self, issuer: &Certificate) -> Result<(), VerifyError> {
        let tbs = &self.tbs;
        if tbs.issuer.der() != issuer.subject().der() {
            return Err(VerifyError::Name {
                issuer: tbs.issuer.to_string(),
                subject: issuer.subject().to_string(),
            });
        }
        if let (Some(authority), Some(subject)) =
            (&tbs.extensions.authority_key_identifier, issuer.subject_key_identifier())
            && authority != subject
        {
            return Err(VerifyError::KeyIdentifier);
        }
        if !issuer.is_ca() {
            return Err(VerifyError::NotACa);
        }
        if !may_sign_crls(issuer) {
            return Err(VerifyError::CrlSign);
        }
        if self.algorithm != tbs.algorithm {
            return Err(VerifyError::AlgorithmMismatch);
        }
        Ok(issuer.public_key().verify(self.algorithm, &tbs.der, &self.signature)?)
    }
}

/// RFC 5280 §4.2.1.3: a key that may do anything has no keyUsage.
fn may_sign_crls(issuer: &Certificate) -> bool {
    match issuer.tbs().extension(oid::KEY_USAGE) {
        Ok(None) => true,
        Ok(Some(value)) => KeyUsage::from_der(&value).is_ok_and(|usage| usage.0.contains(KeyUsages::CRLSign)),
        Err(_malformed) => false,
    }
}

impl TbsCrl {
    /// Reads the DER of a TBSCertList with all its entries; trailing bytes are an error.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CrlError> {
        if bytes.len() > MAX_CRL_LEN {
            return Err(CrlError::TooLong(bytes.len()));
        }
        Self::from_vec(bytes.to_vec())
    }

    fn from_vec(der: Vec<u8>) -> Result<Self, CrlError> {
        let fields = TbsCertListFields::from_der(&der)?;
        if fields.version != Version::V2 {
            return Err(der::Error::from(der::Tag::Integer.value_error()).into());
        }
        if let Some(list) = fields.revoked {
            entry::check(list)?;
        }
        Ok(Self {
            algorithm: SignatureAlgorithm::from_identifier(&fields.signature)?,
            issuer: Name::from_vec(fields.issuer.to_der()?)?,
            this_update: seconds(fields.this_update),
            next_update: fields.next_update.map(seconds),
            extensions: CrlExtensions::read(fields.extensions.map_or(&[], |list| list.0))?,
            der,
        })
    }

    /// The bytes to record and to sign.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whose list it is.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The algorithm that it is to be signed with.
    #[must_use]
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// When it was made, in seconds since 1970.
    #[must_use]
    pub fn this_update(&self) -> i64 {
        self.this_update
    }

    /// By when there is another one, in seconds since 1970 (RFC 5280 §5.1.2.5).
    #[must_use]
    pub fn next_update(&self) -> Option<i64> {
        self.next_update
    }

    /// The CRL number (RFC 5280 §5.2.3): the content octets of its INTEGER without leading zeros.
    #[must_use]
    pub fn number(&self) -> Option<&[u8]> {
        self.extensions.number.as_deref()
    }

    /// The CRL number, if it is there and one of ours.
    #[must_use]
    pub fn number_as_u64(&self) -> Option<u64> {
        let octets = self.number()?;
        (octets.len() <= 8).then(|| octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }

    /// The keyIdentifier of the authorityKeyIdentifier (RFC 5280 §5.2.1).
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.extensions.authority_key_identifier.as_deref()
    }

    /// Which of the issuer's certificates it is about, if not all (RFC 5280 §5.2.5).
    #[must_use]
    pub fn scope(&self) -> Option<&CrlScope> {
        self.extensions.scope.as_ref()
    }

    /// What is revoked, in the order of the list.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        let fields = TbsCertListFields::from_der(&self.der).ok();
        Entries::new(fields.and_then(|fields| fields.revoked).map_or(&[], |list| list.0))
    }

    /// Signs these bytes.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Crl, SignError> {
        let algorithm = signer.algorithm();
        if algorithm != self.algorithm {
            return Err(SignError::AlgorithmMismatch { tbs: self.algorithm, signer: algorithm });
        }
        let signature = signer.sign(&self.der)?;
        let signed = Signed { message: &self.der, algorithm: algorithm.identifier(), signature: &signature };
        Ok(Crl { der: signed.to_der()?, tbs: self.clone(), algorithm, signature })
    }
}

impl CrlExtensions {
    fn read(list: &[u8]) -> Result<Self, CrlError> {
        if list.len() > MAX_EXTENSIONS_LEN {
            return Err(CrlError::Extensions(list.len()));
        }
        let mut known = Self::default();
        let mut seen = HashSet::new();
        let mut reader = SliceReader::new(list)?;
        while !reader.is_finished() {
            let extension = Extension::decode(&mut reader)?;
            let (kind, value) = (extension.extn_id, extension.extn_value.as_bytes());
            if !seen.insert(kind) {
                return Err(CrlError::Repeated(kind.to_string()));
            }
            match kind {
                oid::AUTHORITY_KEY_IDENTIFIER => {
                    let identifier = AuthorityKeyIdentifier::from_der(value)?.key_identifier;
                    known.authority_key_identifier = identifier.map(|octets| octets.as_bytes().to_vec());
                }
                oid::CRL_NUMBER => known.number = Some(number(value)?),
                oid::ISSUING_DISTRIBUTION_POINT => known.scope = Some(CrlScope::read(value)?),
                other if extension.critical => return Err(CrlError::Critical(other.to_string())),
                _ => {}
            }
        }
        Ok(known)
    }
}

fn number(value: &[u8]) -> Result<Vec<u8>, CrlError> {
    // CRLNumber ::= INTEGER (0..MAX)
    if IntRef::from_der(value)?.as_bytes().len() > MAX_NUMBER_LEN {
        return Err(CrlError::Number);
    }
    let number = UintRef::from_der(value).map_err(|_negative| CrlError::Number)?;
    Ok(number.as_bytes().to_vec())
}
