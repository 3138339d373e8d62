//! What a stranger asks (RFC 6960 §4.1).

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use const_oid::ObjectIdentifier;
use der::{
    Decode, Encode, Reader, SliceReader,
    asn1::{AnyRef, IntRef, OctetStringRef},
};
use spki::AlgorithmIdentifierRef;
use x509_cert::ext::Extension;

use super::nonce::Nonce;
use super::wire::{CertIdFields, RequestFields, SingleRequestFields};
use crate::{certificate::Certificate, oid};

/// Longest request in octets. One certificate takes 80, and a nonce at most 150.
pub const MAX_REQUEST_LEN: usize = 8 << 10;

/// Most certificates in a request.
pub const MAX_CERTIFICATES: usize = 32;

/// RFC 5280 §4.1.2.2.
const MAX_SERIAL_LEN: usize = 20;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The certificates that are asked about: at least one.
    pub certificates: Vec<CertId>,
    /// What the response shall have in it.
    pub nonce: Option<Nonce>,
}

/// A certificate by its serial number, and by the hashes of its issuer's name and key (CertID, RFC 6960 §4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    /// Which hash.
    pub hash: IssuerHash,
    /// Of the issuer's name.
    pub name: Vec<u8>,
    /// Of the issuer's key.
    pub key: Vec<u8>,
    /// In the form of [`Certificate::serial`].
    pub serial: Vec<u8>,
    /// Whether the hash was written with the parameter NULL: some compare the answer's octets with their own.
    with_null: bool,
}

/// A hash by which clients name issuers. Nothing is proven by it: SHA-1 does no harm here, and most use it (RFC 5019 §2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuerHash {
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
}

/// Why bytes are no request that can be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More than [`MAX_REQUEST_LEN`].
    #[error("the request has {0} octets; no more than {MAX_REQUEST_LEN} are read")]
    TooLong(usize),
    /// Not the DER of an OCSPRequest.
    #[error("the request is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// None, or more than [`MAX_CERTIFICATES`].
    #[error("the request asks about {0} certificates; ask about 1 to {MAX_CERTIFICATES}")]
    Count(usize),
    /// Neither SHA-1 nor SHA-256.
    #[error("the request names the issuer by a hash that is not known here: {0}")]
    Hash(ObjectIdentifier),
    /// Not as long as the hash is.
    #[error("a hash in the request has the wrong length")]
    HashLength,
    /// Negative, or longer than any.
    #[error("a serial number in the request is none")]
    Serial,
    /// RFC 9654 §2.1: none of 1 to 128 octets.
    #[error("the request's nonce is none of 1 to {} octets", super::MAX_NONCE_LEN)]
    Nonce,
    /// RFC 6960 §4.4: an extension that must be understood, and is not.
    #[error("the request has the critical extension {0}, which is not supported")]
    Critical(ObjectIdentifier),
    /// An extension twice.
    #[error("the request has the extension {0} twice")]
    Repeated(ObjectIdentifier),
}

impl Request {
    /// Reads a request; trailing bytes are an error. Whether it is signed, and by whom, is not looked at.
    ///
    /// # Errors
    /// If it is none that can be answered.
    pub fn from_der(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_REQUEST_LEN {
            return Err(RequestError::TooLong(bytes.len()));
        }
        let RequestFields { tbs, signature: _ } = RequestFields::from_der(bytes)?;
        let mut certificates = Vec::new();
        let mut reader = SliceReader::new(tbs.list.0)?;
        while !reader.is_finished() {
            let SingleRequestFields { id, extensions } = SingleRequestFields::decode(&mut reader)?;
            // serviceLocator (RFC 6960 §4.4.6) is for responders that ask others.
            if let Some(critical) = extensions.iter().flatten().find(|extension| extension.critical) {
                return Err(RequestError::Critical(critical.extn_id));
            }
            certificates.push(CertId::from_fields(&id)?);
            if certificates.len() > MAX_CERTIFICATES {
                return Err(RequestError::Count(certificates.len()));
            }
        }
        if certificates.is_empty() {
            return Err(RequestError::Count(0));
        }
        let nonce = nonce_among(tbs.extensions.iter().flatten())?;
        Ok(Self { certificates, nonce })
    }

    /// The request as a client sends it, unsigned.
    ///
    /// # Errors
    /// If it cannot be encoded: a serial number of no octets.
    pub fn to_der(&self) -> der::Result<Vec<u8>> {
        let mut list = Vec::new();
        for id in &self.certificates {
            SingleRequestFields { id: id.to_fields()?, extensions: None }.encode_to_vec(&mut list)?;
        }
        let extensions = self.nonce.as_ref().map(|nonce| super::build::nonce(nonce).map(|one| vec![one]));
        let tbs = super::wire::TbsRequestFields {
            version: super::wire::Version::V1,
            requestor: None,
            list: crate::wire::RawSequence(&list),
            extensions: extensions.transpose()?,
        };
        RequestFields { tbs, signature: None }.to_der()
    }
}

/// The nonce among the extensions of a request or a response, of which no other may be critical.
pub(super) fn nonce_among<'a>(
    extensions: impl Iterator<Item = &'a Extension>,
) -> Result<Option<Nonce>, RequestError> {
    let mut nonce = None;
    for extension in extensions {
        match extension.extn_id {
            oid::OCSP_NONCE if nonce.is_some() => return Err(RequestError::Repeated(oid::OCSP_NONCE)),
            oid::OCSP_NONCE => {
                let value = <&OctetStringRef>::from_der(extension.extn_value.as_bytes());
                let value = value.ok().and_then(|value| Nonce::new(value.as_bytes()));
                nonce = Some(value.ok_or(RequestError::Nonce)?);
            }
            other if extension.critical => return Err(RequestError::Critical(other)),
            _ => {}
        }
    }
    Ok(nonce)
}

impl CertId {
    /// Of a certificate of this issuer.
    #[must_use]
    pub fn new(hash: IssuerHash, issuer: &Certificate, serial: &[u8]) -> Self {
        Self {
            hash,
            name: hash.of(issuer.subject().der()),
            key: hash.of(issuer.public_key().bits()),
            serial: serial.to_vec(),
            with_null: true,
        }
    }

    /// Whether this names a certificate of `issuer`.
    #[must_use]
    pub fn is_issued_by(&self, issuer: &Certificate) -> bool {
        self.name == self.hash.of(issuer.subject().der())
            && self.key == self.hash.of(issuer.public_key().bits())
    }

    pub(super) fn from_fields(fields: &CertIdFields<'_>) -> Result<Self, RequestError> {
        let hash = match fields.hash.oid {
            oid::SHA1 => IssuerHash::Sha1,
            oid::SHA256 => IssuerHash::Sha256,
            other => return Err(RequestError::Hash(other)),
        };
        let with_null = match fields.hash.parameters {
            None => false,
            Some(parameters) if parameters == AnyRef::NULL => true,
            Some(_) => return Err(RequestError::Hash(fields.hash.oid)),
        };
        let (name, key) = (fields.name.as_bytes(), fields.key.as_bytes());
        if [name, key].iter().any(|octets| octets.len() != hash.len()) {
            return Err(RequestError::HashLength);
        }
        let serial = fields.serial.as_bytes();
        if serial.len() > MAX_SERIAL_LEN || serial.first().is_none_or(|first| *first >= 0x80) {
            return Err(RequestError::Serial);
        }
        Ok(Self { hash, name: name.to_vec(), key: key.to_vec(), serial: serial.to_vec(), with_null })
    }

    pub(super) fn to_fields(&self) -> der::Result<CertIdFields<'_>> {
        Ok(CertIdFields {
            hash: AlgorithmIdentifierRef {
                oid: self.hash.oid(),
                parameters: self.with_null.then_some(AnyRef::NULL),
            },
            name: OctetStringRef::new(&self.name)?,
            key: OctetStringRef::new(&self.key)?,
            serial: IntRef::new(&self.serial)?,
        })
    }
}

impl IssuerHash {
    /// The hash of these octets.
    #[must_use]
    pub fn of(self, octets: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        };
        digest::digest(algorithm, octets).as_ref().to_vec()
    }

    const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => oid::SHA1,
            Self::Sha256 => oid::SHA256,
        }
    }
}
