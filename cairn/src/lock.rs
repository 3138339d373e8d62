//! One process per data directory: a lock that the kernel lets go when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The file in the data directory that is locked. Empty; only its lock means anything.
const FILE: &str = "lock";

/// Holds a data directory until dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Whether a server has ever taken this directory.
    pub fn is_used_in(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Takes the directory, which must exist.
    ///
    /// # Errors
    /// If another process holds it.
    pub fn take(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => bail!(
                "{} is in use by another cairn. Stop that one, or give this one a directory of its own.",
                directory.display()
            ),
            Err(TryLockError::Error(error)) => Err(error)
                .with_context(|| format!("cannot lock {}; is it on a network file system?", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_once_and_free_again_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::take(directory.path()).unwrap();
        let refused = DirectoryLock::take(directory.path()).unwrap_err();
        assert!(refused.to_string().contains("in use by another cairn"), "{refused}");
        drop(first);
        DirectoryLock::take(directory.path()).unwrap();
    }
}
