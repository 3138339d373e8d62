//! Nonces, RFC 8555 §6.5, of one front end or of several behind one name.
//!
//! Nonces are not stored: the front end that gave one out remembers whether it was used, and no other does. Each front end has a
//! random prefix for as long as it runs, which begins all of its nonces. A front end that is handed another's nonce asks the one
//! that the prefix names, and that one decides.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use cairn_jose::base64url;

use crate::error::Result;
use crate::random::{Random, bytes};

/// Makes and redeems nonces: what a front end stands on.
#[async_trait]
pub trait NonceService: Send + Sync {
    /// A fresh nonce, base64url.
    async fn nonce(&self) -> Result<String>;

    /// Uses up `nonce`. `false` if it is not one of ours, was used before, or is too old. Of two redemptions of one nonce, however
    /// close and at whichever front end, only one gets `true`.
    async fn redeem(&self, nonce: &str) -> Result<bool>;
}

/// The one front end that can redeem the nonces with its prefix. This is all that front ends ask of each other; it never asks
/// further, so that no question can go round in a circle.
#[async_trait]
pub trait NonceOwner: Send + Sync {
    /// What its nonces begin with. Another one after each start.
    async fn prefix(&self) -> Result<NoncePrefix>;

    /// Uses up `nonce`. `false` unless it has this front end's prefix and was given out, is unused and not too old.
    async fn redeem_own(&self, nonce: &str) -> Result<bool>;
}

/// Finds the front ends that run beside this one.
#[async_trait]
pub trait NoncePeers: Send + Sync {
    /// All that can be found now, in any order: one for each address, whether it answers or not. The asking front end itself may be
    /// among them.
    ///
    /// # Errors
    /// If they cannot be looked up. Those that were known before are then asked on.
    async fn peers(&self) -> Result<Vec<NoncePeer>>;
}

/// A front end that may run beside this one.
#[derive(Clone)]
pub struct NoncePeer {
    /// Where it is, for the log.
    pub address: String,
    /// Asks exactly the one at that address. A question that it does not answer is an error; the asker waits for it only shortly.
    pub owner: Arc<dyn NonceOwner>,
}

impl fmt::Debug for NoncePeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoncePeer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What the nonces of one front end begin with: six random octets for each start of its process. If two had the same, which among
/// a thousand happens twice in a billion, nonces of one would be refused at the other, no more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoncePrefix([u8; Self::LENGTH]);

impl NoncePrefix {
    /// Octets: a multiple of three, so that its text is the beginning of the nonce's text.
    pub const LENGTH: usize = 6;
    /// Characters of its text.
    pub const TEXT_LENGTH: usize = Self::LENGTH / 3 * 4;

    /// A new one.
    pub fn new(random: &dyn Random) -> Self {
        Self(bytes(random))
    }

    /// The octets that a nonce begins with.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The prefix of a nonce, if it could have one.
    pub fn of(nonce: &str) -> Option<Self> {
        nonce.get(..Self::TEXT_LENGTH)?.parse().ok()
    }
}

/// base64url, as nonces begin.
impl fmt::Display for NoncePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for NoncePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoncePrefix({self})")
    }
}

/// The text was no prefix: not eight characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nonce's prefix is eight characters of base64url")]
pub struct NoncePrefixError;

impl FromStr for NoncePrefix {
    type Err = NoncePrefixError;

    fn from_str(text: &str) -> Result<Self, NoncePrefixError> {
        let octets = base64url::decode(text).map_err(|_| NoncePrefixError)?;
        octets.try_into().map(Self).map_err(|_| NoncePrefixError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn a_prefix_is_the_beginning_of_a_nonce_in_octets_and_in_text() {
        let prefix = NoncePrefix::new(&SeededRandom::new(1));
        let nonce = base64url::encode(&[prefix.as_bytes().as_slice(), &[7; 24]].concat());
        assert!(nonce.starts_with(&prefix.to_string()));
        assert_eq!(NoncePrefix::of(&nonce), Some(prefix));
        assert_eq!(prefix.to_string().parse(), Ok(prefix));
    }

    #[test]
    fn what_is_too_short_or_no_base64url_has_no_prefix() {
        for text in ["", "AAAAAAA", "AAAA+AAA", "AAAAAAAé", "AAAAAA=="] {
            assert_eq!(NoncePrefix::of(text), None, "{text}");
        }
        assert_eq!("AAAAAAAAA".parse::<NoncePrefix>(), Err(NoncePrefixError));
    }
}
