//! A public key as a JSON Web Key: RFC 7517, with the key types of RFC 7518 §6 and RFC 8037 §2.
//!
//! A [`Jwk`] exists only in valid form: coordinates have the length of their curve and name a point on it,
//! RSA numbers are within bounds and without leading zeros. So two spellings of one key are equal, have one
//! thumbprint and one SubjectPublicKeyInfo. Whether a valid key is also a *good* one (size, known weaknesses)
//! is policy, and decided elsewhere.

mod error;
mod members;

use std::{fmt, ops::RangeInclusive};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Thumbprint, base64url, json::Object, verify};

pub use error::JwkError;
pub(crate) use members::JwkMembers;

/// The sizes of RSA modulus that can be read at all.
///
/// Below, a modulus is not worth a policy; above, aws-lc refuses to verify, and the cost of a verification,
/// which an unauthenticated client can ask for, would have no bound.
const RSA_MODULUS_BITS: RangeInclusive<usize> = 1024..=8192;

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
        // Out of a parsed object nothing but "this is not an object" can fail here: members take any value,
        // and duplicates are gone.
        let Object(members) =
            Object::<JwkMembers<'_>>::deserialize(value).map_err(|_| JwkError::NotAnObject)?;
        members.into_jwk()
    }

    /// A point given by its two coordinates.
    pub(crate) fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, JwkError> {
        let expected = curve.coordinate_bytes();
        for (member, coordinate) in [("x", x), ("y", y)] {
            // RFC 7518 §6.2.1.2: the full size of a coordinate, whatever its leading zeros.
            if coordinate.len() != expected {
                return Err(JwkError::Length { member, expected, actual: coordinate.len() });
            }
        }
        let point = [&[4], x, y].concat().into_boxed_slice();
        if !verify::is_on_curve(curve, &point) {
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
        // RFC 7518 §6.3.1.1 warns of a leading zero octet that some clients put before the modulus. A number
        // is written in as few octets as it needs (RFC 7518 §2), and the thumbprint is over that form.
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
                let (_, coordinates) = point.split_at(1);
                let (x, y) = coordinates.split_at(curve.coordinate_bytes());
                read(&[
                    ("crv", curve.name()),
                    ("kty", "EC"),
                    ("x", &base64url::encode(x)),
                    ("y", &base64url::encode(y)),
                ])
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

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.split_at(zeros).1
}

/// How many bits a number without leading zero bytes has.
fn significant_bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}
