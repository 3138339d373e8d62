//! The thumbprint of a key: RFC 7638, with SHA-256 as RFC 8555 §8.1 wants it.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{self, SHA256};

use crate::base64url::{self, Base64UrlError};

/// The SHA-256 digest of a key's canonical JWK: the same for every spelling of the same key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The digest of the required members, given in the lexicographic order of RFC 7638 §3.
    ///
    /// The values are base64url or registered names, so none of them needs escaping in JSON.
    pub(crate) fn of_members(members: &[(&str, &str)]) -> Self {
        let mut context = digest::Context::new(&SHA256);
        let mut before = "{\"";
        for (name, value) in members {
            for part in [before, name, "\":\"", value, "\""] {
                context.update(part.as_bytes());
            }
            before = ",\"";
        }
        context.update(b"}");
        let mut bytes = [0; 32];
        for (byte, digested) in bytes.iter_mut().zip(context.finish().as_ref()) {
            *byte = *digested;
        }
        Self(bytes)
    }

    /// A thumbprint that was computed before, as from a database.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// base64url, as in a key authorization (RFC 8555 §8.1).
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        let bytes = base64url::decode(text)?;
        bytes.try_into().map(Self).map_err(|bytes: Vec<u8>| ThumbprintError::Length(bytes.len()))
    }
}

/// Why a text is not a thumbprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ThumbprintError {
    /// It is not base64url at all.
    #[error("the thumbprint is not base64url: {0}")]
    Base64Url(#[from] Base64UrlError),
    /// It is, but not of a SHA-256 digest.
    #[error("a SHA-256 thumbprint has 32 bytes, not {0}")]
    Length(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_read_back_from_its_text() {
        let thumbprint = Thumbprint::from_bytes([7; 32]);
        assert_eq!(thumbprint.to_string().parse(), Ok(thumbprint));
        assert_eq!(thumbprint.as_bytes(), &[7; 32]);
    }

    #[test]
    fn a_text_of_another_length_is_no_thumbprint() {
        assert_eq!("QUJD".parse::<Thumbprint>(), Err(ThumbprintError::Length(3)));
        assert!("QUJD=".parse::<Thumbprint>().is_err());
    }
}
