//! Where a key is, and the one function that opens it.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use cairn_x509::Signer;
use serde::Deserialize;

use crate::hierarchy;

/// Where an issuer's key is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeyPlace {
    /// PEM, PKCS#8.
    pub key: PathBuf,
    /// The file with its passphrase, if it is encrypted.
    pub passphrase_file: Option<PathBuf>,
}

impl KeyPlace {
    /// Makes relative paths relative to `folder`.
    #[must_use]
    pub fn anchored(self, folder: &Path) -> Self {
        Self {
            key: folder.join(self.key),
            passphrase_file: self.passphrase_file.map(|file| folder.join(file)),
        }
    }

    /// Opens the key.
    ///
    /// # Errors
    /// If it cannot be used; the text says what to do.
    pub fn open(&self) -> Result<Box<dyn Signer>> {
        Ok(Box::new(hierarchy::read_key_file(&self.key, self.passphrase_file.as_deref())?))
    }
}

/// For a person: the file.
impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.display().fmt(f)
    }
}
