//! The files of a hierarchy: how many there may be, how long they may be, and which of them count. Who installs holds itself to the same as
//! who serves.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cairn_ceremony::bundle::MAX_BUNDLE;
use cairn_x509::Certificate;

/// Longest file in bytes: a response, and a CRL in it with some ten thousand entries.
const MAX_FILE: u64 = MAX_BUNDLE as u64;
/// Most things of a kind: far more than a hierarchy has.
const MAX_ENTRIES: usize = 256;

/// The paths in a folder in their order, of files with this extension if one is asked for; none if there is no folder. What is being made
/// there has a hidden name, and is left out.
///
/// # Errors
/// If the folder cannot be read, or holds too many.
pub fn entries(folder: &Path, extension: Option<&str>) -> Result<Vec<PathBuf>> {
    let cannot_read = || format!("cannot look into {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(cannot_read)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(cannot_read)?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let wanted = extension.is_none_or(|extension| path.extension().is_some_and(|it| it == extension));
        if !hidden && wanted {
            found.push(path);
        }
        ensure!(
            found.len() <= MAX_ENTRIES,
            "{} holds more than {MAX_ENTRIES} entries; take out what does not belong there",
            folder.display()
        );
    }
    found.sort();
    Ok(found)
}

/// Reads a file that is no longer than any of ours.
///
/// # Errors
/// If it cannot be read, or is longer.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot_read = || format!("cannot read {}", path.display());
    // Before it is opened: to open a pipe would be to wait for its other end.
    ensure!(fs::metadata(path).with_context(cannot_read)?.is_file(), "{} is no file", path.display());
    let mut contents = Vec::new();
    let file = File::open(path).with_context(cannot_read)?;
    file.take(MAX_FILE + 1).read_to_end(&mut contents).with_context(cannot_read)?;
    ensure!(u64::try_from(contents.len())? <= MAX_FILE, "{} is longer than {MAX_FILE} bytes", path.display());
    Ok(contents)
}

/// The same, if it is there.
///
/// # Errors
/// As [`read`].
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(path).map(Some),
    }
}

/// The same as [`read`], of text.
///
/// # Errors
/// As [`read`], or if it is no text.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).ok().with_context(|| format!("{} is no text", path.display()))
}

/// Reads one PEM certificate.
///
/// # Errors
/// As [`read_text`], or if it is none.
pub fn read_certificate(path: &Path) -> Result<Certificate> {
    Certificate::from_pem(&read_text(path)?).with_context(|| format!("{} cannot be used", path.display()))
}
