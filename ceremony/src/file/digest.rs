//! A SHA-256, as it stands in files.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

/// A SHA-256: 64 hexadecimal digits in either case; colons, as OpenSSL prints them, and spaces do not count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest([u8; 32]);

/// The text is no [`Digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256: write its 64 hexadecimal digits, with or without colons between")]
pub struct NoDigest;

impl Digest {
    /// That of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut octets = [0; 32];
        // The lengths are equal.
        octets.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(octets)
    }

    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let mut octets = [0; 32];
        let mut digits = text.chars().filter(|character| !matches!(character, ':' | ' '));
        for octet in &mut octets {
            let mut digit = || digits.next().and_then(|digit| digit.to_digit(16)).ok_or(NoDigest);
            *octet = u8::try_from(digit()? << 4 | digit()?).map_err(|_too_large| NoDigest)?;
        }
        if digits.next().is_some() { Err(NoDigest) } else { Ok(Self(octets)) }
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        text.parse()
    }
}

/// 64 digits in lower case, as `sha256sum` prints them.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_sha256sum_and_openssl_print_them() {
        let digest = Digest::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        let colons: Vec<String> = digest.octets().iter().map(|octet| format!("{octet:02X}")).collect();
        for written in [text, &text.to_uppercase(), &colons.join(":"), &colons.join(" ")] {
            assert_eq!(written.parse(), Ok(digest));
        }
        for wrong in ["", &text[1..], &format!("{text}0"), &text.replace('e', "g"), &text.replace('e', "é")]
        {
            assert_eq!(wrong.parse::<Digest>(), Err(NoDigest), "{wrong}");
        }
    }
}
