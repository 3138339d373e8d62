//! What the CA needs of the storage to make CRLs: to be the only one at it, to read what is revoked, and to put what it has made where front
//! ends find it ([`PkiRead`](super::PkiRead)).
//!
//! Whoever makes the CRLs of a shard holds its lease. A lease says who shall; that only one does, the storage sees to: what is stored under
//! a lease that another one holds by now is refused. So it does no harm that clocks differ, or that a process was stopped for an hour.

use async_trait::async_trait;

use super::pki::RevocationPosition;
use crate::certificate::{IssuerId, Serial};
use crate::crl::{CrlHead, CrlId, CrlKind, RevokedCertificate, ShardId};
use crate::error::Result;
use crate::id::WorkerId;
use crate::time::Timestamp;

/// How many rows are told at once at most, where rows are told.
pub const MAX_ROWS: usize = 1000;

/// How many revoked certificates are measured at once at most.
pub const MAX_MEASURED: usize = 20_000;

/// How long the serials of some revoked certificates are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedLengths {
    /// How many they are.
    pub count: u64,
    /// The octets of their serials.
    pub serial_octets: u64,
    /// The last serial; `None` if no certificate is behind it.
    pub next: Option<Serial>,
}

/// A certificate that was revoked, or whose revocation was changed, and whose list tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardChange {
    /// Which list.
    pub shard: ShardId,
    /// The certificate.
    pub certificate: RevokedCertificate,
}

/// What the CA does with CRLs.
#[async_trait]
pub trait CrlStore: Send + Sync {
    /// Takes the lease of a shard for `holder` until `until`, or keeps it. `false` if another one has it at `now`.
    async fn hold_crl_shard(
        &self,
        shard: ShardId,
        holder: WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool>;

    /// Gives the lease back, if `holder` has it.
    async fn release_crl_shard(&self, shard: ShardId, holder: WorkerId) -> Result<()>;

    /// The CRLs of an issuer that are stored, in the order of their ids, behind `after`: at most `limit`, and at most [`MAX_ROWS`].
    async fn crls(&self, issuer: IssuerId, after: Option<CrlId>, limit: usize) -> Result<Vec<CrlHead>>;

    /// The CRL of this shard and kind with the greatest number.
    async fn latest_crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>>;

    /// The place of the latest revocation.
    async fn latest_change(&self) -> Result<RevocationPosition>;

    /// What was revoked after `position`, in order: at most `limit`, and at most [`MAX_ROWS`].
    async fn changes_after(&self, position: RevocationPosition, limit: usize) -> Result<Vec<ShardChange>>;

    /// The revoked certificates of a shard by ascending serials (octet by octet) behind `after`: at most `limit`, and at most
    /// [`MAX_ROWS`].
    async fn revoked(
        &self,
        shard: ShardId,
        after: Option<Serial>,
        limit: usize,
    ) -> Result<Vec<RevokedCertificate>>;

    /// How long they are: of at most [`MAX_MEASURED`] at once.
    async fn revoked_lengths(&self, shard: ShardId, after: Option<Serial>) -> Result<RevokedLengths>;

    /// Stores a piece of a CRL that is not published yet.
    ///
    /// # Errors
    /// `Conflict` if `holder` does not have the lease of its shard, or the piece is there.
    async fn add_crl_chunk(&self, crl: CrlId, holder: WorkerId, place: u32, octets: Vec<u8>) -> Result<()>;

    /// Publishes a CRL whose pieces are all stored. From here on it is the latest of its kind.
    ///
    /// # Errors
    /// `Conflict` if `holder` does not have the lease of its shard, if a piece is missing, or if a CRL of the shard has its number or a
    /// greater one; but a delta CRL may have that of the complete one (RFC 5280 §5.2.3).
    async fn publish_crl(&self, crl: CrlHead, holder: WorkerId) -> Result<()>;

    /// Removes the CRLs from `first` on that are before `end`, both of one shard and kind, published or not: some of their pieces. Whether
    /// there may be more.
    ///
    /// # Errors
    /// `Conflict` if `holder` does not have the lease of the shard.
    async fn remove_crls(&self, first: CrlId, end: u64, holder: WorkerId) -> Result<bool>;

    /// Forgets those of these revocations whose certificates ended before `ended`: at most [`MAX_ROWS`]. The latest of all revocations
    /// stays, so that places rise on.
    async fn forget_revocations(&self, serials: Vec<Serial>, ended: Timestamp) -> Result<()>;
}
