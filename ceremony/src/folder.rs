//! Folders that appear on disk whole or not at all.
//!
//! All files are written into a hidden folder beside the place where they shall be, each forced to the disk; then the folder is
//! renamed. The rename is the one instant at which the folder comes to be: whoever kills the process before it leaves nothing but a
//! hidden folder that nobody reads, which the next success removes.

pub mod together;

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

/// For private keys and passphrases: their owner alone.
pub const PRIVATE: u32 = 0o600;
/// For certificates.
pub const PUBLIC: u32 = 0o644;
/// Unfinished folders beside one place: so many are never left by accident.
const MAX_TRIES: u32 = 1000;
/// For folders that hold private keys.
const FOLDER: u32 = 0o700;

/// A folder that is being made.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    parent: PathBuf,
    /// Begins the names of all unfinished folders for `target`.
    prefix: OsString,
    folder: PathBuf,
}

impl Staging {
    /// Begins to make `target`, which must not exist or be an empty folder. Makes the folders above it.
    ///
    /// # Errors
    /// If there is something in its place, or the disk refuses.
    pub fn new(target: &Path) -> Result<Self> {
        let name = target.file_name().with_context(|| format!("{} names no folder", target.display()))?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        refuse_to_overwrite(target)?;
        make_folder(&parent)?;
        let prefix = prefix(name);
        let folder = unique_folder(&parent, &prefix)?;
        Ok(Self { target: target.to_owned(), parent, prefix, folder })
    }

    /// Writes a new file, `name` relative to the folder.
    ///
    /// # Errors
    /// If there is one already, or the disk refuses.
    pub fn write(&self, name: &str, contents: &[u8], mode: u32) -> Result<()> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        write_new(&path, contents, mode).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Makes the folder appear.
    ///
    /// # Errors
    /// If something took its place meanwhile, or the disk refuses.
    pub fn commit(self) -> Result<()> {
        sync_folders(&self.folder).with_context(|| format!("cannot write {}", self.folder.display()))?;
        // Onto an empty folder this succeeds; onto one with anything in it, made meanwhile, it fails.
        fs::rename(&self.folder, &self.target).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => occupied(&self.target),
            _ => anyhow!(error).context(format!(
                "cannot make {}; choose a folder that does not exist",
                self.target.display()
            )),
        })?;
        sync_folder(&self.parent).with_context(|| format!("cannot write {}", self.parent.display()))?;
        self.remove_leftovers();
        Ok(())
    }

    /// What was left by processes that were killed. No process can finish such a folder any more: its rename would fail.
    fn remove_leftovers(&self) {
        let entries = fs::read_dir(&self.parent).into_iter().flatten().flatten();
        for entry in entries {
            if entry.file_name().as_encoded_bytes().starts_with(self.prefix.as_encoded_bytes())
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove an unfinished folder");
            }
        }
    }
}

/// Gives up an unfinished folder; a finished one has another name by now.
impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.folder.display(), %error, "cannot remove an unfinished folder");
        }
    }
}

/// Begins the names of the unfinished folders for one of this name.
fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".unfinished-");
    prefix
}

/// A new folder that no other process uses, one that makes the same folder at this moment included.
fn unique_folder(parent: &Path, prefix: &OsStr) -> Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        let mut name = prefix.to_owned();
        name.push(format!("{}-{number}", std::process::id()));
        let folder = parent.join(name);
        match DirBuilder::new().mode(FOLDER).create(&folder) {
            Ok(()) => return Ok(folder),
            // Of another try of ours, or of a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MAX_TRIES => number += 1,
            Err(error) => {
                bail!(anyhow!(error).context(format!("cannot make the folder {}", folder.display())))
            }
        }
    }
}

/// Makes a folder and those above it, unless they exist.
///
/// # Errors
/// If the disk refuses.
pub fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER).create(path);
    made.with_context(|| format!("cannot make the folder {}", path.display()))
}

/// Puts a file in place of another one at once: readers see the old contents or the new.
///
/// # Errors
/// If the disk refuses; then the old contents stay.
pub fn replace_file(path: &Path, contents: &[u8], mode: u32) -> Result<()> {
    replace_files(&[(path, contents, mode)])
}

/// Puts files in the place of others, in this order, each at once. All are on the disk before the first takes its place, so that what
/// can go wrong with a full disk goes wrong before anything has changed.
///
/// # Errors
/// If the disk refuses.
pub fn replace_files(files: &[(&Path, &[u8], u32)]) -> Result<()> {
    for (path, contents, mode) in files {
        let written = write_unfinished(path, contents, *mode);
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    for (path, ..) in files {
        fs::rename(unfinished(path), path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    for (path, ..) in files {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let synced = parent.map_or(Ok(()), sync_folder);
        synced.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Writes a file beside its place, over what was left there by an earlier try.
fn write_unfinished(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = unfinished(path);
    if let Err(error) = fs::remove_file(&unfinished)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    write_new(&unfinished, contents, mode)
}

/// Where a file is written before it takes its place.
fn unfinished(path: &Path) -> PathBuf {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    unfinished.into()
}

/// That nothing is at `target`, or an empty folder.
///
/// # Errors
/// If there is something.
pub fn refuse_to_overwrite(target: &Path) -> Result<()> {
    match fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(occupied(target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(occupied(target)),
        Err(error) => bail!(anyhow!(error).context(format!("cannot look into {}", target.display()))),
    }
}

fn occupied(target: &Path) -> anyhow::Error {
    anyhow!(
        "{} exists already, and keys are never overwritten; choose a folder that does not exist, or move the old one away",
        target.display()
    )
}

/// A new file that is on the disk when this returns. Its mode is exact: neither the umask nor a moment before it matters.
fn write_new(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)?;
    file.write_all(contents)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Forces the entries of a folder, and of those in it, to the disk.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_appears_with_all_its_files_and_their_modes_when_it_is_committed() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("above/target");
        let staging = Staging::new(&target).unwrap();
        staging.write("key", b"secret", PRIVATE).unwrap();
        staging.write("deep/certificate", b"known", PUBLIC).unwrap();
        assert!(!target.exists());
        staging.commit().unwrap();
        assert_eq!(names(&target), ["deep", "key"]);
        assert_eq!((mode(&target), mode(&target.join("deep"))), (0o700, 0o700));
        assert_eq!((mode(&target.join("key")), mode(&target.join("deep/certificate"))), (0o600, 0o644));
        assert_eq!(names(target.parent().unwrap()), ["target"]);
    }

    #[test]
    fn a_folder_that_is_given_up_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let staging = Staging::new(&root.path().join("target")).unwrap();
        staging.write("key", b"secret", PRIVATE).unwrap();
        drop(staging);
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn what_a_killed_process_left_does_not_hinder_and_goes_with_the_next_success() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target");
        let killed = Staging::new(&target).unwrap();
        killed.write("key", b"half a sec", PRIVATE).unwrap();
        std::mem::forget(killed);
        assert!(!target.exists());
        let staging = Staging::new(&target).unwrap();
        staging.write("key", b"secret", PRIVATE).unwrap();
        staging.commit().unwrap();
        assert_eq!(names(root.path()), ["target"]);
        assert_eq!(fs::read(target.join("key")).unwrap(), b"secret");
    }

    #[test]
    fn of_two_that_make_the_same_folder_one_wins_and_the_other_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target");
        let one = Staging::new(&target).unwrap();
        let other = Staging::new(&target).unwrap();
        one.write("key", b"one", PRIVATE).unwrap();
        other.write("key", b"other", PRIVATE).unwrap();
        // Both are complete: only the renames race.
        let other_folder = other.folder.clone();
        let kept = root.path().join("kept");
        fs::rename(&other_folder, &kept).unwrap();
        one.commit().unwrap();
        fs::rename(&kept, &other_folder).unwrap();
        assert!(other.commit().unwrap_err().to_string().contains("exists already"));
        assert_eq!(fs::read(target.join("key")).unwrap(), b"one");
        assert_eq!(names(root.path()), ["target"]);
    }

    #[test]
    fn nothing_that_exists_is_overwritten_but_an_empty_folder_may_be_filled() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("empty")).unwrap();
        let staging = Staging::new(&root.path().join("empty")).unwrap();
        staging.write("key", b"secret", PRIVATE).unwrap();
        staging.commit().unwrap();
        let error = Staging::new(&root.path().join("empty")).unwrap_err();
        assert!(error.to_string().contains("never overwritten"), "{error}");
        let error = Staging::new(&root.path().join("empty/key")).unwrap_err();
        assert!(error.to_string().contains("never overwritten"), "{error}");
        Staging::new(Path::new("/")).unwrap_err();
    }

    #[test]
    fn a_replaced_file_has_the_new_contents_even_when_an_earlier_try_was_killed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("root.pem");
        fs::write(root.path().join("root.pem.unfinished"), "ha").unwrap();
        replace_file(&path, b"one", PUBLIC).unwrap();
        replace_file(&path, b"two", PUBLIC).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(names(root.path()), ["root.pem"]);
    }
}
