//! The other side: private keys that sign JWS, for ACME clients and for tests.
//!
//! [`SigningKey::jws`] signs exactly the header it is given and checks none of it, so that a test can send
//! what a server must refuse. The keys come from aws-lc's own random generator, and so do their signatures.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair, RsaSignatureEncoding,
    },
};

use crate::{Algorithm, Jwk, JwkError, base64url};

/// A private key, and the one algorithm it signs with.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    jwk: Jwk,
}

/// The key pair, and with RSA the hash that its algorithm adds.
enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding),
}

/// How aws-lc calls our algorithms.
enum Scheme {
    Ecdsa(&'static EcdsaSigningAlgorithm),
    Ed25519,
    Rsa(&'static RsaSignatureEncoding),
}

impl From<Algorithm> for Scheme {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::Ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => Self::Ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => Self::Ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDsa => Self::Ed25519,
            Algorithm::Rs256 => Self::Rsa(&RSA_PKCS1_SHA256),
            Algorithm::Rs384 => Self::Rsa(&RSA_PKCS1_SHA384),
            Algorithm::Rs512 => Self::Rsa(&RSA_PKCS1_SHA512),
        }
    }
}

impl SigningKey {
    /// A new key for an algorithm; 2048 bits where that is RSA.
    pub fn generate(algorithm: Algorithm) -> Result<Self, SignError> {
        let pair = match algorithm.into() {
            Scheme::Ecdsa(curve) => Pair::Ecdsa(EcdsaKeyPair::generate(curve)?),
            Scheme::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate()?),
            Scheme::Rsa(encoding) => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?, encoding),
        };
        Self::new(algorithm, pair)
    }

    /// A new key for `RS256` of 2048, 3072 or 4096 bits.
    pub fn generate_rsa(bits: usize) -> Result<Self, SignError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(SignError::Size(bits)),
        };
        Self::new(Algorithm::Rs256, Pair::Rsa(RsaKeyPair::generate(size)?, &RSA_PKCS1_SHA256))
    }

    /// Reads an unencrypted PKCS#8 key (RFC 5208) to sign with one algorithm.
    pub fn from_pkcs8_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, SignError> {
        let pair = match algorithm.into() {
            Scheme::Ecdsa(curve) => Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, der)?),
            Scheme::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der)?),
            Scheme::Rsa(encoding) => Pair::Rsa(RsaKeyPair::from_pkcs8(der)?, encoding),
        };
        Self::new(algorithm, pair)
    }

    fn new(algorithm: Algorithm, pair: Pair) -> Result<Self, SignError> {
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der()?,
            Pair::Ed25519(pair) => pair.public_key().as_der()?,
            Pair::Rsa(pair, _) => pair.public_key().as_der()?,
        };
        Ok(Self { algorithm, jwk: Jwk::from_spki_der(spki.as_ref())?, pair })
    }

    /// The unencrypted PKCS#8 form. It is the secret itself.
    pub fn to_pkcs8_der(&self) -> Result<Vec<u8>, SignError> {
        Ok(match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Pair::Rsa(pair, _) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)?.as_ref().to_vec(),
        })
    }

    /// The public half.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A JWS in the flattened JSON serialization, with exactly this protected header.
    pub fn jws(&self, header: &serde_json::Value, payload: &[u8]) -> Result<String, SignError> {
        let protected = base64url::encode(header.to_string().as_bytes());
        let payload = base64url::encode(payload);
        let signature = base64url::encode(&self.sign(format!("{protected}.{payload}").as_bytes())?);
        Ok(serde_json::json!({ "protected": protected, "payload": payload, "signature": signature })
            .to_string())
    }

    /// The signature over some bytes, in the form that RFC 7518 §3 gives the algorithm.
    pub fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), signing_input)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(signing_input)?.as_ref().to_vec()),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), signing_input, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

/// Shows the public half alone.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {:?})", self.algorithm, self.jwk)
    }
}

/// Why a key could not be made or used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SignError {
    /// An RSA size that is not offered.
    #[error("RSA keys are made with 2048, 3072 or 4096 bits, not {0}")]
    Size(usize),
    /// Not a PKCS#8 key, or not one for the algorithm.
    #[error("the private key was rejected: {0}")]
    Rejected(#[from] KeyRejected),
    /// The public half is of a type that we do not support.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// The cryptographic library failed, and does not say why.
    #[error("the cryptographic library failed")]
    Crypto(#[from] Unspecified),
}
