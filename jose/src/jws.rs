//! A JWS in the flattened JSON serialization of RFC 7515 §7.2.2, as RFC 8555 §6.2 narrows it.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{
    Algorithm, Jwk, JwkError, UnsupportedAlgorithm, VerifyError, base64url,
    json::{Member, Object, shortened},
    jwk::JwkMembers,
    verify,
};

/// A signed message, taken apart. **Nothing is proven** until [`Jws::verify`] has succeeded.
#[derive(Debug, Clone)]
pub struct Jws {
    /// What the signer says about the message.
    pub header: ProtectedHeader,
    /// The message; empty in a POST-as-GET (RFC 8555 §6.3).
    pub payload: Vec<u8>,
    /// What was signed: `protected ‖ "." ‖ payload` as they were spelt (RFC 7515 §5.1).
    signing_input: String,
    signature: Vec<u8>,
}

/// The header parameters that an ACME request may rely on; others are ignored, as RFC 7515 §4 says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedHeader {
    /// `alg`, RFC 7515 §4.1.1.
    pub algorithm: Algorithm,
    /// `nonce`, RFC 8555 §6.5.2, as it was written. An inner JWS has none, so it is for the caller to demand
    /// one.
    pub nonce: Option<String>,
    /// `url`, RFC 8555 §6.4.1, as it was written.
    pub url: Option<String>,
    /// Which key signed.
    pub key: KeyReference,
}

/// How a header names its key: by exactly one of the two (RFC 8555 §6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyReference {
    /// `jwk`: the key itself, which fits the header's algorithm.
    Jwk(Box<Jwk>),
    /// `kid`: in ACME an account's URL.
    Kid(String),
}

impl Jws {
    /// Takes a request body apart.
    ///
    /// The caller has bounded the body: time and memory here are linear in it.
    pub fn parse(body: &[u8]) -> Result<Self, JwsError> {
        let Object(flattened) = serde_json::from_slice::<Object<Flattened<'_>>>(body).map_err(|error| {
            malformed(format!("the request is not a JWS in JSON: {}", shortened(&error.to_string())))
        })?;
        // RFC 8555 §6.2: one signature, and everything that is said about it is signed.
        if flattened.signatures.is_present() {
            return Err(malformed(
                "the JWS has \"signatures\": send one, in the flattened JSON serialization",
            ));
        }
        if flattened.header.is_present() {
            return Err(malformed("the JWS has an unprotected \"header\""));
        }
        let protected = required("protected", flattened.protected)?;
        let payload_text = required("payload", flattened.payload)?;
        let signature = required("signature", flattened.signature)?;

        let header = ProtectedHeader::parse(&decoded("protected", &protected)?)?;
        let payload = decoded("payload", &payload_text)?;
        let signature = decoded("signature", &signature)?;
        Ok(Self { header, payload, signing_input: [&*protected, ".", &*payload_text].concat(), signature })
    }

    /// Proves that the holder of `key` signed this header and this payload.
    pub fn verify(&self, key: &Jwk) -> Result<(), VerifyError> {
        verify::verify(self.header.algorithm, key, self.signing_input.as_bytes(), &self.signature)
    }
}

impl ProtectedHeader {
    fn parse(json: &[u8]) -> Result<Self, JwsError> {
        let Object(members) = serde_json::from_slice::<Object<HeaderMembers<'_>>>(json).map_err(|error| {
            malformed(format!("the protected header cannot be read: {}", shortened(&error.to_string())))
        })?;
        // The algorithm comes first: RFC 8555 §6.2 speaks of a bad key only where the algorithm is supported.
        let algorithm = required("alg", members.alg)?.parse()?;
        // RFC 7515 §4.1.11: we understand no extension, so whatever is critical must be refused. `b64` (RFC
        // 7797) is only valid when it is critical, and RFC 8555 §6.2 forbids it.
        if members.crit.is_present() {
            return Err(malformed("the protected header has \"crit\", and no extension is supported"));
        }
        if members.b64.is_present() {
            return Err(malformed("the protected header has \"b64\": the payload must be base64url"));
        }
        let key = match (members.jwk, optional("kid", members.kid)?) {
            (Some(Object(jwk)), None) => KeyReference::Jwk(Box::new(jwk.into_jwk_for(algorithm)?)),
            (None, Some(kid)) => KeyReference::Kid(kid.into_owned()),
            (Some(_), Some(_)) => return Err(malformed("the protected header has both \"jwk\" and \"kid\"")),
            (None, None) => return Err(malformed("the protected header has neither \"jwk\" nor \"kid\"")),
        };
        Ok(Self {
            algorithm,
            nonce: optional("nonce", members.nonce)?.map(Cow::into_owned),
            url: optional("url", members.url)?.map(Cow::into_owned),
            key,
        })
    }
}

/// The members of the flattened serialization, and the two that betray another.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Flattened<'a> {
    protected: Member<'a>,
    payload: Member<'a>,
    signature: Member<'a>,
    signatures: Member<'a>,
    header: Member<'a>,
}

/// The header parameters we understand, and the two we must refuse.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct HeaderMembers<'a> {
    alg: Member<'a>,
    nonce: Member<'a>,
    url: Member<'a>,
    kid: Member<'a>,
    #[serde(deserialize_with = "object")]
    jwk: Option<Object<JwkMembers<'a>>>,
    crit: Member<'a>,
    b64: Member<'a>,
}

/// An object that is there; `null` is not.
fn object<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Object<JwkMembers<'de>>>, D::Error> {
    Object::deserialize(deserializer).map(Some)
}

fn optional<'a>(member: &str, value: Member<'a>) -> Result<Option<Cow<'a, str>>, JwsError> {
    value.text().map_err(|_| malformed(format!("the \"{member}\" of the JWS is not a string")))
}

fn required<'a>(member: &str, value: Member<'a>) -> Result<Cow<'a, str>, JwsError> {
    optional(member, value)?.ok_or_else(|| malformed(format!("the JWS has no \"{member}\"")))
}

fn decoded(member: &str, text: &str) -> Result<Vec<u8>, JwsError> {
    base64url::decode(text)
        .map_err(|error| malformed(format!("the \"{member}\" of the JWS is not base64url: {error}")))
}

fn malformed(detail: impl Into<String>) -> JwsError {
    JwsError::Malformed(detail.into())
}

/// Why a body is not a JWS that can be verified. The text of each is written for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Becomes `malformed`; the sentence says what is wrong.
    #[error("{0}")]
    Malformed(String),
    /// Becomes `badSignatureAlgorithm`, whose `algorithms` are [`Algorithm::ALL`] (RFC 8555 §6.2).
    #[error(transparent)]
    UnsupportedAlgorithm(#[from] UnsupportedAlgorithm),
    /// Becomes `badPublicKey`: the algorithm is supported, the `jwk` is not (RFC 8555 §6.2).
    #[error(transparent)]
    BadPublicKey(#[from] JwkError),
}
