//! Public keys as X.509 carries them: SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
//!
//! A [`PublicKey`] is well-formed: an uncompressed point on its named curve (RFC 5480), an RSA key with
//! NULL parameters (RFC 3279 §2.3.1), an Ed25519 key (RFC 8410), an ML-DSA key (RFC 9881 §4). Whether it is
//! *good* (its kind, size, exponent, known weaknesses, block lists) is a matter of policy and decided
//! elsewhere.

use std::fmt;

use aws_lc_rs::{
    digest,
    signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm},
};
use const_oid::ObjectIdentifier;
use der::Decode;
use spki::SubjectPublicKeyInfoRef;

use crate::{
    algorithm::SignatureAlgorithm,
    hashed::HashedMessage,
    oid,
    pem::{Form, PemError},
    wire::{RsaPublicKeyFields, bit_length},
};

/// RFC 8032 §5.1.5, and FIPS 204 table 2. Every string of that length is a key.
const ED25519_KEY_LEN: usize = 32;
const ML_DSA_44_KEY_LEN: usize = 1312;
const ML_DSA_65_KEY_LEN: usize = 1952;
const ML_DSA_87_KEY_LEN: usize = 2592;

/// The longest that is read from a file: an RSA key of 65,536 bits has 8 KiB, more than anybody uses.
const MAX_LEN: usize = 16 << 10;

const PEM: Form = Form::new("PUBLIC KEY", MAX_LEN);

/// What kind of key a [`PublicKey`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on secp256r1
    P256,
    /// ECDSA on secp384r1
    P384,
    /// ECDSA on secp521r1
    P521,
    /// Ed25519
    Ed25519,
    /// ML-DSA-44
    MlDsa44,
    /// ML-DSA-65
    MlDsa65,
    /// ML-DSA-87
    MlDsa87,
    /// RSA of any size
    Rsa {
        /// The length of the modulus without leading zeros.
        modulus_bits: usize,
    },
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::P521 => f.write_str("ECDSA P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::MlDsa44 => f.write_str("ML-DSA-44"),
            Self::MlDsa65 => f.write_str("ML-DSA-65"),
            Self::MlDsa87 => f.write_str("ML-DSA-87"),
            Self::Rsa { modulus_bits } => write!(f, "RSA {modulus_bits}"),
        }
    }
}

/// A well-formed public key with the exact bytes it came in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    der: Vec<u8>,
    kind: KeyKind,
    /// Where the content of the BIT STRING begins; it runs to the end of `der`.
    bits_at: usize,
}

/// Why bytes are not a [`PublicKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpkiError {
    /// Not the DER of a SubjectPublicKeyInfo.
    #[error("the public key is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// Far longer than any public key.
    #[error("the file has {0} octets, more than any public key; name the file of one public key")]
    TooLong(usize),
    /// Not one PEM public key.
    #[error("there is no PEM public key")]
    Pem,
    /// An algorithm this CA does not know.
    #[error("public key algorithm {0} is not supported; use ECDSA, RSA or Ed25519")]
    UnsupportedAlgorithm(String),
    /// An elliptic curve this CA does not know.
    #[error("elliptic curve {0} is not supported; use P-256, P-384 or P-521")]
    UnsupportedCurve(String),
    /// The parameters beside the algorithm are not what its RFC demands.
    #[error("the parameters of the {0} public key are wrong")]
    Parameters(&'static str),
    /// The key itself is no key: a point off the curve, a wrong length, a zero modulus.
    #[error("the {0} public key is invalid")]
    Invalid(&'static str),
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Such a key cannot make such a signature. RSA is checked from 2048 to 8192 bits only.
    #[error("a {key} key cannot be used with {algorithm}")]
    Unfit {
        /// The key that should check.
        key: KeyKind,
        /// The algorithm the signature claims.
        algorithm: SignatureAlgorithm,
    },
    /// The signature is not one of this key over this message.
    #[error("the signature does not verify")]
    Wrong,
}

impl PublicKey {
    /// Reads the DER of a SubjectPublicKeyInfo; trailing bytes are an error.
    pub fn from_der(bytes: &[u8]) -> Result<Self, SpkiError> {
        Self::from_vec(bytes.to_vec())
    }

    /// Reads one PEM public key (RFC 7468 §13).
    pub fn from_pem(pem: &str) -> Result<Self, SpkiError> {
        match PEM.read(pem) {
            Ok(document) => Self::from_der(document.as_bytes()),
            Err(PemError::TooLong(length)) => Err(SpkiError::TooLong(length)),
            Err(PemError::NotOne) => Err(SpkiError::Pem),
        }
    }

    /// Strict PEM: 64 columns, line feeds, nothing around it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        PEM.write(&self.der)
    }

    pub(crate) fn from_vec(der: Vec<u8>) -> Result<Self, SpkiError> {
        let info = SubjectPublicKeyInfoRef::from_der(&der)?;
        let bits = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| der::Error::from(der::Tag::BitString.value_error()))?;
        let kind = match info.algorithm.oid {
            oid::EC_PUBLIC_KEY => ec_kind(&info, bits)?,
            oid::RSA_ENCRYPTION => rsa_kind(&info, bits)?,
            oid::ED25519 => bare_kind(&info, bits, KeyKind::Ed25519, "Ed25519", ED25519_KEY_LEN)?,
            oid::ML_DSA_44 => bare_kind(&info, bits, KeyKind::MlDsa44, "ML-DSA-44", ML_DSA_44_KEY_LEN)?,
            oid::ML_DSA_65 => bare_kind(&info, bits, KeyKind::MlDsa65, "ML-DSA-65", ML_DSA_65_KEY_LEN)?,
            oid::ML_DSA_87 => bare_kind(&info, bits, KeyKind::MlDsa87, "ML-DSA-87", ML_DSA_87_KEY_LEN)?,
            other => return Err(SpkiError::UnsupportedAlgorithm(other.to_string())),
        };
        let bits_at = der.len().saturating_sub(bits.len());
        Ok(Self { der, kind, bits_at })
    }

    /// The SubjectPublicKeyInfo, byte for byte as it was read.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The kind and size of the key.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key identifier: the leftmost 160 bits of the SHA-256 hash of the BIT STRING's content
    /// (RFC 7093 §2 method 1). RFC 5280 §4.2.1.2 would take SHA-1.
    #[must_use]
    pub fn key_identifier(&self) -> [u8; 20] {
        leftmost(&digest::digest(&digest::SHA256, self.bits()))
    }

    /// SHA-256 over the whole SubjectPublicKeyInfo: the name of a key in block lists and databases.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// The modulus of an RSA key, big-endian without leading zeros.
    #[must_use]
    pub fn rsa_modulus(&self) -> Option<&[u8]> {
        self.rsa().map(|key| key.modulus.as_bytes())
    }

    /// The public exponent of an RSA key, big-endian without leading zeros.
    #[must_use]
    pub fn rsa_exponent(&self) -> Option<&[u8]> {
        self.rsa().map(|key| key.exponent.as_bytes())
    }

    /// Checks a signature of this key. ECDSA signatures are in their DER form (RFC 3279 §2.2.3).
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let verifier =
            verifier(self.kind, algorithm).ok_or(SignatureError::Unfit { key: self.kind, algorithm })?;
        UnparsedPublicKey::new(verifier, self.bits())
            .verify(message, signature)
            .map_err(|_unspecified| SignatureError::Wrong)
    }

    /// The same of a message whose hash is known already.
    pub fn verify_hashed(
        &self,
        algorithm: SignatureAlgorithm,
        message: &HashedMessage<'_>,
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let Some(hash) = message.hash(algorithm) else {
            return self.verify(algorithm, message.octets(), signature);
        };
        let verifier =
            verifier(self.kind, algorithm).ok_or(SignatureError::Unfit { key: self.kind, algorithm })?;
        UnparsedPublicKey::new(verifier, self.bits())
            .verify_digest(hash, signature)
            .map_err(|_unspecified| SignatureError::Wrong)
    }

    /// The content of the BIT STRING, by whose hash a key is known (RFC 5280 §4.2.1.2, RFC 6960 §4.1.1).
    pub(crate) fn bits(&self) -> &[u8] {
        self.der.get(self.bits_at..).unwrap_or_default()
    }

    fn rsa(&self) -> Option<RsaPublicKeyFields<'_>> {
        matches!(self.kind, KeyKind::Rsa { .. }).then(|| RsaPublicKeyFields::from_der(self.bits()).ok())?
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, ", self.kind)?;
        self.key_identifier().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// SHA-256 of `bytes` as an array.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    leftmost(&digest::digest(&digest::SHA256, bytes))
}

fn leftmost<const N: usize>(hash: &digest::Digest) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    array
}

fn ec_kind(info: &SubjectPublicKeyInfoRef<'_>, point: &[u8]) -> Result<KeyKind, SpkiError> {
    const NAME: &str = "ECDSA";
    // RFC 5480 §2.1.1: namedCurve; implicitCurve and specifiedCurve MUST NOT be used.
    let curve = info
        .algorithm
        .parameters
        .and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok())
        .ok_or(SpkiError::Parameters(NAME))?;
    let (kind, algorithm, coordinate): (_, &'static dyn VerificationAlgorithm, usize) = match curve {
        oid::SECP256R1 => (KeyKind::P256, &signature::ECDSA_P256_SHA256_ASN1, 32),
        oid::SECP384R1 => (KeyKind::P384, &signature::ECDSA_P384_SHA384_ASN1, 48),
        oid::SECP521R1 => (KeyKind::P521, &signature::ECDSA_P521_SHA512_ASN1, 66),
        other => return Err(SpkiError::UnsupportedCurve(other.to_string())),
    };
    // RFC 5480 §2.2: the uncompressed form MUST be supported; many verifiers know no other.
    let is_uncompressed = point.first() == Some(&4) && point.len() == 1 + 2 * coordinate;
    if !is_uncompressed || ParsedPublicKey::new(algorithm, point).is_err() {
        return Err(SpkiError::Invalid(NAME));
    }
    Ok(kind)
}

fn rsa_kind(info: &SubjectPublicKeyInfoRef<'_>, bits: &[u8]) -> Result<KeyKind, SpkiError> {
    const NAME: &str = "RSA";
    // RFC 3279 §2.3.1: the parameters field MUST be NULL.
    if !info.algorithm.parameters.is_some_and(|parameters| parameters.is_null()) {
        return Err(SpkiError::Parameters(NAME));
    }
    let key = RsaPublicKeyFields::from_der(bits)?;
    match bit_length(key.modulus.as_bytes()) {
        0 => Err(SpkiError::Invalid(NAME)),
        modulus_bits => Ok(KeyKind::Rsa { modulus_bits }),
    }
}

/// A key that is its OID and so many octets. RFC 8410 §3, RFC 9881 §2: the parameters MUST be absent.
fn bare_kind(
    info: &SubjectPublicKeyInfoRef<'_>,
    bits: &[u8],
    kind: KeyKind,
    name: &'static str,
    length: usize,
) -> Result<KeyKind, SpkiError> {
    if info.algorithm.parameters.is_some() {
        return Err(SpkiError::Parameters(name));
    }
    if bits.len() == length { Ok(kind) } else { Err(SpkiError::Invalid(name)) }
}

/// The one table of which key may check which signature.
fn verifier(kind: KeyKind, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    use SignatureAlgorithm as Alg;
    Some(match (kind, algorithm) {
        (KeyKind::P256, Alg::EcdsaSha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyKind::P256, Alg::EcdsaSha384) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyKind::P256, Alg::EcdsaSha512) => &signature::ECDSA_P256_SHA512_ASN1,
        (KeyKind::P384, Alg::EcdsaSha256) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyKind::P384, Alg::EcdsaSha384) => &signature::ECDSA_P384_SHA384_ASN1,
        (KeyKind::P384, Alg::EcdsaSha512) => &signature::ECDSA_P384_SHA512_ASN1,
        (KeyKind::P521, Alg::EcdsaSha256) => &signature::ECDSA_P521_SHA256_ASN1,
        (KeyKind::P521, Alg::EcdsaSha384) => &signature::ECDSA_P521_SHA384_ASN1,
        (KeyKind::P521, Alg::EcdsaSha512) => &signature::ECDSA_P521_SHA512_ASN1,
        (KeyKind::Rsa { modulus_bits: 2048..=8192 }, Alg::RsaSha256) => {
            &signature::RSA_PKCS1_2048_8192_SHA256
        }
        (KeyKind::Rsa { modulus_bits: 2048..=8192 }, Alg::RsaSha384) => {
            &signature::RSA_PKCS1_2048_8192_SHA384
        }
        (KeyKind::Rsa { modulus_bits: 2048..=8192 }, Alg::RsaSha512) => {
            &signature::RSA_PKCS1_2048_8192_SHA512
        }
        (KeyKind::Rsa { modulus_bits: 2048..=8192 }, Alg::RsaPssSha256) => {
            &signature::RSA_PSS_2048_8192_SHA256
        }
        (KeyKind::Rsa { modulus_bits: 2048..=8192 }, Alg::RsaPssSha384) => {
            &signature::RSA_PSS_2048_8192_SHA384
        }
        (KeyKind::Rsa { modulus_bits: 2048..=8192 }, Alg::RsaPssSha512) => {
            &signature::RSA_PSS_2048_8192_SHA512
        }
        (KeyKind::Ed25519, Alg::Ed25519) => &signature::ED25519,
        (KeyKind::MlDsa44, Alg::MlDsa44) => &signature::ML_DSA_44,
        (KeyKind::MlDsa65, Alg::MlDsa65) => &signature::ML_DSA_65,
        (KeyKind::MlDsa87, Alg::MlDsa87) => &signature::ML_DSA_87,
        _ => return None,
    })
}
