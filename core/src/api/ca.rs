//! The Certificate Authority: signs, after it has stored what it will sign.

use async_trait::async_trait;

use crate::certificate::Serial;
use crate::error::Result;
use crate::id::{AccountId, OrderId};
use crate::identifier::Identifier;

/// All that reaches the signer: no other byte of a stranger does, and least of all a CSR.
#[derive(Clone, Debug)]
pub struct IssuanceRequest {
    /// The order; at most one certificate is ever issued for it. `None` for the CA's own listeners.
    pub order: Option<OrderId>,
    /// Whose order.
    pub account: Option<AccountId>,
    /// The name of the profile.
    pub profile: String,
    /// The subject's public key: a DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// The names to certify, proven by the caller. Not empty.
    pub identifiers: Vec<Identifier>,
}

/// A certificate that is signed and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Its serial.
    pub serial: Serial,
    /// The certificate, DER.
    pub der: Vec<u8>,
}

/// Issues certificates.
#[async_trait]
pub trait CertificateAuthority: Send + Sync {
    /// Issues one certificate, as docs/ISSUANCE.md tells. When this returns, the certificate is stored.
    ///
    /// # Errors
    /// `Conflict` if a certificate was issued, or begun, for this order before, or if the order was given up in the meantime. `Unavailable`
    /// if the key cannot sign at this moment: there is no certificate, but the order may have been begun. `Internal` for all else.
    async fn issue_certificate(&self, request: IssuanceRequest) -> Result<IssuedCertificate>;
}
