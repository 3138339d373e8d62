//! From the JSON members of a JWK to a key: RFC 7517 §4, RFC 7518 §6.2 and §6.3, RFC 8037 §2.

use std::{borrow::Cow, mem};

use serde::Deserialize;

use super::{Curve, Jwk, JwkError};
use crate::{
    Algorithm, base64url,
    json::{Member, shortened},
};

/// The members of a JWK that mean something to us, as they stand in the JSON, nothing checked.
///
/// RFC 7517 §4: members that are not understood are ignored.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct JwkMembers<'a> {
    kty: Member<'a>,
    crv: Member<'a>,
    x: Member<'a>,
    y: Member<'a>,
    n: Member<'a>,
    e: Member<'a>,
    alg: Member<'a>,
    // The private members of RFC 7518 §6.2.2 and §6.3.2 and RFC 8037 §2.
    d: Member<'a>,
    p: Member<'a>,
    q: Member<'a>,
    dp: Member<'a>,
    dq: Member<'a>,
    qi: Member<'a>,
    oth: Member<'a>,
}

impl JwkMembers<'_> {
    /// The key, if it is one that may sign with the algorithm of the header it came in.
    pub(crate) fn into_jwk_for(mut self, algorithm: Algorithm) -> Result<Jwk, JwkError> {
        // RFC 7517 §4.4: `alg` says what the key is for; a header that says otherwise contradicts its own
        // key.
        let intended = mem::take(&mut self.alg).text().map_err(|_| JwkError::NotAString("alg"))?;
        if let Some(intended) = intended
            && intended != algorithm.name()
        {
            return Err(JwkError::OtherAlgorithm { intended: shortened(&intended), algorithm });
        }
        let jwk = self.into_jwk()?;
        if !algorithm.fits(&jwk) {
            return Err(JwkError::Unfit { kind: jwk.kind(), algorithm });
        }
        Ok(jwk)
    }

    /// The key alone.
    pub(super) fn into_jwk(self) -> Result<Jwk, JwkError> {
        let private = [
            ("d", &self.d),
            ("p", &self.p),
            ("q", &self.q),
            ("dp", &self.dp),
            ("dq", &self.dq),
            ("qi", &self.qi),
            ("oth", &self.oth),
        ];
        if let Some((member, _)) = private.into_iter().find(|(_, value)| value.is_present()) {
            return Err(JwkError::PrivateMember(member));
        }
        match &*required("kty", self.kty)? {
            "EC" => {
                let curve = match &*required("crv", self.crv)? {
                    "P-256" => Curve::P256,
                    "P-384" => Curve::P384,
                    "P-521" => Curve::P521,
                    other => return Err(JwkError::UnsupportedCurve(shortened(other))),
                };
                Jwk::from_coordinates(curve, &bytes("x", self.x)?, &bytes("y", self.y)?)
            }
            "OKP" => match &*required("crv", self.crv)? {
                "Ed25519" => Jwk::from_ed25519(&bytes("x", self.x)?),
                other => Err(JwkError::UnsupportedCurve(shortened(other))),
            },
            "RSA" => Jwk::from_rsa(&bytes("n", self.n)?, &bytes("e", self.e)?),
            other => Err(JwkError::UnsupportedKeyType(shortened(other))),
        }
    }
}

fn required<'a>(member: &'static str, value: Member<'a>) -> Result<Cow<'a, str>, JwkError> {
    value.text().map_err(|_| JwkError::NotAString(member))?.ok_or(JwkError::Missing(member))
}

fn bytes(member: &'static str, value: Member<'_>) -> Result<Vec<u8>, JwkError> {
    base64url::decode(&required(member, value)?).map_err(|source| JwkError::Base64Url { member, source })
}
