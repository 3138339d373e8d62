//! Reads and verifies responses, as clients do (RFC 6960 §3.2): for checkers and tests.

use der::{Decode, Encode, Reader, SliceReader, asn1::AnyRef};

use super::nonce::Nonce;
use super::request::{CertId, RequestError};
use super::wire::{
    BasicFields, ResponderId, ResponseDataFields, ResponseFields, ResponseStatus, StatusFields,
};
use super::{IssuerHash, Refusal, SingleResponse, Status};
use crate::{
    algorithm::{AlgorithmError, SignatureAlgorithm},
    certificate::{Certificate, CertificateError, VerifyError},
    crl::CrlReason,
    description::Description,
    oid,
    purpose::Purpose,
    spki::SignatureError,
    validity,
};

/// Longest response that is read, in octets.
const MAX_RESPONSE_LEN: usize = 64 << 10;

/// An answer; who gave it is for [`Response::verify`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    tbs: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    /// SHA-1 of the responder's key; `None` if it goes by its name.
    key: Option<Vec<u8>>,
    certificates: Vec<Certificate>,
    /// When it was made, in seconds since 1970.
    pub produced_at: i64,
    /// What is said of each certificate.
    pub responses: Vec<SingleResponse>,
    /// The request's, if it is in the response.
    pub nonce: Option<Nonce>,
}

/// Why there is no answer to believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Longer than any.
    #[error("the response has {0} octets; no more than {MAX_RESPONSE_LEN} are read")]
    TooLong(usize),
    /// Not the DER of an OCSPResponse with a BasicOCSPResponse.
    #[error("the response is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// The responder does not answer.
    #[error("the responder refuses: {0:?}")]
    Refused(Refusal),
    /// An id or a nonce that could not be asked for.
    #[error("the response answers no request: {0}")]
    Id(#[from] RequestError),
    /// The signature algorithm is unknown or broken.
    #[error("the response cannot be checked: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// A certificate in it is none.
    #[error("a certificate in the response cannot be read: {0}")]
    Certificate(#[from] CertificateError),
    /// The responder is neither the issuer, nor somebody to whom it has delegated.
    #[error("the responder is neither the issuer, nor has the issuer delegated to it")]
    Responder,
    /// The delegated responder's certificate is not the issuer's.
    #[error("the responder's certificate was not issued by the issuer: {0}")]
    Delegation(#[from] VerifyError),
    /// The signature is not the responder's.
    #[error("the signature is not the responder's: {0}")]
    Signature(#[from] SignatureError),
}

impl Response {
    /// Reads a response; trailing bytes are an error.
    ///
    /// # Errors
    /// If it is a refusal, or none that can be read.
    pub fn from_der(bytes: &[u8]) -> Result<Self, ResponseError> {
        if bytes.len() > MAX_RESPONSE_LEN {
            return Err(ResponseError::TooLong(bytes.len()));
        }
        let ResponseFields { status, bytes: body } = ResponseFields::from_der(bytes)?;
        if let Some(refusal) = refusal(status) {
            return Err(ResponseError::Refused(refusal));
        }
        let body = body.ok_or_else(|| der::Error::from(der::Tag::Sequence.value_error()))?;
        if body.kind != oid::OCSP_BASIC {
            return Err(der::Error::from(der::Tag::ObjectIdentifier.value_error()).into());
        }
        let basic = BasicFields::from_der(body.response.as_bytes())?;
        let tbs = basic.tbs.to_der()?;
        let data = ResponseDataFields::from_der(&tbs)?;
        let signature = basic.signature.as_bytes().ok_or_else(|| der::Tag::BitString.value_error());
        Ok(Self {
            algorithm: SignatureAlgorithm::from_identifier(&basic.algorithm)?,
            signature: signature.map_err(der::Error::from)?.to_vec(),
            key: match data.responder {
                ResponderId::Key(key) => Some(key.as_bytes().to_vec()),
                ResponderId::Name(_) => None,
            },
            certificates: certificates(basic.certificates.map_or(&[], |list| list.0))?,
            produced_at: seconds(data.produced_at),
            responses: data
                .responses
                .iter()
                .map(|single| {
                    Ok(SingleResponse {
                        id: CertId::from_fields(&single.id)?,
                        status: status_of(single.status),
                        this_update: seconds(single.this_update),
                        next_update: single.next_update.map(seconds),
                    })
                })
                .collect::<Result<_, RequestError>>()?,
            nonce: super::request::nonce_among(data.extensions.iter().flatten())?,
            tbs: tbs.clone(),
        })
    }

    /// Proves that `issuer` says this, or somebody to whom it has delegated (RFC 6960 §4.2.2.2). Whether it is of this time is the
    /// caller's to look at.
    ///
    /// # Errors
    /// If neither does.
    pub fn verify(&self, issuer: &Certificate) -> Result<(), ResponseError> {
        let is_responder = |certificate: &Certificate| {
            let key = IssuerHash::Sha1.of(certificate.public_key().bits());
            self.key.as_deref().is_none_or(|said| said == key)
        };
        if is_responder(issuer) && self.certificates.is_empty() {
            return Ok(issuer.public_key().verify(self.algorithm, &self.tbs, &self.signature)?);
        }
        let delegated = self.certificates.iter().find(|certificate| is_responder(certificate));
        let delegated = delegated.ok_or(ResponseError::Responder)?;
        delegated.verify_issued_by(issuer)?;
        let purposes = delegated.description().map(|Description { purposes, .. }| purposes);
        if !purposes.is_ok_and(|purposes| purposes.contains(&Purpose::OcspSigning)) {
            return Err(ResponseError::Responder);
        }
        Ok(delegated.public_key().verify(self.algorithm, &self.tbs, &self.signature)?)
    }
}

fn certificates(list: &[u8]) -> Result<Vec<Certificate>, ResponseError> {
    let mut reader = SliceReader::new(list)?;
    let mut certificates = Vec::new();
    while !reader.is_finished() {
        certificates.push(Certificate::from_der(&AnyRef::decode(&mut reader)?.to_der()?)?);
    }
    Ok(certificates)
}

fn refusal(status: ResponseStatus) -> Option<Refusal> {
    Some(match status {
        ResponseStatus::Successful => return None,
        ResponseStatus::MalformedRequest => Refusal::MalformedRequest,
        ResponseStatus::InternalError => Refusal::InternalError,
        ResponseStatus::TryLater => Refusal::TryLater,
        ResponseStatus::SigRequired => Refusal::SigRequired,
        ResponseStatus::Unauthorized => Refusal::Unauthorized,
    })
}

fn status_of(status: StatusFields) -> Status {
    match status {
        StatusFields::Good(_) => Status::Good,
        StatusFields::Revoked(revoked) => Status::Revoked {
            at: seconds(revoked.at),
            reason: revoked.reason.and_then(|reason| CrlReason::from_code(reason as u8)),
        },
        StatusFields::Unknown(_) => Status::Unknown,
    }
}

fn seconds(time: der::asn1::GeneralizedTime) -> i64 {
    validity::seconds(time.into())
}
