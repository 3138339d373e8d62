//! The private side: who can sign, and with what.
//!
//! [`Signer`] is all the CA sees of a key, so that a key in a file and a key in a module look the same.

mod file;
mod pem;
pub mod pkcs11;

use std::{fmt, str::FromStr};

pub use self::{
    file::{FileSigner, KeyFileError},
    pkcs11::{Pkcs11Error, Pkcs11Place, Pkcs11Signer},
};
use crate::spki::{KeyKind, PublicKey};
pub use crate::{algorithm::SignatureAlgorithm, hashed::HashedMessage};

/// A private key in use.
pub trait Signer: Send + Sync {
    /// The key that checks what this one signs.
    fn public_key(&self) -> &PublicKey;

    /// The one algorithm this key signs with: P-256 with SHA-256, P-384 with SHA-384, RSA PKCS#1 v1.5 with
    /// SHA-256 unless told otherwise, Ed25519 and ML-DSA as themselves.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Signs `message`; the result is what goes into a certificate's BIT STRING (ECDSA: DER, RFC 3279
    /// §2.2.3).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;

    /// The same with a message whose hash is known already, for those that can do something with that.
    fn sign_hashed(&self, message: &HashedMessage<'_>) -> Result<Vec<u8>, SignerError> {
        self.sign(message.octets())
    }

    /// Whether the key is in this process's memory: then it signs in the time that it computes, and never waits. One that is
    /// elsewhere may take long, and may be away.
    fn is_local(&self) -> bool {
        true
    }
}

/// Why a key could not be made or did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The cryptographic library could not make a key.
    #[error("generating a {0} key failed")]
    Generation(KeySpec),
    /// The cryptographic library did not sign.
    #[error("signing failed")]
    Signing,
    /// The private key cannot be written out.
    #[error("the private key cannot be encoded")]
    Encoding,
    /// No key made here signs with that algorithm.
    #[error("no key can be generated for {0}")]
    Unsupported(SignatureAlgorithm),
    /// This key does not sign with that algorithm.
    #[error("the {key} key cannot sign with {algorithm}")]
    Unfit {
        /// The key.
        key: KeyKind,
        /// The algorithm asked for.
        algorithm: SignatureAlgorithm,
    },
    /// A key that is elsewhere did not answer.
    #[error("the key has not signed in time; its device may hang: look at it")]
    Late,
    /// A key in a module.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11Error),
}

impl SignerError {
    /// Whether it may pass by itself: whoever wanted a signature may ask again.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Late) || matches!(self, Self::Pkcs11(error) if error.is_temporary())
    }
}

/// A kind of key that can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySpec {
    /// ECDSA on P-256
    P256,
    /// ECDSA on P-384
    P384,
    /// RSA with 2048 bits
    Rsa2048,
    /// RSA with 3072 bits
    Rsa3072,
    /// RSA with 4096 bits
    Rsa4096,
    /// Ed25519
    Ed25519,
    /// ML-DSA-44
    MlDsa44,
    /// ML-DSA-65
    MlDsa65,
    /// ML-DSA-87
    MlDsa87,
}

impl KeySpec {
    const ALL: [Self; 9] = [
        Self::P256,
        Self::P384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The kind of key that stands in for `kind` in rehearsals: the same, and for a size of RSA key or a curve that
    /// is not generated here one near it.
    #[must_use]
    pub fn like(kind: KeyKind) -> Self {
        match kind {
            KeyKind::P256 => Self::P256,
            KeyKind::P384 | KeyKind::P521 => Self::P384,
            KeyKind::Rsa { modulus_bits: ..=2048 } => Self::Rsa2048,
            KeyKind::Rsa { modulus_bits: ..=3072 } => Self::Rsa3072,
            KeyKind::Rsa { .. } => Self::Rsa4096,
            KeyKind::Ed25519 => Self::Ed25519,
            KeyKind::MlDsa44 => Self::MlDsa44,
            KeyKind::MlDsa65 => Self::MlDsa65,
            KeyKind::MlDsa87 => Self::MlDsa87,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
            Self::Ed25519 => "ed25519",
            Self::MlDsa44 => "ml-dsa-44",
            Self::MlDsa65 => "ml-dsa-65",
            Self::MlDsa87 => "ml-dsa-87",
        }
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no [`KeySpec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown kind of key {0:?}: use p256, p384, rsa2048, rsa3072, rsa4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87"
)]
pub struct UnknownKeySpec(String);

impl FromStr for KeySpec {
    type Err = UnknownKeySpec;

    fn from_str(text: &str) -> Result<Self, UnknownKeySpec> {
        Self::ALL
            .into_iter()
            .find(|spec| spec.as_str() == text)
            .ok_or_else(|| UnknownKeySpec(text.chars().take(32).collect()))
    }
}

/// A fresh key that signs with the same algorithm as `like`, for lint certificates: what is about to be
/// signed can be examined as a whole certificate while the real key has not touched it. Make it once per
/// issuer; an RSA key takes a good part of a second.
pub fn throwaway_signer(like: &dyn Signer) -> Result<FileSigner, SignerError> {
    let algorithm = like.algorithm();
    FileSigner::generate(match algorithm {
        SignatureAlgorithm::EcdsaSha256 => KeySpec::P256,
        SignatureAlgorithm::EcdsaSha384 => KeySpec::P384,
        SignatureAlgorithm::RsaSha256
        | SignatureAlgorithm::RsaSha384
        | SignatureAlgorithm::RsaSha512
        | SignatureAlgorithm::RsaPssSha256
        | SignatureAlgorithm::RsaPssSha384
        | SignatureAlgorithm::RsaPssSha512 => KeySpec::Rsa2048,
        SignatureAlgorithm::Ed25519 => KeySpec::Ed25519,
        SignatureAlgorithm::MlDsa44 => KeySpec::MlDsa44,
        SignatureAlgorithm::MlDsa65 => KeySpec::MlDsa65,
        SignatureAlgorithm::MlDsa87 => KeySpec::MlDsa87,
        SignatureAlgorithm::EcdsaSha512 => return Err(SignerError::Unsupported(algorithm)),
    })?
    .with_algorithm(algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_specs_read_back_as_they_print() {
        for spec in KeySpec::ALL {
            assert_eq!(spec.to_string().parse(), Ok(spec));
        }
        let error = "p521".parse::<KeySpec>().unwrap_err();
        assert!(error.to_string().contains("p256, p384"), "{error}");
    }

    #[test]
    fn a_throwaway_key_signs_with_the_same_algorithm_and_is_another_key() {
        for spec in KeySpec::ALL {
            let signer = FileSigner::generate(spec).unwrap();
            let throwaway = throwaway_signer(&signer).unwrap();
            assert_eq!(throwaway.algorithm(), signer.algorithm());
            assert_ne!(throwaway.public_key(), signer.public_key());
        }
        let signer = FileSigner::generate(KeySpec::Rsa2048).unwrap();
        let signer = signer.with_algorithm(SignatureAlgorithm::RsaPssSha384).unwrap();
        assert_eq!(throwaway_signer(&signer).unwrap().algorithm(), SignatureAlgorithm::RsaPssSha384);
    }
}
