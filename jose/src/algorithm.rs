//! The signature algorithms we accept, by the names of RFC 7518 §3.1 and RFC 8037 §3.1.

use std::{fmt, str::FromStr};

use crate::{Jwk, KeyKind, json::shortened};

/// A signature algorithm of a JWS.
///
/// RFC 8555 §6.2 demands `ES256` and recommends `EdDSA`; the others are what clients in the field use. There
/// is no variant for `none` or for a MAC, so no code can accept one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with P-521 and SHA-512.
    Es512,
    /// Ed25519 (RFC 8037); Ed448 goes by the same name and is not supported.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// All of them, the preferred ones first: the `algorithms` of a `badSignatureAlgorithm` problem.
    pub const ALL: [Self; 7] =
        [Self::Es256, Self::EdDsa, Self::Es384, Self::Es512, Self::Rs256, Self::Rs384, Self::Rs512];

    /// The name in a protected header's `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// Whether a key is of the type and curve that this algorithm signs with.
    ///
    /// RFC 7518 §3.4 ties each ECDSA algorithm to one curve: a P-256 key never signs `ES384`.
    pub fn fits(self, key: &Jwk) -> bool {
        match self {
            Self::Es256 => key.kind() == KeyKind::P256,
            Self::Es384 => key.kind() == KeyKind::P384,
            Self::Es512 => key.kind() == KeyKind::P521,
            Self::EdDsa => key.kind() == KeyKind::Ed25519,
            Self::Rs256 | Self::Rs384 | Self::Rs512 => matches!(key.kind(), KeyKind::Rsa { .. }),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnsupportedAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnsupportedAlgorithm> {
        // RFC 7515 §4.1.1: the names are case-sensitive.
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| UnsupportedAlgorithm { offered: shortened(name) })
    }
}

/// A name that is none of [`Algorithm::ALL`]: unknown, `none`, or a MAC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature algorithm \"{offered}\" is not supported")]
pub struct UnsupportedAlgorithm {
    /// What the client wrote, shortened if it is long.
    pub offered: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_read_back_from_its_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
    }

    #[test]
    fn macs_none_and_misspelt_names_are_unsupported() {
        for name in
            ["none", "None", "HS256", "HS384", "HS512", "PS256", "ES256K", "es256", "RS1", " ES256", ""]
        {
            let error = name.parse::<Algorithm>().unwrap_err();
            assert_eq!(error.offered, name);
        }
    }

    #[test]
    fn a_very_long_name_is_not_quoted_back_in_full() {
        let error = "A".repeat(10_000).parse::<Algorithm>().unwrap_err();
        assert!(error.offered.len() < 100);
    }
}
