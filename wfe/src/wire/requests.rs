//! What clients send: the payload behind a signature, RFC 8555 §7. Unknown members are ignored, here and everywhere.

use cairn_core::Problem;
use cairn_jose::base64url;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::problem::malformed;
use crate::text::shown;

/// What a payload can be read as.
pub(crate) trait Payload: Sized + Send {
    fn parse(payload: &[u8]) -> Result<Self, Problem>;
}

/// The payload of a POST-as-GET: nothing at all, not even `{}` (RFC 8555 §6.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PostAsGet;

impl Payload for PostAsGet {
    fn parse(payload: &[u8]) -> Result<Self, Problem> {
        if payload.is_empty() {
            return Ok(Self);
        }
        Err(malformed("This resource is only read: the payload must be the empty string, not even \"{}\"."))
    }
}

/// `None` is a POST-as-GET.
impl<T: Payload> Payload for Option<T> {
    fn parse(payload: &[u8]) -> Result<Self, Problem> {
        if payload.is_empty() { Ok(None) } else { T::parse(payload).map(Some) }
    }
}

/// RFC 8555 §7.3.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewAccount {
    pub(crate) contact: Option<Vec<String>>,
    pub(crate) only_return_existing: Option<bool>,
}

/// RFC 8555 §7.3.2 and §7.3.6.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountUpdate {
    pub(crate) contact: Option<Vec<String>>,
    pub(crate) status: Option<String>,
}

/// RFC 8555 §7.4.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewOrder {
    pub(crate) identifiers: Vec<WireIdentifier>,
    pub(crate) not_before: Option<String>,
    pub(crate) not_after: Option<String>,
    /// RFC 9773 §5.
    pub(crate) replaces: Option<String>,
}

/// RFC 8555 §9.7.7, as the client wrote it.
#[derive(Debug, Deserialize)]
pub(crate) struct WireIdentifier {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// RFC 8555 §7.4.
#[derive(Debug, Deserialize)]
pub(crate) struct Finalize {
    #[serde(deserialize_with = "der")]
    pub(crate) csr: Vec<u8>,
}

/// RFC 8555 §7.5.2.
#[derive(Debug, Deserialize)]
pub(crate) struct AuthorizationUpdate {
    pub(crate) status: Option<String>,
}

/// RFC 8555 §7.5.1: the challenges that we offer are answered with `{}`. Older clients put a `keyAuthorization` in.
#[derive(Debug, Deserialize)]
pub(crate) struct ChallengeResponse {}

/// RFC 8555 §7.6.
#[derive(Debug, Deserialize)]
pub(crate) struct RevokeCert {
    #[serde(deserialize_with = "der")]
    pub(crate) certificate: Vec<u8>,
    pub(crate) reason: Option<i64>,
}

macro_rules! objects {
    ($($name:ident),*) => {
        $(impl Payload for $name {
            fn parse(payload: &[u8]) -> Result<Self, Problem> {
                object(payload)
            }
        })*
    };
}

objects!(NewAccount, AccountUpdate, NewOrder, Finalize, AuthorizationUpdate, ChallengeResponse, RevokeCert);

fn object<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Problem> {
    // Asked for here because serde would also take an array for an object, its members in our order.
    match payload.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(payload).map_err(|error| {
            malformed(format!("The payload cannot be read: {}.", shown(&error.to_string())))
        }),
        Some(_) => Err(malformed("The payload is not a JSON object.")),
        None => Err(malformed(
            "The payload is empty, but this resource needs a JSON object; see RFC 8555 section 7.",
        )),
    }
}

/// DER in base64url without padding. PEM is what most mistake for it.
fn der<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    base64url::decode(&text).map_err(|error| {
        D::Error::custom(if text.starts_with("-----BEGIN") {
            "the value is PEM; it must be the DER in base64url".to_owned()
        } else {
            format!("the value is not base64url: {error}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_as_get_has_exactly_no_payload() {
        assert!(PostAsGet::parse(b"").is_ok());
        for payload in [&b"{}"[..], b" ", b"null", b"\"\""] {
            assert!(PostAsGet::parse(payload).is_err());
        }
        assert!(Option::<ChallengeResponse>::parse(b"").unwrap().is_none());
        assert!(Option::<ChallengeResponse>::parse(b"{}").unwrap().is_some());
    }

    #[test]
    fn only_an_object_is_an_object() {
        for payload in [&b""[..], b" ", b"[]", b"null", b"\"x\"", b"{", b"{}x", b"[[],true]"] {
            assert!(NewAccount::parse(payload).is_err(), "{payload:?}");
        }
        assert!(NewAccount::parse(br#" {"orders":"x","status":"revoked"}"#).is_ok());
    }

    #[test]
    fn absent_and_empty_contacts_differ() {
        assert_eq!(AccountUpdate::parse(b"{}").unwrap().contact, None);
        assert_eq!(AccountUpdate::parse(br#"{"contact":[]}"#).unwrap().contact, Some(Vec::new()));
    }

    #[test]
    fn pem_instead_of_der_is_named() {
        let problem = Finalize::parse(br#"{"csr":"-----BEGIN CERTIFICATE REQUEST-----"}"#).unwrap_err();
        assert!(problem.detail.contains("PEM"), "{}", problem.detail);
        let problem = Finalize::parse(br#"{"csr":"AA=="}"#).unwrap_err();
        assert!(problem.detail.contains("padded"), "{}", problem.detail);
    }

    #[test]
    fn what_a_client_wrote_comes_back_tame() {
        let payload = format!(r#"{{"contact":"\u001b[31m{}"}}"#, "x".repeat(5000));
        let detail = NewAccount::parse(payload.as_bytes()).unwrap_err().detail;
        assert!(detail.len() < 500 && !detail.contains('\u{1b}'), "{detail}");
    }
}
