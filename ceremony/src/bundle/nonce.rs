//! What binds a response to its request.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand::SecureRandom;

/// 128 random bits: no two requests have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; 16]);

/// The text is no [`Nonce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is none: it has 32 hexadecimal digits in lower case")]
pub struct NoNonce;

impl Nonce {
    /// A new one; `None` if the system gives no random numbers.
    #[must_use]
    pub fn new(random: &dyn SecureRandom) -> Option<Self> {
        let mut octets = [0; 16];
        random.fill(&mut octets).ok()?;
        Some(Self(octets))
    }
}

/// From 128 random bits.
impl From<[u8; 16]> for Nonce {
    fn from(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

impl FromStr for Nonce {
    type Err = NoNonce;

    fn from_str(text: &str) -> Result<Self, NoNonce> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(NoNonce);
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_not_hex| NoNonce)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
