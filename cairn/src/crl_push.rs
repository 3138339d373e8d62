//! CRLs, put where others serve them: into a folder that a web server or a CDN reads, under the paths that certificates name.
//!
//! What is put there comes out of the storage, piece by piece, when it has been published. So a place that is slow or gone holds up
//! nothing: whoever asks Cairn itself has the list already. A failure is tried again until it goes well, or until there is a newer list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use cairn_ca::Crls;
use cairn_core::api::PkiRead;
use cairn_core::pki::{CRL_SUFFIX, CRLS, DELTA_SUFFIX};
use cairn_core::{CrlHead, CrlKind, Metric, ShardId};
use metrics::counter;
use serde::Deserialize;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// What is counted.
pub const METRICS: &[Metric] = &[PUSHES];

const PUSHES: Metric = Metric::counter(
    "cairn_crl_pushes_total",
    &["result"],
    "CRLs that were put where others serve them (pushed), and tries that failed.",
);

/// How often it is looked whether there is a newer list.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(10);

/// The `[crl_push]` section: where the CRLs that this process makes are put besides, for others to serve.
///
/// ```toml
/// folder = "/var/www/pki"
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A folder, made if it is not there, that a web server serves under the host of `ca.pki_url`: the CRL of an issuer's shard is the file
    /// `crls/ISSUER/SHARD.crl` in it. Files are replaced in one step, only by newer ones, and their time is that of the CRL. Default: none.
    /// Read where the role `ca` is played; several certificate authorities can share the folder.
    pub folder: Option<PathBuf>,
}

/// Puts what `crls` makes into `folder`, until this is dropped.
pub async fn push(folder: PathBuf, crls: Arc<Crls>, published: Arc<dyn PkiRead>) {
    let mut pushed: BTreeMap<(ShardId, CrlKind), u64> = BTreeMap::new();
    let mut failed: BTreeMap<(ShardId, CrlKind), Instant> = BTreeMap::new();
    loop {
        for head in crls.latest() {
            let name = (head.id.shard, head.id.kind);
            let is_known = pushed.get(&name).is_some_and(|number| *number >= head.id.number);
            let rests = failed.get(&name).is_some_and(|at| at.elapsed() < RETRY);
            if is_known || rests {
                continue;
            }
            match put(&folder, &head, published.as_ref()).await {
                Ok(()) => {
                    counter!(PUSHES.name, "result" => "pushed").increment(1);
                    if failed.remove(&name).is_some() {
                        info!(shard = %name.0, "the CRL could be put into its folder again");
                    }
                    pushed.insert(name, head.id.number);
                }
                Err(error) => {
                    counter!(PUSHES.name, "result" => "failed").increment(1);
                    let error = format!("{error:#}");
                    warn!(error, shard = %name.0, "a CRL could not be put into its folder; trying again");
                    failed.insert(name, Instant::now());
                }
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Where a list lies below the folder: as in its URL.
fn path(folder: &Path, head: &CrlHead) -> PathBuf {
    let ShardId { issuer, shard } = head.id.shard;
    let suffix = match head.id.kind {
        CrlKind::Complete => CRL_SUFFIX,
        CrlKind::Delta => DELTA_SUFFIX,
    };
    folder.join(CRLS.trim_matches('/')).join(issuer.to_string()).join(format!("{shard}{suffix}"))
}

/// Writes a list beside its place, and moves it there when it is whole and on the disk.
async fn put(folder: &Path, head: &CrlHead, published: &dyn PkiRead) -> Result<()> {
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
    let mut length = 0;
    for place in 0..head.chunks() {
        let chunk = published.crl_chunk(head.id, place).await?.context("there is a newer one by now")?;
        length += chunk.len() as u64;
        file.write_all(&chunk).await.with_context(at)?;
    }
    ensure!(length == head.length, "the CRL in the storage is damaged");
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
    use std::sync::Mutex;

    use async_trait::async_trait;
    use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
    use cairn_core::crl::CRL_CHUNK;
    use cairn_core::{CaCertificate, CrlId, CrlShard, IssuerId, Timestamp};

    use super::*;

    /// The latest list of each shard and kind.
    #[derive(Default)]
    struct Storage(Mutex<Vec<(CrlId, Vec<u8>)>>);

    #[async_trait]
    impl PkiRead for Storage {
        async fn revocation_position(&self) -> cairn_core::Result<RevocationPosition> {
            Ok(RevocationPosition::default())
        }
        async fn revocations_after(
            &self,
            _: RevocationPosition,
            _: usize,
        ) -> cairn_core::Result<Vec<RevocationEvent>> {
            Ok(Vec::new())
        }
        async fn published_ca_certificates(&self) -> cairn_core::Result<Vec<CaCertificate>> {
            Ok(Vec::new())
        }
        async fn crl(&self, _: ShardId, _: CrlKind) -> cairn_core::Result<Option<CrlHead>> {
            Ok(None)
        }
        async fn crl_chunk(&self, crl: CrlId, place: u32) -> cairn_core::Result<Option<Vec<u8>>> {
            let lists = self.0.lock().unwrap();
            let list = lists.iter().find(|(id, _)| *id == crl);
            Ok(list.and_then(|(_, octets)| octets.chunks(CRL_CHUNK).nth(place as usize)).map(<[u8]>::to_vec))
        }
    }

    fn list(storage: &Storage, kind: CrlKind, number: u64, octets: &[u8]) -> CrlHead {
        let shard = ShardId { issuer: IssuerId::from_bytes([0xab; 20]), shard: CrlShard::new(3) };
        let id = CrlId { shard, kind, number };
        storage.0.lock().unwrap().push((id, octets.to_vec()));
        let this_update = Timestamp::from_unix(1_800_000_000 + i64::try_from(number).unwrap());
        CrlHead {
            id,
            this_update,
            next_update: this_update.plus(60),
            base: None,
            position: RevocationPosition::default(),
            entries: 0,
            length: octets.len() as u64,
            sha256: [0; 32],
        }
    }

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
