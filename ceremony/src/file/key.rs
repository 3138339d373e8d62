//! Which key a ceremony certifies, and how a new one is kept.

use cairn_x509::KeySpec as Algorithm;
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
    /// A new key in a file is encrypted with a passphrase that is split so. Without it, with a passphrase that is asked for.
    pub shares: Option<Shares>,
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
        Ok(choice)
    }
}

impl Shares {
    fn check(&self, key: KeyChoice) -> Result<(), FileError> {
        if !matches!(key, KeyChoice::New(_)) {
            return Err(FileError::value("key.shares", "only a new key's passphrase is split"));
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
        let existing = format!(
            "existing = \"{}\"\nshares = {{ needed = 2, holders = [\"A\", \"B\"] }}",
            Digest::of(b"")
        );
        assert!(read(&existing).unwrap_err().contains("only a new key"));
    }
}
