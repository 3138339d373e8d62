//! Accounts, RFC 8555 §7.1.2.

use cairn_jose::{Jwk, Thumbprint};

use crate::id::AccountId;
use crate::time::Timestamp;

/// An account, as in RFC 8555 §7.1.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id; the account's URL ends in it and never changes.
    pub id: AccountId,
    /// The key that signs its requests.
    pub key: Jwk,
    /// How to reach its holder: `mailto:` URLs, checked when they were set.
    pub contact: Vec<String>,
    /// What it may still do.
    pub status: AccountStatus,
    /// When it was made.
    pub created: Timestamp,
}

impl Account {
    /// The RFC 7638 thumbprint of the account's key: what finds an account by its key, and half of every key authorization.
    pub fn thumbprint(&self) -> Thumbprint {
        self.key.thumbprint()
    }
}

/// The status of an account, RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// May do everything.
    Valid,
    /// Its holder has closed it; final.
    Deactivated,
    /// The operator has closed it; final.
    Revoked,
}

impl AccountStatus {
    /// The word of RFC 8555 §7.1.6.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Deactivated => "deactivated",
            Self::Revoked => "revoked",
        }
    }
}
