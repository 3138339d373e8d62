//! Builds what a responder says (BasicOCSPResponse, RFC 6960 §4.2.1).

use der::{
    Decode, Encode,
    asn1::{AnyRef, BitStringRef, GeneralizedTime, Null, OctetString, OctetStringRef},
};
use x509_cert::ext::Extension;

use super::nonce::Nonce;
use super::wire::{
    BasicFields, ReasonFields, ResponderId, ResponseBytes, ResponseDataFields, ResponseFields,
    ResponseStatus, RevokedFields, SingleFields, StatusFields, Version,
};
use super::{IssuerHash, SingleResponse, Status};
use crate::{
    algorithm::SignatureAlgorithm,
    certificate::Certificate,
    crl::CrlReason,
    oid,
    profile::{BuildError, check_algorithm},
    signer::Signer,
    tbs::SignError,
    validity::{self, Validity},
    wire::RawSequence,
};

/// What goes into a response.
#[derive(Clone, Copy, Debug)]
pub struct ResponseInputs<'a> {
    /// Whose key signs: the issuer of the certificates, or the responder that it has delegated to.
    pub responder: &'a Certificate,
    /// Whether the responder's certificate goes along: a delegated one is not at hand with clients, the issuer's is.
    pub delegated: bool,
    /// When it is made, in seconds since 1970.
    pub produced_at: i64,
    /// What is said of each certificate.
    pub responses: &'a [SingleResponse],
    /// The request's.
    pub nonce: Option<&'a Nonce>,
}

/// The to-be-signed part of a response (ResponseData), as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TbsResponse {
    der: Vec<u8>,
    algorithm: SignatureAlgorithm,
    /// The delegated responder's certificate.
    certificate: Option<Vec<u8>>,
}

impl TbsResponse {
    /// Builds it, to be signed with `signature`.
    ///
    /// # Errors
    /// If the responder's key cannot sign so, or a time cannot be written.
    pub fn new(signature: SignatureAlgorithm, inputs: ResponseInputs<'_>) -> Result<Self, BuildError> {
        let ResponseInputs { responder, delegated, produced_at, responses, nonce } = inputs;
        check_algorithm(responder.public_key().kind(), signature)?;
        // RFC 6960 §4.2.2.3: by its key, which is shorter than the name, and always SHA-1.
        let key = IssuerHash::Sha1.of(responder.public_key().bits());
        let fields = ResponseDataFields {
            version: Version::V1,
            responder: ResponderId::Key(OctetStringRef::new(&key)?),
            produced_at: time(produced_at)?,
            responses: responses.iter().map(single).collect::<Result<_, _>>()?,
            extensions: nonce.map(|nonce| self::nonce(nonce).map(|one| vec![one])).transpose()?,
        };
        Ok(Self {
            der: fields.to_der()?,
            algorithm: signature,
            certificate: delegated.then(|| responder.der().to_vec()),
        })
    }

    /// The signed bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Signs it, and gives the whole OCSPResponse.
    ///
    /// # Errors
    /// If the signer uses another algorithm than was said, or does not sign.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let algorithm = signer.algorithm();
        if algorithm != self.algorithm {
            return Err(SignError::AlgorithmMismatch { tbs: self.algorithm, signer: algorithm });
        }
        let signature = signer.sign(&self.der)?;
        let basic = BasicFields {
            tbs: AnyRef::from_der(&self.der)?,
            algorithm: algorithm.identifier(),
            signature: BitStringRef::from_bytes(&signature)?,
            certificates: self.certificate.as_deref().map(RawSequence),
        };
        let basic = basic.to_der()?;
        let bytes = ResponseBytes { kind: oid::OCSP_BASIC, response: OctetStringRef::new(&basic)? };
        Ok(ResponseFields { status: ResponseStatus::Successful, bytes: Some(bytes) }.to_der()?)
    }
}

fn single(response: &SingleResponse) -> Result<SingleFields<'_>, BuildError> {
    let SingleResponse { id, status, this_update, next_update } = response;
    if next_update.is_some_and(|next| next < *this_update) {
        return Err(impossible(*this_update));
    }
    Ok(SingleFields {
        id: id.to_fields()?,
        status: match *status {
            Status::Good => StatusFields::Good(Null),
            Status::Revoked { at, reason } => {
                StatusFields::Revoked(RevokedFields { at: time(at)?, reason: reason.map(Into::into) })
            }
            Status::Unknown => StatusFields::Unknown(Null),
        },
        this_update: time(*this_update)?,
        next_update: next_update.map(time).transpose()?,
        extensions: None,
    })
}

/// RFC 9654 §2.1: an OCTET STRING in the extension's own, not critical.
pub(super) fn nonce(nonce: &Nonce) -> der::Result<Extension> {
    let value = OctetStringRef::new(nonce.as_bytes())?.to_der()?;
    Ok(Extension { extn_id: oid::OCSP_NONCE, critical: false, extn_value: OctetString::new(value)? })
}

fn time(seconds: i64) -> Result<GeneralizedTime, BuildError> {
    validity::generalized(seconds).ok_or_else(|| impossible(seconds))
}

fn impossible(at: i64) -> BuildError {
    BuildError::Validity { validity: Validity { not_before: at, not_after: at } }
}

impl From<CrlReason> for ReasonFields {
    fn from(reason: CrlReason) -> Self {
        match reason {
            CrlReason::Unspecified => Self::Unspecified,
            CrlReason::KeyCompromise => Self::KeyCompromise,
            CrlReason::CaCompromise => Self::CaCompromise,
            CrlReason::AffiliationChanged => Self::AffiliationChanged,
            CrlReason::Superseded => Self::Superseded,
            CrlReason::CessationOfOperation => Self::CessationOfOperation,
            CrlReason::CertificateHold => Self::CertificateHold,
            CrlReason::RemoveFromCrl => Self::RemoveFromCrl,
            CrlReason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            CrlReason::AaCompromise => Self::AaCompromise,
        }
    }
}
