//! The keys of what is asked for: made here, kept beside the request, and moved with the certificate when it comes. Nothing else knows
//! where such a key is.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use cairn_ceremony::folder::{PRIVATE, Staging};
use cairn_ceremony::key_file::read_key_file;
use cairn_core::Random;
use cairn_x509::{FileSigner, KeySpec, PublicKey, Signer};
use zeroize::Zeroizing;

use crate::hierarchy::passphrase;

const KEY: &str = "key.pem";
const PASSPHRASE: &str = "passphrase";

/// The files of a key.
pub(super) const FILES: [&str; 2] = [KEY, PASSPHRASE];

/// How `issuer.toml` and `responder.toml` name it.
pub(super) const PLACE: &str = "key = \"key.pem\"\npassphrase_file = \"passphrase\"\n";

/// A key that is made for a request.
pub(super) struct NewKey {
    signer: FileSigner,
    pem: Zeroizing<String>,
    passphrase: Zeroizing<String>,
}

impl NewKey {
    /// A new key, encrypted as `cairn init` does it: the passphrase lies beside it, so that a copy of the key alone is worth nothing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn new(spec: KeySpec, random: &dyn Random) -> Result<Self> {
        let signer = FileSigner::generate(spec)?;
        let passphrase = passphrase::generate(random);
        let pem = signer.to_pkcs8_pem(Some(passphrase.as_bytes()))?;
        Ok(Self { signer, pem, passphrase })
    }

    /// Who signs the CSR.
    pub(super) const fn signer(&self) -> &dyn Signer {
        &self.signer
    }

    /// Writes it into a folder that is being made.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn write(&self, staging: &Staging) -> Result<()> {
        staging.write(KEY, self.pem.as_bytes(), PRIVATE)?;
        staging.write(PASSPHRASE, Zeroizing::new(format!("{}\n", *self.passphrase)).as_bytes(), PRIVATE)
    }
}

/// Copies the key in `folder`, which must be `expected`, into a folder that is being made.
///
/// # Errors
/// If it is not there, or another one.
pub(super) fn copy(folder: &Path, expected: &PublicKey, staging: &Staging) -> Result<()> {
    check(folder, expected)?;
    for name in FILES {
        let path = folder.join(name);
        let contents = std::fs::read(&path).map(Zeroizing::new);
        staging.write(
            name,
            &contents.with_context(|| format!("cannot read {}", path.display()))?,
            PRIVATE,
        )?;
    }
    Ok(())
}

/// That the key in `folder` is `expected`, and can be opened.
///
/// # Errors
/// If it is not there, or another one.
pub(super) fn check(folder: &Path, expected: &PublicKey) -> Result<()> {
    let signer = read_key_file(&folder.join(KEY), Some(&folder.join(PASSPHRASE)))?;
    ensure!(
        signer.public_key() == expected,
        "the key in {} is not the one that the request was made for; cancel the request and make another",
        folder.display()
    );
    Ok(())
}
