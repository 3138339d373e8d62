//! A public key as a JSON Web Key: RFC 7517, with the key types of RFC 7518 §6 and RFC 8037 §2.
//!
//! A [`Jwk`] exists only in valid form: coordinates have the length of their curve and name a point on it, RSA
//! numbers are within bounds and without leading zeros. So two spellings of one key are equal, have one thumbprint
//! and one SubjectPublicKeyInfo. Whether a valid key is also a *good* one (size, known weaknesses) is policy, and
//! decided elsewhere.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    Algorithm, Thumbprint,
    base64url::{self, Base64UrlError},
    json::{Member, Object, shortened},
    verify,
};

/// The sizes of RSA modulus that can be read at all.
///
/// Below, a modulus is not worth a policy; above, aws-lc refuses to verify, and the cost of a verification, which
/// an unauthenticated client can ask for, would have no bound.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;

/// The largest RSA exponent that aws-lc verifies with: every exponent in use is far below.
const RSA_EXPONENT_BITS: usize = 33;

/// A public key. Private members are refused, so it is safe to log and to store.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwk {
    pub(crate) material: Material,
}

/// The numbers of a key, in the form in which they are verified with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Material {
    /// A point in the uncompressed form of SEC 1 §2.3.3: `04 ‖ x ‖ y`.
    Ec { curve: Curve, point: Box<[u8]> },
    /// The 32 bytes of RFC 8032 §5.1.5.
    Ed25519([u8; 32]),
    /// Big-endian, without leading zeros.
    Rsa { modulus: Box<[u8]>, exponent: Box<[u8]> },
}

/// The curves of RFC 7518 §6.2.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

/// What sort of key a [`Jwk`] is: enough to choose algorithms and to apply a policy on sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `kty` EC, `crv` P-256.
    P256,
    /// `kty` EC, `crv` P-384.
    P384,
    /// `kty` EC, `crv` P-521.
    P521,
    /// `kty` OKP, `crv` Ed25519.
    Ed25519,
    /// `kty` RSA.
    Rsa {
        /// The number of significant bits of the modulus.
        modulus_bits: usize,
    },
}

impl Jwk {
    /// Reads a public key from JSON that is already parsed, as in the payload of a key change.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, JwkError> {
        // Out of a parsed object nothing but "this is not an object" can fail here: members take any value, and
        // duplicates are gone.
        let Object(members) =
            Object::<JwkMembers<'_>>::deserialize(value).map_err(|_| JwkError::NotAnObject)?;
        members.into_jwk()
    }

    /// A point given as its two coordinates.
    fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, JwkError> {
        let expected = curve.coordinate_bytes();
        for (member, coordinate) in [("x", x), ("y", y)] {
            // RFC 7518 §6.2.1.2: the full size of a coordinate, whatever its leading zeros.
            if coordinate.len() != expected {
                return Err(JwkError::Length { member, expected, actual: coordinate.len() });
            }
        }
        Self::from_point([&[4], x, y].concat().into(), curve)
    }

    /// A point in the uncompressed form of SEC 1.
    pub(crate) fn from_point(point: Box<[u8]>, curve: Curve) -> Result<Self, JwkError> {
        if point.len() != 1 + 2 * curve.coordinate_bytes() || !verify::is_on_curve(curve, &point) {
            return Err(JwkError::NotOnCurve(curve.name()));
        }
        Ok(Self { material: Material::Ec { curve, point } })
    }

    /// An Ed25519 key; whether its bytes name a point shows when a signature is verified.
    pub(crate) fn from_ed25519(bytes: &[u8]) -> Result<Self, JwkError> {
        let key = bytes.try_into().map_err(|_| JwkError::Length {
            member: "x",
            expected: 32,
            actual: bytes.len(),
        })?;
        Ok(Self { material: Material::Ed25519(key) })
    }

    /// An RSA key from its two numbers, big-endian.
    pub(crate) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, JwkError> {
        // RFC 7518 §6.3.1.1 warns of a leading zero octet that some clients put before the modulus. The thumbprint
        // must not depend on it (RFC 7638 §3.2 wants the shortest form), so it goes.
        let (modulus, exponent) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
        let bits = significant_bits(modulus);
        if !RSA_MODULUS_BITS.contains(&bits) {
            return Err(JwkError::ModulusSize { bits });
        }
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        if !odd(modulus) {
            return Err(JwkError::EvenModulus);
        }
        // RFC 8017 §3.1: from 3, and odd, since it is coprime to an even number.
        if !odd(exponent) || exponent == [1] || significant_bits(exponent) > RSA_EXPONENT_BITS {
            return Err(JwkError::Exponent);
        }
        Ok(Self { material: Material::Rsa { modulus: modulus.into(), exponent: exponent.into() } })
    }

    /// What sort of key this is.
    pub fn kind(&self) -> KeyKind {
        match &self.material {
            Material::Ec { curve: Curve::P256, .. } => KeyKind::P256,
            Material::Ec { curve: Curve::P384, .. } => KeyKind::P384,
            Material::Ec { curve: Curve::P521, .. } => KeyKind::P521,
            Material::Ed25519(_) => KeyKind::Ed25519,
            Material::Rsa { modulus, .. } => KeyKind::Rsa { modulus_bits: significant_bits(modulus) },
        }
    }

    /// The thumbprint of RFC 7638 with SHA-256.
    pub fn thumbprint(&self) -> Thumbprint {
        self.with_members(Thumbprint::of_members)
    }

    /// The modulus of an RSA key, big-endian and without leading zeros.
    pub fn rsa_modulus(&self) -> Option<&[u8]> {
        match &self.material {
            Material::Rsa { modulus, .. } => Some(modulus),
            Material::Ec { .. } | Material::Ed25519(_) => None,
        }
    }

    /// The public exponent of an RSA key, big-endian and without leading zeros.
    pub fn rsa_exponent(&self) -> Option<&[u8]> {
        match &self.material {
            Material::Rsa { exponent, .. } => Some(exponent),
            Material::Ec { .. } | Material::Ed25519(_) => None,
        }
    }

    /// Hands on the required members, in the lexicographic order of RFC 7638 §3.3.
    fn with_members<T>(&self, read: impl FnOnce(&[(&str, &str)]) -> T) -> T {
        match &self.material {
            Material::Ec { curve, point } => {
                let (x, y) = point.split_at(1 + curve.coordinate_bytes());
                let x = base64url::encode(x.strip_prefix(&[4]).unwrap_or(x));
                read(&[("crv", curve.name()), ("kty", "EC"), ("x", &x), ("y", &base64url::encode(y))])
            }
            Material::Ed25519(x) => read(&[("crv", "Ed25519"), ("kty", "OKP"), ("x", &base64url::encode(x))]),
            Material::Rsa { modulus, exponent } => read(&[
                ("e", &base64url::encode(exponent)),
                ("kty", "RSA"),
                ("n", &base64url::encode(modulus)),
            ]),
        }
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({}, {})", self.kind(), self.thumbprint())
    }
}

/// The public JWK with its required members alone, in canonical order.
impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_members(|members| serializer.collect_map(members.iter().copied()))
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(members) = Object::<JwkMembers<'de>>::deserialize(deserializer)?;
        members.into_jwk().map_err(D::Error::custom)
    }
}

impl Curve {
    /// The name in `crv`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The length of a coordinate: 521 bits need 66 bytes.
    pub(crate) const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Rsa { modulus_bits } => write!(f, "RSA with {modulus_bits} bits"),
        }
    }
}

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
        // RFC 7517 §4.4: `alg` says what the key is for; a header that says otherwise contradicts its own key.
        let intended = std::mem::take(&mut self.alg).text().map_err(|_| JwkError::NotAString("alg"))?;
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

    fn into_jwk(self) -> Result<Jwk, JwkError> {
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

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.split_at(zeros).1
}

/// How many bits a number without leading zero bytes has.
fn significant_bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Why a value is not a public key of ours. Each becomes a `badPublicKey` problem (RFC 8555 §6.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// RFC 7517 §4: a JWK is a JSON object.
    #[error("the JWK is not a JSON object")]
    NotAnObject,
    /// A member that this type of key cannot do without.
    #[error("the JWK has no \"{0}\"")]
    Missing(&'static str),
    /// A member of the wrong JSON type.
    #[error("the \"{0}\" of the JWK is not a string")]
    NotAString(&'static str),
    /// A member that should be base64url and is not.
    #[error("the \"{member}\" of the JWK is not base64url: {source}")]
    Base64Url {
        /// Which member.
        member: &'static str,
        /// What is wrong with it.
        source: Base64UrlError,
    },
    /// The private part of the key. The client has shown its secret and should make a new key.
    #[error("the JWK holds the private member \"{0}\": this key is no longer secret, use a new one")]
    PrivateMember(&'static str),
    /// A `kty` other than EC, OKP and RSA; symmetric keys among them.
    #[error("keys of type \"{0}\" are not supported")]
    UnsupportedKeyType(String),
    /// A `crv` other than P-256, P-384, P-521 and Ed25519.
    #[error("the curve \"{0}\" is not supported")]
    UnsupportedCurve(String),
    /// A coordinate that is not padded to the size of its curve (RFC 7518 §6.2.1.2, RFC 8037 §2).
    #[error("the \"{member}\" of the JWK has {actual} bytes where its curve has {expected}")]
    Length {
        /// Which coordinate.
        member: &'static str,
        /// The length that the curve demands.
        expected: usize,
        /// The length it has.
        actual: usize,
    },
    /// The coordinates name no point of their curve.
    #[error("the key is not a point on {0}")]
    NotOnCurve(&'static str),
    /// An RSA modulus too small or too large to be read.
    #[error("an RSA modulus of {bits} bits is not supported")]
    ModulusSize {
        /// Its significant bits.
        bits: usize,
    },
    /// An RSA modulus that cannot be the product of two large primes.
    #[error("the RSA modulus is an even number")]
    EvenModulus,
    /// An RSA exponent that is even, one, or larger than any in use.
    #[error("the RSA exponent is not an odd number between 3 and 2^33")]
    Exponent,
    /// The JWK's own `alg` says that it is for another algorithm than the header's.
    #[error("the JWK is for \"{intended}\" by its own \"alg\", but the header says {algorithm}")]
    OtherAlgorithm {
        /// What the JWK says.
        intended: String,
        /// What the header says.
        algorithm: Algorithm,
    },
    /// The header's algorithm does not sign with this type of key.
    #[error("{algorithm} does not sign with a key of type {kind}")]
    Unfit {
        /// The key's type.
        kind: KeyKind,
        /// The header's algorithm.
        algorithm: Algorithm,
    },
    /// A SubjectPublicKeyInfo that is not DER, or not in the one form which RFC 3279, RFC 5480 or RFC 8410 allows.
    #[error("the SubjectPublicKeyInfo is not the DER of a supported key")]
    Spki,
}
