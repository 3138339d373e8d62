//! The Policy Authority: what the CA is willing to do at all, whoever asks.

use async_trait::async_trait;

use crate::challenge::ChallengeType;
use crate::error::Result;
use crate::identifier::Identifier;

/// What a key is to be used for: requests may be signed with keys that no certificate may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// To sign an account's requests, RFC 8555 §6.2.
    Account,
    /// To stand in a certificate.
    Certificate,
}

/// Decides which identifiers, challenges and keys are acceptable. Knows no account and no order.
#[async_trait]
pub trait PolicyAuthority: Send + Sync {
    /// For each identifier, in the same order, the challenges by which it may be proven: at least one.
    ///
    /// # Errors
    /// `RejectedIdentifier` with one subproblem for each identifier that the CA will not issue for.
    async fn willing_to_issue(&self, identifiers: &[Identifier]) -> Result<Vec<Vec<ChallengeType>>>;

    /// Whether `challenge` may (still) be used to prove `identifier`; `wildcard` when it stands for `*.identifier`.
    async fn challenge_enabled(
        &self,
        challenge: ChallengeType,
        identifier: &Identifier,
        wildcard: bool,
    ) -> Result<bool>;

    /// Whether the key (a DER SubjectPublicKeyInfo) is good enough for its use.
    ///
    /// # Errors
    /// `BadPublicKey` with a detail that says what is wrong with it.
    async fn good_key(&self, spki: &[u8], key_use: KeyUse) -> Result<()>;
}
