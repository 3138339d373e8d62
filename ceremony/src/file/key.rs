//! Which key a ceremony certifies, how a new one is kept, and how keys sign.

use cairn_x509::{KeySpec as Algorithm, SignatureAlgorithm};
use serde::{Deserialize, Deserializer};

use super::{Digest, FileError};
use crate::shares::MAX_SHARES;

/// The key that is certified: exactly one of `algorithm`, `existing`, `request` and `public_key` says which.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// A new key of this kind: `p256`, `p384`, `rsa2048`, `rsa3072`, `rsa4096`, `ed25519`, `ml-dsa-44`, `ml-dsa-65` or `ml-dsa-87`.
    #[serde(default, deserialize_with = "algorithm")]
    algorithm: Option<Algorithm>,
    /// A key that exists: the SHA-256 of its public key (SubjectPublicKeyInfo).
    existing: Option<Digest>,
    /// The key of a request: the SHA-256 of the request.
    request: Option<Digest>,
    /// A public key alone: the SHA-256 of it (SubjectPublicKeyInfo). Nobody proves to have its private key.
    public_key: Option<Digest>,
    /// Where a new key is kept: `file` (default), or `pkcs11` for a hardware security module, which it then never leaves. P-256, P-384
    /// and RSA keys can be kept so.
    #[serde(default)]
    pub store: Store,
    /// How the key signs, of an RSA key that signs here: `rsa-sha256` (default), `rsa-sha384`, `rsa-sha512`, `rsa-pss-sha256`,
    /// `rsa-pss-sha384` or `rsa-pss-sha512`.
    pub signature: Option<Signature>,
    /// A new key in a file is encrypted with a passphrase that is split so. Without it, with a passphrase that is asked for. In a
    /// ceremony of kind `key`, one that exists is encrypted anew, and its file as it was stays where it is.
    pub shares: Option<Shares>,
}

/// Where a new key is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// In a file, encrypted.
    #[default]
    File,
    /// In a hardware security module.
    Pkcs11,
}

/// How an RSA key signs, where people choose. Every other key has one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Signature {
    /// PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
    /// PKCS#1 v1.5 with SHA-384.
    #[serde(rename = "rsa-sha384")]
    RsaSha384,
    /// PKCS#1 v1.5 with SHA-512.
    #[serde(rename = "rsa-sha512")]
    RsaSha512,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "rsa-pss-sha256")]
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "rsa-pss-sha384")]
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "rsa-pss-sha512")]
    RsaPssSha512,
}

impl From<Signature> for SignatureAlgorithm {
    fn from(signature: Signature) -> Self {
        match signature {
            Signature::RsaSha256 => Self::RsaSha256,
            Signature::RsaSha384 => Self::RsaSha384,
            Signature::RsaSha512 => Self::RsaSha512,
            Signature::RsaPssSha256 => Self::RsaPssSha256,
            Signature::RsaPssSha384 => Self::RsaPssSha384,
            Signature::RsaPssSha512 => Self::RsaPssSha512,
        }
    }
}

/// Parts of what opens a key, of which some are needed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// How many are needed: at least 2.
    pub needed: u8,
    /// Who gets one each: at most 16.
    pub holders: Vec<String>,
}

/// Which key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// One that is made.
    New(Algorithm),
    /// One that can sign.
    Existing(Digest),
    /// That of a request.
    Request(Digest),
    /// One whose owner is elsewhere.
    PublicKey(Digest),
}

impl KeySpec {
    /// Which key it is.
    ///
    /// # Errors
    /// If it is none, or several.
    pub fn choice(&self) -> Result<KeyChoice, FileError> {
        let choice = match (self.algorithm, self.existing, self.request, self.public_key) {
            (Some(algorithm), None, None, None) => KeyChoice::New(algorithm),
            (None, Some(digest), None, None) => KeyChoice::Existing(digest),
            (None, None, Some(digest), None) => KeyChoice::Request(digest),
            (None, None, None, Some(digest)) => KeyChoice::PublicKey(digest),
            _ => {
                return Err(FileError::value(
                    "key",
                    "write exactly one of algorithm (a new key), existing, request and public_key",
                ));
            }
        };
        if let Some(shares) = &self.shares {
            shares.check(choice)?;
        }
        if self.store == Store::Pkcs11 {
            self.check_module(choice)?;
        }
        Ok(choice)
    }

    fn check_module(&self, key: KeyChoice) -> Result<(), FileError> {
        match key {
            KeyChoice::New(
                Algorithm::P256
                | Algorithm::P384
                | Algorithm::Rsa2048
                | Algorithm::Rsa3072
                | Algorithm::Rsa4096,
            ) => {}
            KeyChoice::New(other) => {
                return Err(FileError::value(
                    "key.store",
                    format!("modules make no {other} keys: use p256, p384 or RSA, or keep the key in a file"),
                ));
            }
            KeyChoice::Existing(_) | KeyChoice::Request(_) | KeyChoice::PublicKey(_) => {
                return Err(FileError::value(
                    "key.store",
                    "is for a new key; where one is that exists, the machine file says",
                ));
            }
        }
        if self.shares.is_some() {
            return Err(FileError::value(
                "key.shares",
                "a key in a module has no passphrase to split; its maker's tools say how to back it up",
            ));
        }
        Ok(())
    }
}

impl Shares {
    fn check(&self, key: KeyChoice) -> Result<(), FileError> {
        if !matches!(key, KeyChoice::New(_) | KeyChoice::Existing(_)) {
            return Err(FileError::value(
                "key.shares",
                "only the passphrase of a key that is here can be split",
            ));
        }
        let holders = u8::try_from(self.holders.len()).unwrap_or(u8::MAX);
        if holders > MAX_SHARES || self.needed < 2 || self.needed > holders {
            return Err(FileError::value(
                "key.shares",
                format!(
                    "{} of {holders} cannot be: name 2 to {MAX_SHARES} holders, and need at least 2 of them",
                    self.needed
                ),
            ));
        }
        for (place, holder) in self.holders.iter().enumerate() {
            super::check_line(&format!("key.shares.holders[{place}]"), holder)?;
            if self.holders.iter().take(place).any(|other| other == holder) {
                return Err(FileError::value("key.shares.holders", format!("\"{holder}\" is there twice")));
            }
        }
        Ok(())
    }
}

fn algorithm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Algorithm>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<KeyChoice, String> {
        toml::from_str::<KeySpec>(text)
            .map_err(|error| error.to_string())?
            .choice()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_one_thing() {
        let digest = Digest::of(b"");
        assert_eq!(read("algorithm = \"p384\""), Ok(KeyChoice::New(Algorithm::P384)));
        assert_eq!(read(&format!("existing = \"{digest}\"")), Ok(KeyChoice::Existing(digest)));
        assert_eq!(read(&format!("request = \"{digest}\"")), Ok(KeyChoice::Request(digest)));
        assert_eq!(read(&format!("public_key = \"{digest}\"")), Ok(KeyChoice::PublicKey(digest)));
        for text in ["", &format!("algorithm = \"p384\"\nexisting = \"{digest}\"")] {
            assert!(read(text).unwrap_err().contains("exactly one of"));
        }
        assert!(read("algorithm = \"p521\"").unwrap_err().contains("p256, p384"));
    }

    #[test]
    fn a_key_in_a_module_is_new_of_a_kind_that_modules_make_and_has_no_passphrase() {
        let kept = |rest: &str| read(&format!("store = \"pkcs11\"\n{rest}"));
        assert_eq!(kept("algorithm = \"rsa3072\""), Ok(KeyChoice::New(Algorithm::Rsa3072)));
        assert!(kept("algorithm = \"ed25519\"").unwrap_err().contains("modules make no ed25519 keys"));
        assert!(
            kept(&format!("existing = \"{}\"", Digest::of(b""))).unwrap_err().contains("is for a new key")
        );
        let shares = "algorithm = \"p256\"\nshares = { needed = 2, holders = [\"A\", \"B\"] }";
        assert!(kept(shares).unwrap_err().contains("no passphrase to split"));
        assert!(read("algorithm = \"p256\"\nstore = \"hsm\"").unwrap_err().contains("pkcs11"));
    }

    #[test]
    fn signatures_are_named_as_they_are_written() {
        for (text, algorithm) in [
            ("rsa-sha256", SignatureAlgorithm::RsaSha256),
            ("rsa-sha512", SignatureAlgorithm::RsaSha512),
            ("rsa-pss-sha256", SignatureAlgorithm::RsaPssSha256),
            ("rsa-pss-sha384", SignatureAlgorithm::RsaPssSha384),
        ] {
            let key: KeySpec =
                toml::from_str(&format!("algorithm = \"rsa2048\"\nsignature = {text:?}")).unwrap();
            assert_eq!(key.signature.map(SignatureAlgorithm::from), Some(algorithm));
        }
        assert!(
            read("algorithm = \"rsa2048\"\nsignature = \"rsa-sha1\"").unwrap_err().contains("rsa-pss-sha256")
        );
    }

    #[test]
    fn shares_need_at_least_two_of_different_people() {
        let with = |shares: &str| read(&format!("algorithm = \"p384\"\nshares = {{ {shares} }}"));
        with("needed = 2, holders = [\"A\", \"B\"]").unwrap();
        for shares in [
            "needed = 1, holders = [\"A\"]",
            "needed = 3, holders = [\"A\", \"B\"]",
            "needed = 0, holders = []",
        ] {
            assert!(with(shares).unwrap_err().contains("cannot be"), "{shares}");
        }
        assert!(with("needed = 2, holders = [\"A\", \"B\", \"A\"]").unwrap_err().contains("twice"));
        let shares = "shares = { needed = 2, holders = [\"A\", \"B\"] }";
        let digest = Digest::of(b"");
        assert_eq!(read(&format!("existing = \"{digest}\"\n{shares}")), Ok(KeyChoice::Existing(digest)));
        assert!(
            read(&format!("public_key = \"{digest}\"\n{shares}")).unwrap_err().contains("a key that is here")
        );
    }
}
