//! A private key from a PEM file: PKCS#8 (RFC 5958), plain or encrypted (PBES2, RFC 8018), SEC 1
//! (RFC 5915) or PKCS#1 (RFC 8017). It takes the text of the file, not its path.
//!
//! Written is PKCS#8 alone: version 1 with its 32 octets for Ed25519 (RFC 8410 §7), the seed for ML-DSA
//! (RFC 9881 §6), which is the form that the most programs read.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair,
        PqdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use const_oid::ObjectIdentifier;
use der::{Decode, SecretDocument, pem::LineEnding};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::{HashedMessage, KeySpec, Signer, SignerError, pem};
use crate::{
    algorithm::SignatureAlgorithm,
    oid,
    spki::{KeyKind, PublicKey},
    wire,
};

const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";

/// Below this an RSA key signs nothing anybody should trust (BRs §6.1.5).
const MIN_RSA_BITS: usize = 2048;

/// A private key held in memory.
pub struct FileSigner {
    key: Key,
    public_key: PublicKey,
    algorithm: SignatureAlgorithm,
}

enum Key {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa44(PqdsaKeyPair),
    MlDsa65(PqdsaKeyPair),
    MlDsa87(PqdsaKeyPair),
}

/// Why a key file cannot be used. The texts are for the operator who named the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// There is no PEM block of a private key.
    #[error("there is no PEM private key in the file")]
    NoPrivateKey,
    /// The block is not base64 of DER, or the DER is not a key.
    #[error("the private key is damaged")]
    Damaged,
    /// The key is encrypted, and no passphrase was given.
    #[error("the private key is encrypted but no passphrase was given")]
    PassphraseMissing,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the private key")]
    WrongPassphrase,
    /// The key is encrypted in a way that is not supported, such as PBES1 or OpenSSL's old PEM encryption.
    #[error(
        "the encryption of the private key is not supported; convert it with `openssl pkcs8 -topk8 -v2 aes256`"
    )]
    UnsupportedEncryption,
    /// A kind of key this CA cannot sign with.
    #[error(
        "{0} keys are not supported; use ECDSA P-256, ECDSA P-384, RSA of at least {MIN_RSA_BITS} bits, Ed25519 or ML-DSA"
    )]
    UnsupportedKey(String),
}

impl FileSigner {
    /// Makes a new key.
    pub fn generate(spec: KeySpec) -> Result<Self, SignerError> {
        let failed = |_unspecified| SignerError::Generation(spec);
        let key = match spec {
            KeySpec::P256 => {
                Key::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?)
            }
            KeySpec::P384 => {
                Key::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).map_err(failed)?)
            }
            KeySpec::Rsa2048 => Key::Rsa(rsa::KeyPair::generate(KeySize::Rsa2048).map_err(failed)?),
            KeySpec::Rsa3072 => Key::Rsa(rsa::KeyPair::generate(KeySize::Rsa3072).map_err(failed)?),
            KeySpec::Rsa4096 => Key::Rsa(rsa::KeyPair::generate(KeySize::Rsa4096).map_err(failed)?),
            KeySpec::Ed25519 => Key::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
            KeySpec::MlDsa44 => Key::MlDsa44(PqdsaKeyPair::generate(&ML_DSA_44_SIGNING).map_err(failed)?),
            KeySpec::MlDsa65 => Key::MlDsa65(PqdsaKeyPair::generate(&ML_DSA_65_SIGNING).map_err(failed)?),
            KeySpec::MlDsa87 => Key::MlDsa87(PqdsaKeyPair::generate(&ML_DSA_87_SIGNING).map_err(failed)?),
        };
        Self::from_key(key).ok_or(SignerError::Generation(spec))
    }

    /// Reads the first private key of a PEM file.
    pub fn from_pem(pem: &str, passphrase: Option<&[u8]>) -> Result<Self, KeyFileError> {
        let block = pem::private_key_block(pem)?;
        if block.is_encrypted_the_old_way() {
            return Err(KeyFileError::UnsupportedEncryption);
        }
        let (_, document) =
            SecretDocument::from_pem(block.text).map_err(|_pem_error| KeyFileError::Damaged)?;
        let key = match block.label {
            PLAIN => from_pkcs8(document.as_bytes())?,
            ENCRYPTED => decrypt(document.as_bytes(), passphrase)?,
            SEC1 => from_sec1(document.as_bytes())?,
            PKCS1 => from_pkcs1(document.as_bytes())?,
            other => {
                return Err(KeyFileError::UnsupportedKey(other.trim_end_matches(PLAIN).trim().to_owned()));
            }
        };
        Self::from_key(key).ok_or(KeyFileError::Damaged)
    }

    /// The same key signing with `algorithm`: an RSA key with PKCS#1 v1.5 or PSS and any SHA-2, any other key
    /// with the one algorithm it has.
    pub fn with_algorithm(self, algorithm: SignatureAlgorithm) -> Result<Self, SignerError> {
        let is_possible = match &self.key {
            Key::Rsa(_) => rsa_encoding(algorithm).is_some(),
            Key::P256(_)
            | Key::P384(_)
            | Key::Ed25519(_)
            | Key::MlDsa44(_)
            | Key::MlDsa65(_)
            | Key::MlDsa87(_) => algorithm == self.algorithm,
        };
        if is_possible {
            Ok(Self { algorithm, ..self })
        } else {
            Err(SignerError::Unfit { key: self.public_key.kind(), algorithm })
        }
    }

    /// Whether the first private key of a PEM file needs a passphrase.
    #[must_use]
    pub fn is_encrypted(pem: &str) -> bool {
        pem::private_key_block(pem)
            .is_ok_and(|block| block.label == ENCRYPTED || block.is_encrypted_the_old_way())
    }

    /// Writes the key as PKCS#8 PEM: encrypted with scrypt and AES-256-CBC if there is a passphrase, else
    /// plain. An ML-DSA key that was read without its seed cannot be written.
    pub fn to_pkcs8_pem(&self, passphrase: Option<&[u8]>) -> Result<Zeroizing<String>, SignerError> {
        let der = self.to_pkcs8_der()?;
        let (label, document) = match passphrase {
            None => {
                (PLAIN, SecretDocument::try_from(der.as_slice()).map_err(|_der_error| SignerError::Encoding)?)
            }
            Some(passphrase) => {
                let info = PrivateKeyInfoRef::from_der(&der).map_err(|_der_error| SignerError::Encoding)?;
                (ENCRYPTED, info.encrypt(passphrase).map_err(|_pkcs8_error| SignerError::Encoding)?)
            }
        };
        document.to_pem(label, LineEnding::LF).map_err(|_pem_error| SignerError::Encoding)
    }

    fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, SignerError> {
        let failed = |_unspecified| SignerError::Encoding;
        Ok(Zeroizing::new(match &self.key {
            Key::P256(key) | Key::P384(key) => key.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Key::Rsa(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(key).map_err(failed)?.as_ref().to_vec(),
            Key::Ed25519(key) => key.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Key::MlDsa44(key) | Key::MlDsa65(key) | Key::MlDsa87(key) => {
                key.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
            }
        }))
    }

    fn from_key(key: Key) -> Option<Self> {
        let (der, algorithm) = match &key {
            Key::P256(key) => (key.public_key().as_der().ok()?, SignatureAlgorithm::EcdsaSha256),
            Key::P384(key) => (key.public_key().as_der().ok()?, SignatureAlgorithm::EcdsaSha384),
            Key::Rsa(key) => (key.public_key().as_der().ok()?, SignatureAlgorithm::RsaSha256),
            Key::Ed25519(key) => (key.public_key().as_der().ok()?, SignatureAlgorithm::Ed25519),
            Key::MlDsa44(key) => (key.public_key().as_der().ok()?, SignatureAlgorithm::MlDsa44),
            Key::MlDsa65(key) => (key.public_key().as_der().ok()?, SignatureAlgorithm::MlDsa65),
            Key::MlDsa87(key) => (key.public_key().as_der().ok()?, SignatureAlgorithm::MlDsa87),
        };
        let public_key = PublicKey::from_vec(der.as_ref().to_vec()).ok()?;
        Some(Self { key, public_key, algorithm })
    }
}

impl Signer for FileSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let failed = |_unspecified| SignerError::Signing;
        let random = SystemRandom::new();
        match &self.key {
            Key::P256(key) | Key::P384(key) => {
                Ok(key.sign(&random, message).map_err(failed)?.as_ref().to_vec())
            }
            Key::Rsa(key) => {
                let encoding = rsa_encoding(self.algorithm).ok_or(SignerError::Signing)?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Key::Ed25519(key) => Ok(key.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Key::MlDsa44(key) | Key::MlDsa65(key) | Key::MlDsa87(key) => {
                let mut signature = vec![0; key.algorithm().signature_len()];
                key.sign(message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }

    fn sign_hashed(&self, message: &HashedMessage<'_>) -> Result<Vec<u8>, SignerError> {
        let failed = |_unspecified| SignerError::Signing;
        match (&self.key, message.hash(self.algorithm)) {
            (Key::P256(key) | Key::P384(key), Some(hash)) => {
                Ok(key.sign_digest(hash).map_err(failed)?.as_ref().to_vec())
            }
            (Key::Rsa(key), Some(hash)) => {
                let encoding = rsa_encoding(self.algorithm).ok_or(SignerError::Signing)?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign_digest(encoding, hash, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            (Key::Ed25519(_) | Key::MlDsa44(_) | Key::MlDsa65(_) | Key::MlDsa87(_), _) | (_, None) => {
                self.sign(message.octets())
            }
        }
    }
}

/// Names the public key only.
impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

fn rsa_encoding(algorithm: SignatureAlgorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        SignatureAlgorithm::RsaSha256 => Some(&RSA_PKCS1_SHA256),
        SignatureAlgorithm::RsaSha384 => Some(&RSA_PKCS1_SHA384),
        SignatureAlgorithm::RsaSha512 => Some(&RSA_PKCS1_SHA512),
        SignatureAlgorithm::RsaPssSha256 => Some(&RSA_PSS_SHA256),
        SignatureAlgorithm::RsaPssSha384 => Some(&RSA_PSS_SHA384),
        SignatureAlgorithm::RsaPssSha512 => Some(&RSA_PSS_SHA512),
        SignatureAlgorithm::EcdsaSha256
        | SignatureAlgorithm::EcdsaSha384
        | SignatureAlgorithm::EcdsaSha512
        | SignatureAlgorithm::Ed25519
        | SignatureAlgorithm::MlDsa44
        | SignatureAlgorithm::MlDsa65
        | SignatureAlgorithm::MlDsa87 => None,
    }
}

fn decrypt(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<Key, KeyFileError> {
    let info = EncryptedPrivateKeyInfoRef::from_der(bytes)
        .map_err(|_der_error| KeyFileError::UnsupportedEncryption)?;
    let passphrase = passphrase.ok_or(KeyFileError::PassphraseMissing)?;
    match info.decrypt(passphrase) {
        Ok(document) => match PrivateKeyInfoRef::from_der(document.as_bytes()) {
            Ok(_) => from_pkcs8(document.as_bytes()),
            // CBC padding looks right by chance once in 256 wrong passphrases; the plaintext is garbage then.
            Err(_der_error) => Err(KeyFileError::WrongPassphrase),
        },
        Err(
            pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_),
        ) => Err(KeyFileError::WrongPassphrase),
        Err(_) => Err(KeyFileError::UnsupportedEncryption),
    }
}

fn from_pkcs8(bytes: &[u8]) -> Result<Key, KeyFileError> {
    let info = PrivateKeyInfoRef::from_der(bytes).map_err(|_der_error| KeyFileError::Damaged)?;
    match info.algorithm.oid {
        oid::RSA_ENCRYPTION => from_pkcs1(info.private_key.as_bytes()),
        oid::EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters_oid().map_err(|_spki_error| KeyFileError::Damaged)?;
            from_ec(curve, |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, bytes))
        }
        oid::ED25519 => {
            Ok(Key::Ed25519(Ed25519KeyPair::from_pkcs8(bytes).map_err(|_rejected| KeyFileError::Damaged)?))
        }
        oid::ML_DSA_44 => Ok(Key::MlDsa44(from_ml_dsa(&ML_DSA_44_SIGNING, bytes)?)),
        oid::ML_DSA_65 => Ok(Key::MlDsa65(from_ml_dsa(&ML_DSA_65_SIGNING, bytes)?)),
        oid::ML_DSA_87 => Ok(Key::MlDsa87(from_ml_dsa(&ML_DSA_87_SIGNING, bytes)?)),
        other => Err(KeyFileError::UnsupportedKey(other.to_string())),
    }
}

/// From the seed, the expanded key or both (RFC 9881 §6).
fn from_ml_dsa(
    algorithm: &'static PqdsaSigningAlgorithm,
    bytes: &[u8],
) -> Result<PqdsaKeyPair, KeyFileError> {
    PqdsaKeyPair::from_pkcs8(algorithm, bytes).map_err(|_rejected| KeyFileError::Damaged)
}

fn from_pkcs1(bytes: &[u8]) -> Result<Key, KeyFileError> {
    let modulus_bits = wire::pkcs1_modulus_bits(bytes).map_err(|_der_error| KeyFileError::Damaged)?;
    if modulus_bits < MIN_RSA_BITS {
        return Err(KeyFileError::UnsupportedKey(KeyKind::Rsa { modulus_bits }.to_string()));
    }
    Ok(Key::Rsa(rsa::KeyPair::from_der(bytes).map_err(|_rejected| KeyFileError::Damaged)?))
}

fn from_sec1(bytes: &[u8]) -> Result<Key, KeyFileError> {
    let curve =
        wire::sec1_curve(bytes).map_err(|_der_error| KeyFileError::Damaged)?.ok_or(KeyFileError::Damaged)?;
    from_ec(curve, |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, bytes))
}

fn from_ec(
    curve: ObjectIdentifier,
    read: impl Fn(&'static EcdsaSigningAlgorithm) -> Result<EcdsaKeyPair, aws_lc_rs::error::KeyRejected>,
) -> Result<Key, KeyFileError> {
    let damaged = |_rejected| KeyFileError::Damaged;
    match curve {
        oid::SECP256R1 => Ok(Key::P256(read(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(damaged)?)),
        oid::SECP384R1 => Ok(Key::P384(read(&ECDSA_P384_SHA384_ASN1_SIGNING).map_err(damaged)?)),
        oid::SECP521R1 => Err(KeyFileError::UnsupportedKey(KeyKind::P521.to_string())),
        other => Err(KeyFileError::UnsupportedKey(format!("elliptic curve {other}"))),
    }
}
