//! CRLs, put where others serve them, under the paths that certificates name: into a folder that a web server or a CDN reads
//! (`folder.rs`), and into a bucket of an S3-compatible store (`s3.rs`).
//!
//! What is put there comes out of the storage, piece by piece, when it has been published. So a place that is slow or gone holds up
//! nothing: whoever asks Cairn itself has the list already, and each place is looked after by a task of its own. A failure is tried again
//! until it goes well, or until there is a newer list.

mod dial;
mod folder;
mod s3;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cairn_ca::Crls;
use cairn_core::api::PkiRead;
use cairn_core::pki::{CRL_SUFFIX, CRLS, DELTA_SUFFIX};
use cairn_core::{CrlHead, CrlKind, Metric, ShardId};
use metrics::counter;
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use self::s3::Bucket;
pub use self::s3::Config as S3Config;

/// What is counted.
pub const METRICS: &[Metric] = &[PUSHES];

const PUSHES: Metric = Metric::counter(
    "cairn_crl_pushes_total",
    &["place", "result"],
    "CRLs that were put where others serve them (pushed), and tries that failed; the place is folder or s3.",
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
    /// A bucket of an S3-compatible store, which may go with a folder. Default: none.
    pub s3: Option<S3Config>,
}

impl Config {
    /// Opens the places that the section names. Nothing is sent anywhere yet.
    ///
    /// # Errors
    /// If the section is not valid, or a file that it names cannot be used. The text says what to do.
    pub fn places(&self) -> Result<Vec<Place>> {
        let bucket = self.s3.as_ref().map(Bucket::open).transpose().context("s3")?;
        let folder = self.folder.clone().map(Place::Folder);
        Ok(folder.into_iter().chain(bucket.map(Place::S3)).collect())
    }
}

/// Where others fetch CRLs.
#[derive(Debug)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A bucket.
    S3(Bucket),
}

impl Place {
    const fn name(&self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::S3(_) => "s3",
        }
    }

    async fn put(&self, head: &CrlHead, published: &dyn PkiRead) -> Result<()> {
        match self {
            Self::Folder(folder) => folder::put(folder, head, published).await,
            Self::S3(bucket) => bucket.put(head, published).await,
        }
    }
}

/// Puts what `crls` makes into `place`, until this is dropped.
pub async fn push(place: Place, crls: Arc<Crls>, published: Arc<dyn PkiRead>) {
    let (mut pushed, mut failed) = (BTreeMap::new(), BTreeMap::new());
    loop {
        for head in crls.latest() {
            push_one(&place, &head, published.as_ref(), &mut pushed, &mut failed).await;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Which of a shard's lists.
type Name = (ShardId, CrlKind);

async fn push_one(
    place: &Place,
    head: &CrlHead,
    published: &dyn PkiRead,
    pushed: &mut BTreeMap<Name, u64>,
    failed: &mut BTreeMap<Name, Instant>,
) {
    let name = (head.id.shard, head.id.kind);
    let is_known = pushed.get(&name).is_some_and(|number| *number >= head.id.number);
    let rests = failed.get(&name).is_some_and(|at| at.elapsed() < RETRY);
    if is_known || rests {
        return;
    }
    let (shard, to) = (head.id.shard, place.name());
    match place.put(head, published).await {
        Ok(()) => {
            counter!(PUSHES.name, "place" => to, "result" => "pushed").increment(1);
            if failed.remove(&name).is_some() {
                info!(%shard, place = to, "the CRL could be put where others serve it again");
            }
            pushed.insert(name, head.id.number);
        }
        Err(error) => {
            counter!(PUSHES.name, "place" => to, "result" => "failed").increment(1);
            let error = format!("{error:#}");
            warn!(error, %shard, place = to, "a CRL could not be put where others serve it; trying again");
            failed.insert(name, Instant::now());
        }
    }
}

/// Where a list lies in a place, in the parts of its path: as in its URL.
fn parts(head: &CrlHead) -> [String; 3] {
    let ShardId { issuer, shard } = head.id.shard;
    let suffix = match head.id.kind {
        CrlKind::Complete => CRL_SUFFIX,
        CrlKind::Delta => DELTA_SUFFIX,
    };
    [CRLS.trim_matches('/').to_owned(), issuer.to_string(), format!("{shard}{suffix}")]
}

/// A list's pieces, out of the storage.
struct Pieces<'a> {
    head: &'a CrlHead,
    published: &'a dyn PkiRead,
    place: u32,
    length: u64,
}

impl<'a> Pieces<'a> {
    fn new(head: &'a CrlHead, published: &'a dyn PkiRead) -> Self {
        Self { head, published, place: 0, length: 0 }
    }

    /// The next piece; none behind the last, when all of them together are as long as they must be.
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.place == self.head.chunks() {
            ensure!(self.length == self.head.length, "the CRL in the storage is damaged");
            return Ok(None);
        }
        let piece = self.published.crl_chunk(self.head.id, self.place).await?;
        let piece = piece.context("there is a newer one by now")?;
        self.place += 1;
        self.length += piece.len() as u64;
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod fake {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
    use cairn_core::crl::CRL_CHUNK;
    use cairn_core::{CaCertificate, CrlId, CrlShard, IssuerId, Timestamp};

    use super::*;

    /// The latest list of each shard and kind.
    #[derive(Default)]
    pub(super) struct Storage(Mutex<Vec<(CrlId, Vec<u8>)>>);

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

    pub(super) fn list(storage: &Storage, kind: CrlKind, number: u64, octets: &[u8]) -> CrlHead {
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
}
