//! Who signs a request, RFC 8555 §6.2.

use cairn_jose::sign::SigningKey;
use serde_json::{Value, json};

/// An account that the server knows.
#[derive(Debug)]
pub struct Account {
    /// Its key.
    pub key: SigningKey,
    /// Its URL: the `kid` of its requests.
    pub url: String,
}

impl Account {
    /// What must stand where a challenge is validated, RFC 8555 §8.1.
    pub fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.key.jwk().thumbprint())
    }
}

/// By what a request names the key that signed it: the key itself, or the account.
#[derive(Clone, Copy, Debug)]
pub enum Signer<'a> {
    /// `jwk`: for newAccount, and to revoke with a certificate's key.
    Key(&'a SigningKey),
    /// `kid`: for everything else.
    Account(&'a Account),
}

impl<'a> Signer<'a> {
    /// The key that signs.
    pub const fn key(self) -> &'a SigningKey {
        match self {
            Self::Key(key) => key,
            Self::Account(account) => &account.key,
        }
    }

    /// The protected header of a right request.
    pub fn header(self, url: &str, nonce: &str) -> Value {
        let algorithm = self.key().algorithm().name();
        match self {
            Self::Key(key) => json!({ "alg": algorithm, "nonce": nonce, "url": url, "jwk": key.jwk() }),
            Self::Account(account) => {
                json!({ "alg": algorithm, "nonce": nonce, "url": url, "kid": account.url })
            }
        }
    }
}

impl<'a> From<&'a Account> for Signer<'a> {
    fn from(account: &'a Account) -> Self {
        Self::Account(account)
    }
}

impl<'a> From<&'a SigningKey> for Signer<'a> {
    fn from(key: &'a SigningKey) -> Self {
        Self::Key(key)
    }
}
