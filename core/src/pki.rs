//! Where relying parties find what a CA publishes of its certificates: whether they are revoked (RFC 6960, RFC 5280 §5), and who issued
//! them. The CA writes these URLs into certificates and lists, a front end serves them; both have them from here.
//!
//! | what | path |
//! |---|---|
//! | OCSP, RFC 6960 appendix A.1 | `/ocsp` by POST, `/ocsp/{request}` by GET |
//! | an issuer's certificate, DER | `/issuers/{issuer}.cer` |
//! | the complete CRL of a shard, DER | `/crls/{issuer}/{shard}.crl` |
//! | the delta CRL of a shard, DER | `/crls/{issuer}/{shard}-delta.crl` |
//!
//! An issuer is named by its subject key identifier in hexadecimal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::certificate::{CrlShard, IssuerId};

/// Where OCSP is asked.
pub const OCSP: &str = "/ocsp";
/// What the path of an issuer's certificate begins with.
pub const ISSUERS: &str = "/issuers/";
/// What the path of a CRL begins with.
pub const CRLS: &str = "/crls/";

/// How the name of an issuer's certificate ends.
pub const CERTIFICATE_SUFFIX: &str = ".cer";
/// How the name of a complete CRL ends.
pub const CRL_SUFFIX: &str = ".crl";
/// How the name of a delta CRL ends.
pub const DELTA_SUFFIX: &str = "-delta.crl";

/// Longest host and port: a name of DNS has 253 characters.
const LONGEST_AUTHORITY: usize = 260;

/// What the URLs begin with: `http://`, a host, and maybe a port. Never `https`: who must look up whether a certificate is revoked to
/// open a connection must not need a connection to look that up (RFC 5280 §8, §4.2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PkiUrl(String);

/// The text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write \"http://\" and a host, maybe with a port, and nothing behind, for example \"http://pki.example.com\"; \
     https would have clients look up a certificate to look up a certificate"
)]
pub struct PkiUrlError;

impl FromStr for PkiUrl {
    type Err = PkiUrlError;

    fn from_str(text: &str) -> Result<Self, PkiUrlError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let authority = text.strip_prefix("http://").ok_or(PkiUrlError)?;
        if authority.len() > LONGEST_AUTHORITY || !is_authority(authority) {
            return Err(PkiUrlError);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A name of DNS, an IPv4 address, or an IPv6 address in brackets; and maybe a port.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let sound_port = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let sound_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.split('.').all(|label| {
                    !label.is_empty()
                        && label
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                })
        }
    };
    sound_port && sound_host
}

impl PkiUrl {
    /// Where OCSP is asked.
    #[must_use]
    pub fn ocsp(&self) -> String {
        format!("{self}{OCSP}")
    }

    /// Where the certificate of `issuer` lies.
    #[must_use]
    pub fn issuer(&self, issuer: IssuerId) -> String {
        format!("{self}{ISSUERS}{issuer}{CERTIFICATE_SUFFIX}")
    }

    /// Where the complete CRL of a shard lies.
    #[must_use]
    pub fn crl(&self, issuer: IssuerId, shard: CrlShard) -> String {
        format!("{self}{CRLS}{issuer}/{shard}{CRL_SUFFIX}")
    }

    /// Where the delta CRL of a shard lies.
    #[must_use]
    pub fn delta_crl(&self, issuer: IssuerId, shard: CrlShard) -> String {
        format!("{self}{CRLS}{issuer}/{shard}{DELTA_SUFFIX}")
    }
}

impl fmt::Display for PkiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PkiUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_an_issuer_by_its_key_identifier_and_a_shard_by_its_number() {
        let url: PkiUrl = "http://pki.example.com:8080/".parse().unwrap();
        let issuer = IssuerId::from_bytes([0xab; 20]);
        let id = "ab".repeat(20);
        assert_eq!(url.ocsp(), "http://pki.example.com:8080/ocsp");
        assert_eq!(url.issuer(issuer), format!("http://pki.example.com:8080/issuers/{id}.cer"));
        let shard = CrlShard::new(7);
        assert_eq!(url.crl(issuer, shard), format!("http://pki.example.com:8080/crls/{id}/7.crl"));
        assert_eq!(
            url.delta_crl(issuer, shard),
            format!("http://pki.example.com:8080/crls/{id}/7-delta.crl")
        );
    }

    #[test]
    fn only_plain_http_and_a_host_can_be_written_into_certificates() {
        for good in
            ["http://pki.example.com", "http://10.0.0.1", "http://[2001:db8::1]:80", "http://localhost:4002"]
        {
            assert!(good.parse::<PkiUrl>().is_ok(), "{good}");
        }
        let long = format!("http://{}", "a.".repeat(140) + "a");
        for bad in [
            "",
            "pki.example.com",
            "https://pki.example.com",
            "http://",
            "http:///",
            "http://pki.example.com/path",
            "http://pki.example.com?query",
            "http://user@pki.example.com",
            "http://pki..example.com",
            "http://pki.example.com:0",
            "http://pki.example.com:+80",
            "http://pki.example.com:99999",
            "http://[2001:db8::1",
            "http://pki example",
            "http://pkí.example",
            &long,
        ] {
            assert_eq!(bad.parse::<PkiUrl>(), Err(PkiUrlError), "{bad}");
        }
    }
}
