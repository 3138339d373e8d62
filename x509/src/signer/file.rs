//! A private key from a PEM file: PKCS#8 (RFC 5958), plain or encrypted (PBES2, RFC 8018), SEC 1
//! (RFC 5915) or PKCS#1 (RFC 8017). It takes the text of the file, not its path.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        KeyPair, RSA_PKCS1_SHA256,
    },
};
use const_oid::ObjectIdentifier;
use der::{Decode, SecretDocument, pem::LineEnding};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::{KeySpec, Signer, SignerError, pem};
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
}

enum Key {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
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
        "{0} keys are not supported; use ECDSA P-256, ECDSA P-384 or RSA of at least {MIN_RSA_BITS} bits"
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

    /// Whether the first private key of a PEM file needs a passphrase.
    #[must_use]
    pub fn is_encrypted(pem: &str) -> bool {
        pem::private_key_block(pem)
            .is_ok_and(|block| block.label == ENCRYPTED || block.is_encrypted_the_old_way())
    }

    /// Writes the key as PKCS#8 PEM: encrypted with scrypt and AES-256-CBC if there is a passphrase, else
    /// plain.
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
        }))
    }

    fn from_key(key: Key) -> Option<Self> {
        let der = match &key {
            Key::P256(key) | Key::P384(key) => key.public_key().as_der().ok()?.as_ref().to_vec(),
            Key::Rsa(key) => key.public_key().as_der().ok()?.as_ref().to_vec(),
        };
        Some(Self { key, public_key: PublicKey::from_vec(der).ok()? })
    }
}

impl Signer for FileSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.key {
            Key::P256(_) => SignatureAlgorithm::EcdsaSha256,
            Key::P384(_) => SignatureAlgorithm::EcdsaSha384,
            Key::Rsa(_) => SignatureAlgorithm::RsaSha256,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let failed = |_unspecified| SignerError::Signing;
        let random = SystemRandom::new();
        match &self.key {
            Key::P256(key) | Key::P384(key) => {
                Ok(key.sign(&random, message).map_err(failed)?.as_ref().to_vec())
            }
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
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
        oid::ED25519 => Err(KeyFileError::UnsupportedKey("Ed25519".to_owned())),
        other => Err(KeyFileError::UnsupportedKey(other.to_string())),
    }
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
