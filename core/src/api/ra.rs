//! The Registration Authority: the one service that decides what an account may do, and does it.

use async_trait::async_trait;
use cairn_jose::{Jwk, Thumbprint};

use crate::account::Account;
use crate::api::ca::IssuedCertificate;
use crate::authorization::Authorization;
use crate::challenge::ChallengeType;
use crate::error::Result;
use crate::id::{AccountId, AuthorizationId, OrderId};
use crate::identifier::Identifier;
use crate::order::OrderWithAuthorizations;
use crate::renewal::CertificateId;

/// A request for an account, RFC 8555 §7.3.
#[derive(Clone, Debug)]
pub struct NewAccountRequest {
    /// The key that signed the request.
    pub key: Jwk,
    /// Contact URLs, not yet checked.
    pub contact: Vec<String>,
}

/// The account for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccountResponse {
    /// The account.
    pub account: Account,
    /// Whether it is new; if not, the request's other members were ignored (RFC 8555 §7.3.1).
    pub created: bool,
}

/// A request for an order, RFC 8555 §7.4.
#[derive(Clone, Debug)]
pub struct NewOrderRequest {
    /// Who asks.
    pub account: AccountId,
    /// For what; in any order, duplicates allowed.
    pub identifiers: Vec<Identifier>,
    /// The certificate that it shall replace (RFC 9773 §5).
    pub replaces: Option<CertificateId>,
}

/// The client says that a challenge can be validated, RFC 8555 §7.5.1.
#[derive(Clone, Copy, Debug)]
pub struct PerformValidationRequest {
    /// Who asks.
    pub account: AccountId,
    /// Which authorization.
    pub authorization: AuthorizationId,
    /// Which of its challenges.
    pub challenge: ChallengeType,
    /// The thumbprint of the key that signed the request.
    pub thumbprint: Thumbprint,
}

/// A request to issue, RFC 8555 §7.4.
#[derive(Clone, Debug)]
pub struct FinalizeOrderRequest {
    /// Who asks.
    pub account: AccountId,
    /// Which order.
    pub order: OrderId,
    /// The CSR, DER, not yet parsed; its size is bounded by the front end.
    pub csr: Vec<u8>,
}

/// By what right a revocation is asked for, RFC 8555 §7.6.
#[derive(Clone, Debug)]
pub enum RevocationProof {
    /// The request was signed by this account's key: it must have been issued the certificate, or hold valid authorizations for all
    /// its names.
    Account(AccountId),
    /// The request was signed by this key: it must be the certificate's.
    CertificateKey(Box<Jwk>),
}

/// A request to revoke, RFC 8555 §7.6.
#[derive(Clone, Debug)]
pub struct RevokeCertificateRequest {
    /// By what right.
    pub proof: RevocationProof,
    /// The certificate, DER, not yet parsed; its size is bounded by the front end.
    pub certificate: Vec<u8>,
    /// The CRLReason code as the client sent it.
    pub reason: Option<i64>,
}

/// Decides and does. Objects of another account are `NotFound`, like objects that do not exist.
#[async_trait]
pub trait RegistrationAuthority: Send + Sync {
    /// The account for a key, made if there is none.
    ///
    /// # Errors
    /// `BadPublicKey`, `UnsupportedContact`, `InvalidContact`; `AccountNotValid` if the key's account is deactivated.
    async fn new_account(&self, request: NewAccountRequest) -> Result<NewAccountResponse>;

    /// Replaces an account's contacts; an empty list clears them.
    ///
    /// # Errors
    /// `UnsupportedContact`, `InvalidContact`.
    async fn update_account(&self, account: AccountId, contact: Vec<String>) -> Result<Account>;

    /// Closes an account, RFC 8555 §7.3.6.
    async fn deactivate_account(&self, account: AccountId) -> Result<Account>;

    /// Places an order, or gives back a pending or ready one for the same identifiers that replaces the same certificate, or as it none.
    ///
    /// # Errors
    /// `RejectedIdentifier` or `UnsupportedIdentifier`, with subproblems; `Malformed` for none or too many, or for a certificate to replace
    /// that there is not or that has no name in common with it; `Unauthorized` if that is another account's; `AlreadyReplaced`.
    async fn new_order(&self, request: NewOrderRequest) -> Result<OrderWithAuthorizations>;

    /// Starts a validation and waits a moment for it: the authorization that comes back is final if the validation was quick.
    /// A challenge that is being validated or is final is left as it is.
    ///
    /// # Errors
    /// `NotFound` if the authorization offers no such challenge; `Malformed` if it cannot be attempted any more.
    async fn perform_validation(&self, request: PerformValidationRequest) -> Result<Authorization>;

    /// Gives up an authorization, RFC 8555 §7.5.2.
    async fn deactivate_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<Authorization>;

    /// Starts issuance and waits a moment for it: the order that comes back is final if issuance was quick.
    ///
    /// # Errors
    /// `OrderNotReady`; `BadCsr`, which leaves the order ready.
    async fn finalize_order(&self, request: FinalizeOrderRequest) -> Result<OrderWithAuthorizations>;

    /// Revokes a certificate.
    ///
    /// # Errors
    /// `Unauthorized`, `AlreadyRevoked`, `BadRevocationReason`, `Malformed`; `NotFound` for a certificate that is not ours.
    async fn revoke_certificate(&self, request: RevokeCertificateRequest) -> Result<()>;
}

/// Gives the front end the certificate of its own listeners: all that it can have signed by asking, since it chooses only the key.
#[async_trait]
pub trait ListenerCertificates: Send + Sync {
    /// Issues a certificate for `public_key` (a DER SubjectPublicKeyInfo) and the names under which clients reach the front end, which
    /// the registration authority is configured with.
    ///
    /// # Errors
    /// `BadPublicKey`; `Unauthorized` if no names are configured.
    async fn listener_certificate(&self, public_key: Vec<u8>) -> Result<IssuedCertificate>;
}
