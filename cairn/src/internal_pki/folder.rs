//! The folder of the internal PKI: made whole or not at all, then renewed role by role.
//!
//! ```text
//! DIR/                       0700
//! ├── root.pem               0644  what every service trusts
//! ├── root-key.pem           0600  for `renew` alone; no server reads it
//! ├── <role>.pem             0644
//! └── <role>-key.pem         0600
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cairn_core::{Clock, Period, Random, Timestamp};
use cairn_proto::Role;
use cairn_x509::{Certificate, Signer};

use super::certificates::{Pair, Root};
use crate::hierarchy::read_key_file;
use cairn_ceremony::folder::{PRIVATE, PUBLIC, Staging, replace_files};

/// The root's certificate.
pub const ROOT: &str = "root.pem";
/// The root's key.
pub const ROOT_KEY: &str = "root-key.pem";

/// Shortest life of a certificate: what is shorter has ended before a person has copied it.
const MIN_LIFETIME: Period = Period::from_secs(60);

/// The file of a role's certificate.
pub fn certificate_file(role: Role) -> String {
    format!("{role}.pem")
}

/// The file of a role's key.
pub fn key_file(role: Role) -> String {
    format!("{role}-key.pem")
}

/// Makes the folder `out` with a root and a certificate for each role. Returns the root.
///
/// # Errors
/// If `out` holds anything, or the lifetimes are impossible. The text says what to do.
pub fn init(
    out: &Path,
    lifetime: Period,
    root_lifetime: Period,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Certificate> {
    check_lifetime(lifetime)?;
    ensure!(
        lifetime <= root_lifetime,
        "the roles' lifetime of {lifetime} is longer than the root's of {root_lifetime}; a certificate cannot outlive its root"
    );
    let staging = Staging::new(out)?;
    let root = Root::create(root_lifetime, clock, random)?;
    staging.write(ROOT_KEY, root.key().to_pkcs8_pem(None)?.as_bytes(), PRIVATE)?;
    staging.write(ROOT, root.certificate().to_pem().as_bytes(), PUBLIC)?;
    for role in Role::ALL {
        let Pair { certificate, key } = root.certify(role, lifetime, clock, random)?;
        staging.write(&key_file(role), key.to_pkcs8_pem(None)?.as_bytes(), PRIVATE)?;
        staging.write(&certificate_file(role), certificate.to_pem().as_bytes(), PUBLIC)?;
    }
    staging.commit()?;
    Ok(root.certificate().clone())
}

/// What shall be renewed, and how.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The folder.
    pub dir: PathBuf,
    /// These roles; empty: those that have a certificate in the folder.
    pub roles: Vec<Role>,
    /// Where less of a life is left than this.
    pub if_within: Period,
    /// The new lifetime.
    pub lifetime: Period,
    /// The root's key, where it is not in the folder.
    pub root_key: Option<PathBuf>,
    /// What opens the root's key, if it is encrypted.
    pub root_passphrase_file: Option<PathBuf>,
}

/// What became of a role's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not due, and ends then.
    Kept(Timestamp),
    /// There is a new one, which ends then.
    Renewed(Timestamp, Why),
}

/// Why a certificate was renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It ended, or would have: then.
    Due(Timestamp),
    /// There was none.
    Missing,
    /// What was there could not be used: unreadable, of another root, with a key that others can read, or beside a key that is not its
    /// own, as a renewal leaves it that was killed between its two files.
    Unusable,
}

/// Renews what is due. Returns the root and what became of each role.
///
/// # Errors
/// If the root or its key cannot be used, or another renewal is at work.
pub fn renew(
    renewal: &Renewal,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(Certificate, Vec<(Role, Outcome)>)> {
    check_lifetime(renewal.lifetime)?;
    let dir = &renewal.dir;
    // First, since it says what a folder without a root is not.
    let certificate = read_certificate(&dir.join(ROOT))
        .with_context(|| format!("{} is no folder of `cairn internal-pki init`", dir.display()))?;
    let _lock = lock(dir)?;
    let wanted = if renewal.roles.is_empty() {
        let with_certificate = |role: &Role| dir.join(certificate_file(*role)).exists();
        Role::ALL.into_iter().filter(with_certificate).collect()
    } else {
        renewal.roles.clone()
    };
    let bound = clock.now().plus(renewal.if_within.seconds());
    let standing: Vec<_> =
        wanted.into_iter().map(|role| (role, stand(dir, role, &certificate, bound))).collect();
    if standing.iter().all(|(_, stand)| matches!(stand, Stand::Good(_))) {
        // The root's key may lie on a medium in a safe: it is asked for when something is to be signed.
        let kept = standing.into_iter().filter_map(|(role, stand)| match stand {
            Stand::Good(ends) => Some((role, Outcome::Kept(ends))),
            Stand::Bad(_) => None,
        });
        return Ok((certificate, kept.collect()));
    }
    let root = root(renewal, &certificate)?;
    let mut outcomes = Vec::with_capacity(standing.len());
    for (role, stand) in standing {
        let outcome = match stand {
            Stand::Good(ends) => Outcome::Kept(ends),
            Stand::Bad(why) => {
                let pair = root.certify(role, renewal.lifetime, clock, random)?;
                write(dir, role, &pair)?;
                Outcome::Renewed(ends(&pair.certificate), why)
            }
        };
        outcomes.push((role, outcome));
    }
    Ok((certificate, outcomes))
}

/// When a certificate ends.
pub fn ends(certificate: &Certificate) -> Timestamp {
    Timestamp::from_unix(certificate.validity().not_after)
}

enum Stand {
    Good(Timestamp),
    Bad(Why),
}

fn stand(dir: &Path, role: Role, root: &Certificate, bound: Timestamp) -> Stand {
    let path = dir.join(certificate_file(role));
    if !path.exists() {
        return Stand::Bad(Why::Missing);
    }
    let usable = || -> Result<Certificate> {
        let certificate = read_certificate(&path)?;
        certificate.verify_issued_by(root)?;
        let key = read_key_file(&dir.join(key_file(role)), None)?;
        ensure!(key.public_key() == certificate.public_key());
        Ok(certificate)
    };
    match usable() {
        Ok(certificate) if ends(&certificate) >= bound => Stand::Good(ends(&certificate)),
        Ok(certificate) => Stand::Bad(Why::Due(ends(&certificate))),
        Err(_) => Stand::Bad(Why::Unusable),
    }
}

fn root(renewal: &Renewal, certificate: &Certificate) -> Result<Root> {
    let path = renewal.root_key.clone().unwrap_or_else(|| renewal.dir.join(ROOT_KEY));
    ensure!(
        path.exists(),
        "{} is not there; if the root's key is kept elsewhere, name it with --root-key",
        path.display()
    );
    let key = read_key_file(&path, renewal.root_passphrase_file.as_deref())?;
    Root::new(certificate.clone(), key)
        .with_context(|| format!("{} and {}", path.display(), renewal.dir.join(ROOT).display()))
}

/// The key first: whoever watches for a new certificate finds its key already there. Both are on the disk before either takes its place,
/// so between the two renames lies no more than a moment; a server that reads in it keeps the pair that it has and looks again.
fn write(dir: &Path, role: Role, pair: &Pair) -> Result<()> {
    let key = pair.key.to_pkcs8_pem(None)?;
    let certificate = pair.certificate.to_pem();
    replace_files(&[
        (&dir.join(key_file(role)), key.as_bytes(), PRIVATE),
        (&dir.join(certificate_file(role)), certificate.as_bytes(), PUBLIC),
    ])
}

/// One renewal at a time, or the files of two would mix. The kernel lets the lock go when the process ends, however it ends.
fn lock(dir: &Path) -> Result<File> {
    let file = File::open(dir).with_context(|| format!("cannot open {}", dir.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another `cairn internal-pki renew` is at work in {}; let it finish", dir.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", dir.display()))
        }
    }
}

fn read_certificate(path: &Path) -> Result<Certificate> {
    let pem = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Certificate::from_pem(&pem).with_context(|| path.display().to_string())
}

fn check_lifetime(lifetime: Period) -> Result<()> {
    ensure!(
        lifetime >= MIN_LIFETIME,
        "a lifetime of {lifetime} is too short; choose at least {MIN_LIFETIME}"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
