//! OCSP (RFC 6960): whether certificates are revoked, asked and answered in one round.
//!
//! A [`Request`] is a stranger's: it has bounds, and its signature, if it has one, is not looked at (§4.1.2 leaves that to the responder,
//! and there is nothing that only some may know). [`TbsResponse`] is made like a certificate or a CRL: the bytes are written once, and
//! what is signed is those bytes. [`Refusal`]s are not signed (§2.3).

mod build;
mod issuer;
mod nonce;
mod request;
mod response;
mod wire;

pub use self::{
    build::{ResponseInputs, TbsResponse},
    issuer::IssuerNames,
    nonce::{MAX_NONCE_LEN, Nonce},
    request::{CertId, IssuerHash, MAX_CERTIFICATES, MAX_REQUEST_LEN, Request, RequestError},
    response::{Response, ResponseError},
};
use crate::crl::CrlReason;

/// What a responder says of a certificate (CertStatus, RFC 6960 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Issued, and not revoked.
    Good,
    /// Not to be trusted any more.
    Revoked {
        /// Since when, in seconds since 1970.
        at: i64,
        /// Why.
        reason: Option<CrlReason>,
    },
    /// The responder does not know it.
    Unknown,
}

/// What a responder says of one certificate, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleResponse {
    /// Which certificate, in the words of the request.
    pub id: CertId,
    /// What it says.
    pub status: Status,
    /// When that was known to be so, in seconds since 1970.
    pub this_update: i64,
    /// By when there will be something newer.
    pub next_update: Option<i64>,
}

/// A response that has no answer in it (OCSPResponseStatus, RFC 6960 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The request is none.
    MalformedRequest = 1,
    /// The responder cannot answer at the moment, and nobody knows when.
    InternalError = 2,
    /// The responder cannot answer at the moment.
    TryLater = 3,
    /// The request must be signed.
    SigRequired = 5,
    /// The responder knows nothing of what is asked, or may not say it (RFC 5019 §2.2.3).
    Unauthorized = 6,
}

impl Refusal {
    /// The OCSPResponse.
    #[must_use]
    pub const fn der(self) -> [u8; 5] {
        // SEQUENCE { ENUMERATED }
        [0x30, 3, 0x0a, 1, self as u8]
    }
}
