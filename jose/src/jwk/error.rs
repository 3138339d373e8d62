//! Everything that can be wrong with a public key before any policy looks at it.

use super::KeyKind;
use crate::{Algorithm, Base64UrlError};

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
    /// A SubjectPublicKeyInfo that is not DER, or not in the one form which RFC 3279, RFC 5480 or RFC 8410
    /// allows.
    #[error("the SubjectPublicKeyInfo is not the DER of a supported key")]
    Spki,
}
