//! What an operator may ask of a running CA. The registration authority answers: whatever an operator changes goes the way that a
//! client's change goes, and everything that an operator asks is an event for the auditor, with the operator's name.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use cairn_jose::Thumbprint;

use crate::account::Account;
use crate::authorization::Authorization;
use crate::certificate::{CertificateRecord, RevocationReason, Serial};
use crate::error::Result;
use crate::id::{AccountId, AuthorizationId, OrderId};
use crate::order::OrderWithAuthorizations;

/// Longest name of an operator, in octets: it stands in every event.
const LONGEST_NAME: usize = 64;

/// Who asks, as far as the caller's side can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator(String);

/// The text was no operator's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an operator's name has 1 to 64 printable ASCII characters and no space")]
pub struct OperatorError;

impl FromStr for Operator {
    type Err = OperatorError;

    fn from_str(text: &str) -> Result<Self, OperatorError> {
        let good =
            (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Self(text.to_owned())) } else { Err(OperatorError) }
    }
}

impl Operator {
    /// The same, with what is known of the caller besides the name that was said.
    #[must_use]
    pub fn known_as(self, fact: &str) -> Self {
        Self(format!("{}({fact})", self.0))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an operator names an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountName {
    /// By its id.
    Id(AccountId),
    /// By the thumbprint of its key (RFC 7638).
    Key(Thumbprint),
}

/// A revocation that the CA itself decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRevocation {
    /// Which certificate.
    pub serial: Serial,
    /// Why; `None` gives no reason (RFC 5280 §5.3.1).
    pub reason: Option<RevocationReason>,
    /// Whether its key is refused from now on.
    pub block_key: bool,
}

/// How much of a kind is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// At this moment.
    pub running: u64,
    /// At most; further requests are refused.
    pub limit: u64,
}

/// How a registration authority is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaStatus {
    /// Validations that it waits for.
    pub validations: Workload,
    /// Certificates that are being issued.
    pub issuances: Workload,
    /// Whether it finishes what it has begun and takes nothing new.
    pub stopping: bool,
}

/// Looks at everything and changes what an operator may. What does not exist is `NotFound`.
#[async_trait]
pub trait Administration: Send + Sync {
    /// An account.
    async fn account(&self, operator: &Operator, name: AccountName) -> Result<Account>;

    /// Closes an account for good, in the name of the CA: its status is `revoked` (RFC 8555 §7.1.6).
    ///
    /// # Errors
    /// `Conflict` if it is closed already.
    async fn deactivate_account(&self, operator: &Operator, account: AccountId) -> Result<Account>;

    /// An order and its authorizations.
    async fn order(&self, operator: &Operator, order: OrderId) -> Result<OrderWithAuthorizations>;

    /// An authorization.
    async fn authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization>;

    /// Takes an authorization away, so that its account must prove again that it controls the identifier.
    ///
    /// # Errors
    /// `Conflict` if it is invalid or deactivated already.
    async fn deactivate_authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization>;

    /// A certificate.
    async fn certificate(&self, operator: &Operator, serial: &Serial) -> Result<CertificateRecord>;

    /// Revokes a certificate, and gives it as it is then.
    ///
    /// # Errors
    /// `AlreadyRevoked`.
    async fn revoke_certificate(
        &self,
        operator: &Operator,
        revocation: OperatorRevocation,
    ) -> Result<CertificateRecord>;

    /// Refuses a key from now on, in accounts and in certificates; `false` if it was refused already. Certificates that have it stay.
    async fn block_key(&self, operator: &Operator, spki_sha256: [u8; 32]) -> Result<bool>;

    /// How this registration authority is.
    async fn status(&self, operator: &Operator) -> Result<RaStatus>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_name_is_short_and_cannot_forge_an_event() {
        assert_eq!("ops@example.com".parse::<Operator>().unwrap().as_str(), "ops@example.com");
        for name in ["", "two words", "new\nline", "tab\t", "ä", &"x".repeat(65)] {
            assert_eq!(name.parse::<Operator>(), Err(OperatorError), "{name:?}");
        }
    }
}
