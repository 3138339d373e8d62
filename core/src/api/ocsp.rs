//! The OCSP responder: says of certificates whether they are revoked, and signs that (RFC 6960).
//!
//! It is handed a request and nothing else. What it says it looks up itself: a front end that strangers reach must not be able to have
//! "good" signed for a certificate that is revoked.

use async_trait::async_trait;

use crate::error::Result;
use crate::time::Timestamp;

/// Answers OCSP requests.
#[async_trait]
pub trait OcspResponder: Send + Sync {
    /// Answers an OCSPRequest, DER.
    ///
    /// # Errors
    /// `Malformed` if it is none that can be answered; `Unavailable` if the storage or the key cannot be reached at this moment.
    async fn ocsp_response(&self, request: Vec<u8>) -> Result<OcspAnswer>;
}

/// What a responder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OcspAnswer {
    /// A signed response.
    Signed(OcspResponse),
    /// Nothing: it knows none of the certificates, or cannot speak for their issuers (RFC 6960 §2.3, RFC 5019 §2.2.3).
    Unauthorized,
}

/// A signed response, and for how long it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspResponse {
    /// The OCSPResponse, DER.
    pub der: Vec<u8>,
    /// When what it says was known to be so: the earliest thisUpdate in it.
    pub this_update: Timestamp,
    /// By when there will be something newer: the earliest nextUpdate in it.
    pub next_update: Timestamp,
}
