//! Challenges and what their validation leaves behind, RFC 8555 §7.1.5 and §8.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use cairn_jose::{Thumbprint, base64url};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::random::{Random, bytes};

/// Random octets in a token: 256 bits, twice what RFC 8555 §8.3 demands.
const TOKEN_LENGTH: usize = 32;

/// A type of challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChallengeType {
    /// RFC 8555 §8.3.
    #[serde(rename = "http-01")]
    Http01,
    /// RFC 8555 §8.4.
    #[serde(rename = "dns-01")]
    Dns01,
    /// RFC 8737.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

impl ChallengeType {
    /// Every type there is, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Http01, Self::Dns01, Self::TlsAlpn01];

    /// The name in the ACME registry of validation methods.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

impl fmt::Display for ChallengeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no challenge type of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such challenge type; there are http-01, dns-01 and tls-alpn-01")]
pub struct UnknownChallengeType;

impl FromStr for ChallengeType {
    type Err = UnknownChallengeType;

    fn from_str(text: &str) -> Result<Self, UnknownChallengeType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownChallengeType)
    }
}

/// The random value that a client must show it received, RFC 8555 §8.1. One serves all challenges of an authorization: only one of
/// them is ever attempted, and several perspectives must look for the same value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token([u8; TOKEN_LENGTH]);

impl Token {
    /// A new random token.
    pub fn new(random: &dyn Random) -> Self {
        Self(bytes(random))
    }

    /// The token that was stored as these bytes.
    pub const fn from_bytes(bytes: [u8; TOKEN_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; TOKEN_LENGTH] {
        &self.0
    }

    /// The key authorization for the account key with this thumbprint.
    pub fn key_authorization(&self, thumbprint: Thumbprint) -> KeyAuthorization {
        KeyAuthorization(format!("{self}.{thumbprint}"))
    }
}

/// base64url without padding, as it stands in challenge objects.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

/// `token.thumbprint`, RFC 8555 §8.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAuthorization(String);

impl KeyAuthorization {
    /// The text that http-01 must serve and that dns-01 and tls-alpn-01 hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the validation authority saw on one hop: kept with the authorization, so that an operator can tell later why it trusted a
/// name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// The URL asked for; http-01 only, one record per redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The name (or address) that was validated or redirected to.
    pub hostname: String,
    /// The port dialled; absent for dns-01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// All addresses that the name resolved to.
    #[serde(default, rename = "addressesResolved", skip_serializing_if = "Vec::is_empty")]
    pub addresses_resolved: Vec<IpAddr>,
    /// The address that was dialled last; absent for dns-01.
    #[serde(default, rename = "addressUsed", skip_serializing_if = "Option::is_none")]
    pub address_used: Option<IpAddr>,
    /// The perspective that saw it (Baseline Requirements §3.2.2.9); absent for the validation authority that was asked itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perspective: Option<String>,
    /// In the last record of a perspective: what it found wrong. Enough others may have agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn tokens_are_long_and_unpadded_base64url() {
        let text = Token::new(&SeededRandom::new(3)).to_string();
        assert_eq!(text.len(), 43);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    }

    #[test]
    fn a_key_authorization_joins_token_and_thumbprint() {
        let token = Token::new(&SeededRandom::new(3));
        let thumbprint = Thumbprint::from_bytes([1; 32]);
        assert_eq!(token.key_authorization(thumbprint).as_str(), format!("{token}.{thumbprint}"));
    }

    #[test]
    fn a_record_from_before_there_were_perspectives_reads_and_writes_as_it_was() {
        let json = r#"{"hostname":"a.test","port":80,"addressUsed":"192.0.2.1"}"#;
        let record: ValidationRecord = serde_json::from_str(json).unwrap();
        assert_eq!((&record.perspective, &record.problem), (&None, &None));
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
    }

    #[test]
    fn challenge_types_read_back() {
        for kind in ChallengeType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("tls-sni-01".parse::<ChallengeType>().is_err());
    }
}
