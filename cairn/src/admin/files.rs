//! Files that appear whole or not at all, and are on the disk when somebody is told of them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A database names accounts, their contacts and what they asked for.
const PRIVATE: u32 = 0o600;

/// A file that is being made beside the place where it shall be. Dropped before it is kept, it is removed.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    kept: bool,
}

impl Draft {
    /// An empty file, for its owner alone.
    pub(super) fn new(target: &Path) -> Result<Self> {
        ensure_named(target)?;
        let path = beside(target, ".unfinished");
        match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&path) {
            Ok(_) => Ok(Self { path, kept: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
                "{0} exists: either the same is being done at this moment, or it was interrupted before. If nobody is at it, \
                 remove {0} and try again.",
                path.display()
            ),
            Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
        }
    }

    /// Where it is until it is kept.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Forces its contents to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        synced.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Puts it in its place, in that of whatever is there, at once.
    pub(super) fn keep_as(mut self, target: &Path) -> Result<()> {
        self.sync()?;
        fs::rename(&self.path, target).with_context(|| format!("cannot make {}", target.display()))?;
        self.kept = true;
        sync_folder_of(target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file's name with `ending` behind it.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Whether something is there, be it a link that leads nowhere.
pub(super) fn is_taken(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
    }
}

/// Forces to the disk that a file has come, gone or changed its name.
pub(super) fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("cannot write {}", folder.display()))
}

fn ensure_named(path: &Path) -> Result<()> {
    path.file_name().map(drop).with_context(|| format!("{} names no file", path.display()))
}
