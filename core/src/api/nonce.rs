//! Nonces, RFC 8555 §6.5.

use async_trait::async_trait;

use crate::error::Result;

/// Makes and redeems nonces.
#[async_trait]
pub trait NonceService: Send + Sync {
    /// A fresh nonce, base64url.
    async fn nonce(&self) -> Result<String>;

    /// Uses up `nonce`. `false` if it is not one of ours, was used before, or is too old. Of two redemptions of one nonce, however
    /// close, only one gets `true`.
    async fn redeem(&self, nonce: &str) -> Result<bool>;
}
