//! The Validation Authority: looks whether a challenge's answer stands where it must.

use async_trait::async_trait;

use crate::challenge::{ChallengeType, KeyAuthorization, Token, ValidationRecord};
use crate::error::Result;
use crate::id::AuthorizationId;
use crate::identifier::Identifier;
use crate::problem::Problem;

/// What to look for, and where.
#[derive(Clone, Debug)]
pub struct ValidationRequest {
    /// For the log.
    pub authorization: AuthorizationId,
    /// The identifier; never a wildcard.
    pub identifier: Identifier,
    /// How.
    pub challenge: ChallengeType,
    /// The token in the URL of http-01.
    pub token: Token,
    /// What must be found.
    pub key_authorization: KeyAuthorization,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationResult {
    /// What was seen on the way.
    pub records: Vec<ValidationRecord>,
    /// Why the challenge failed; `None` if it succeeded.
    pub problem: Option<Problem>,
}

/// Validates challenges.
#[async_trait]
pub trait ValidationAuthority: Send + Sync {
    /// Validates one challenge, within a bounded time.
    ///
    /// # Errors
    /// Only faults of ours (`Internal`, `Unavailable`): a challenge that fails is a result, not an error.
    async fn validate(&self, request: ValidationRequest) -> Result<ValidationResult>;
}
