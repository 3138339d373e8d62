//! A folder that a web server or a CDN reads.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use cairn_core::CrlHead;
use cairn_core::api::PkiRead;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use super::{Pieces, parts};

/// Where a list lies below the folder.
fn path(folder: &Path, head: &CrlHead) -> PathBuf {
    parts(head).iter().fold(folder.to_owned(), |path, part| path.join(part))
}

/// Writes a list beside its place, and moves it there when it is whole and on the disk.
pub(super) async fn put(folder: &Path, head: &CrlHead, published: &dyn PkiRead) -> Result<()> {
    let path = path(folder, head);
    let made = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(head.this_update.unix())?);
    // Another certificate authority may have put a newer one there.
    if fs::metadata(&path).await.and_then(|there| there.modified()).is_ok_and(|there| there > made) {
        return Ok(());
    }
    let parent = path.parent().context("a file lies in a folder")?;
    let at = || format!("{}", parent.display());
    fs::create_dir_all(parent).await.with_context(at)?;
    // Of this process alone; what a killed one has left is written over by the next with its number.
    let draft = parent.join(format!(".{}.{}", head.id.number, std::process::id()));
    let written = write(&draft, head, made, published).await;
    let moved = match written {
        Ok(()) => fs::rename(&draft, &path).await.with_context(at),
        Err(error) => Err(error),
    };
    if moved.is_err() {
        let _gone = fs::remove_file(&draft).await;
    }
    moved
}

async fn write(draft: &Path, head: &CrlHead, made: SystemTime, published: &dyn PkiRead) -> Result<()> {
    let at = || format!("{}", draft.display());
    let mut file = File::create(draft).await.with_context(at)?;
    let mut pieces = Pieces::new(head, published);
    while let Some(piece) = pieces.next().await? {
        file.write_all(&piece).await.with_context(at)?;
    }
    file.flush().await.with_context(at)?;
    let file = file.into_std().await;
    let kept = tokio::task::spawn_blocking(move || {
        file.set_modified(made)?;
        file.sync_all()
    });
    kept.await?.with_context(at)
}

#[cfg(test)]
mod tests {
    use cairn_core::CrlKind;
    use cairn_core::crl::CRL_CHUNK;

    use super::super::fake::{Storage, list};
    use super::*;

    #[tokio::test]
    async fn a_list_lies_where_its_url_says_and_is_replaced_by_newer_ones_alone() {
        let (folder, storage) = (tempfile::tempdir().unwrap(), Storage::default());
        let root = folder.path().join("pki");
        let lies = root.join(format!("crls/{}/3.crl", "ab".repeat(20)));
        let long = vec![7; CRL_CHUNK + 5];
        let (one, two) =
            (list(&storage, CrlKind::Complete, 1, &long), list(&storage, CrlKind::Complete, 2, b"two"));
        put(&root, &one, &storage).await.unwrap();
        assert!(std::fs::read(&lies).unwrap() == long);
        let at = lies.metadata().unwrap().modified().unwrap();
        assert_eq!(at, SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_001));
        put(&root, &two, &storage).await.unwrap();
        assert_eq!(std::fs::read(&lies).unwrap(), b"two");
        put(&root, &one, &storage).await.unwrap();
        assert_eq!(std::fs::read(&lies).unwrap(), b"two");
        let delta = list(&storage, CrlKind::Delta, 2, b"delta");
        put(&root, &delta, &storage).await.unwrap();
        assert_eq!(std::fs::read(lies.with_file_name("3-delta.crl")).unwrap(), b"delta");
        // Nothing else is left there.
        assert_eq!(lies.parent().unwrap().read_dir().unwrap().count(), 2);
    }

    #[tokio::test]
    async fn what_fails_leaves_what_was_there() {
        let (folder, storage) = (tempfile::tempdir().unwrap(), Storage::default());
        let one = list(&storage, CrlKind::Complete, 1, b"one");
        put(folder.path(), &one, &storage).await.unwrap();
        // One that is gone, and one that is not whole.
        let mut two = list(&storage, CrlKind::Complete, 2, b"two");
        two.length += 1;
        assert!(put(folder.path(), &two, &storage).await.is_err());
        two.id.number = 3;
        assert!(put(folder.path(), &two, &storage).await.is_err());
        let lies = path(folder.path(), &one);
        assert_eq!(std::fs::read(&lies).unwrap(), b"one");
        assert_eq!(lies.parent().unwrap().read_dir().unwrap().count(), 1);
        // A folder that cannot be made.
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(put(&folder.path().join("file"), &one, &storage).await.is_err());
    }
}
