//! The three files of a role.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::IdentityError;
use crate::Role;

/// Longest of these files in bytes. A certificate takes 1 KB, and nobody has fifty roots.
const MAX_FILE: u64 = 64 * 1024;
/// Read, write or execute for anybody but the owner.
const OTHERS: u32 = 0o077;

/// When each of the files was last written.
pub(super) type Written = [SystemTime; 3];

/// Where a role's files are.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) root: PathBuf,
}

/// What they hold, not yet checked against each other.
pub(super) struct Contents {
    /// The role's own certificate first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Several while one root follows another.
    pub(super) roots: Vec<CertificateDer<'static>>,
}

impl Files {
    pub(super) fn new(dir: &Path, role: Role) -> Self {
        Self {
            certificate: dir.join(format!("{role}.pem")),
            key: dir.join(format!("{role}-key.pem")),
            root: dir.join("root.pem"),
        }
    }

    pub(super) fn read(&self) -> Result<Contents, IdentityError> {
        Ok(Contents {
            chain: certificates(&self.certificate)?,
            key: private_key(&self.key)?,
            roots: certificates(&self.root)?,
        })
    }

    /// `None` while one of them is missing.
    pub(super) fn written(&self) -> Option<Written> {
        let written = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
        Some([written(&self.certificate)?, written(&self.key)?, written(&self.root)?])
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let (pem, _) = read(path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap_or_default();
    if chain.is_empty() {
        return Err(IdentityError::NotPem { path: path.to_owned(), what: "certificate" });
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let (pem, mode) = read(path)?;
    if mode & OTHERS != 0 {
        return Err(IdentityError::NotPrivate { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| IdentityError::NotPem { path: path.to_owned(), what: "private key" })
}

/// A file's contents and its permissions.
fn read(path: &Path) -> Result<(Vec<u8>, u32), IdentityError> {
    let cannot_read = |source| IdentityError::Read { path: path.to_owned(), source };
    let not_a_file = || IdentityError::NotAFile { path: path.to_owned(), limit: MAX_FILE };
    // Before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(cannot_read)?.is_file() {
        return Err(not_a_file());
    }
    let file = File::open(path).map_err(cannot_read)?;
    // Of the opened file, since the path may name another one by now.
    let metadata = file.metadata().map_err(cannot_read)?;
    if metadata.len() > MAX_FILE {
        return Err(not_a_file());
    }
    let mut contents = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut contents).map_err(cannot_read)?;
    Ok((contents, metadata.permissions().mode() & 0o7777))
}
