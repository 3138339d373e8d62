//! The hierarchy folder: where issuers, responders, certificates and CRLs lie that servers use, and what is asked for.
//!
//! ```text
//! hierarchy/                                    0700
//! ├── issuers/NAME/certificate.pem, issuer.toml, key.pem, passphrase, response.txt
//! ├── responders/NAME/certificate.pem, responder.toml, key.pem, passphrase, response.txt
//! ├── certificates/*.pem                        roots, and CAs between them and the issuers
//! ├── crls/*.pem                                of the CAs above the issuers
//! └── requests/                                 of this command alone; servers do not look into it
//!     ├── requester-key.pem                     signs this CA's requests
//!     ├── record-keys/ISSUER.pem                sign the records of that CA's ceremonies, and the responses
//!     ├── NAME/request.txt, key.pem, passphrase what was asked for and is not answered yet
//!     └── answered/NONCE/request.txt, response.txt
//! ```

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cairn_ceremony::folder::make_folder;

/// The hierarchy folder, which no other process changes while this exists.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The kernel lets it go when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// If another `cairn ca` is at work, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let requests = path.join("requests");
        make_folder(&requests)?;
        let owner = fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?.uid();
        check_user(path, owner, rustix::process::geteuid().as_raw())?;
        let lock = File::open(&requests).with_context(|| format!("cannot open {}", requests.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("another `cairn ca` is at work in {}; let it finish", path.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", requests.display()))
            }
        }
    }

    /// Where the issuer of this name is.
    #[must_use]
    pub fn issuer(&self, name: &str) -> PathBuf {
        self.path.join("issuers").join(name)
    }

    /// Where the OCSP responder of this name is.
    #[must_use]
    pub fn responder(&self, name: &str) -> PathBuf {
        self.path.join("responders").join(name)
    }

    /// Where certificates of CAs are that issue nothing here.
    #[must_use]
    pub fn certificates(&self) -> PathBuf {
        self.path.join("certificates")
    }

    /// Where CRLs of the CAs above are.
    #[must_use]
    pub fn crls(&self) -> PathBuf {
        self.path.join("crls")
    }

    /// Where a request of this name is, before it is answered.
    #[must_use]
    pub fn request(&self, name: &str) -> PathBuf {
        self.requests().join(name)
    }

    /// Where requests are, and what belongs to them.
    #[must_use]
    pub fn requests(&self) -> PathBuf {
        self.path.join("requests")
    }
}

/// Servers read what is made here, keys included, as the user to whom the folder belongs.
fn check_user(path: &Path, owner: u32, user: u32) -> Result<()> {
    ensure!(
        owner == user,
        "{} belongs to the user with the number {owner}, and this runs as {user}: servers could not read the keys that it makes; run it \
         as that user: sudo -u '#{owner}' cairn ca …",
        path.display()
    );
    Ok(())
}

/// Forces to the disk that something has come into a folder, or gone.
pub(super) fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("cannot write {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_users_folder_is_left_alone_also_by_root() {
        check_user(Path::new("hierarchy"), 998, 998).unwrap();
        let error = check_user(Path::new("hierarchy"), 998, 0).unwrap_err().to_string();
        assert!(error.contains("sudo -u '#998'"), "{error}");
        check_user(Path::new("hierarchy"), 0, 998).unwrap_err();
    }
}
