//! What a front end for relying parties reads of the storage: which certificates are revoked, in the order in which that
//! happened, and the CRLs.

use async_trait::async_trait;

use crate::certificate::{CaCertificate, IssuerId, Revocation, Serial};
use crate::crl::{CrlHead, CrlId, CrlKind, ShardId};
use crate::error::Result;

/// A place in the order of revocations. Every revocation, and every later change of one, has its own, higher than that of all that were
/// stored before: whoever has read up to a place has missed nothing below it. Places rise on after a restore from a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationPosition(i64);

impl RevocationPosition {
    /// From its number, at least 0; below every place there is 0.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// A certificate that was revoked, or whose revocation was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationEvent {
    /// Its place among all.
    pub position: RevocationPosition,
    /// Which certificate.
    pub serial: Serial,
    /// Who issued it.
    pub issuer: IssuerId,
    /// How it is revoked now.
    pub revocation: Revocation,
}

/// How many events are told at once, at most.
pub const MAX_REVOCATION_EVENTS: usize = 1000;

/// Reads what is published.
#[async_trait]
pub trait PkiRead: Send + Sync {
    /// The place of the latest revocation: from here on [`PkiRead::revocations_after`] tells what is new.
    async fn revocation_position(&self) -> Result<RevocationPosition>;

    /// What was revoked after `position`, in order: at most `limit`, and at most [`MAX_REVOCATION_EVENTS`]. A certificate whose revocation
    /// was changed stands at its later place alone. What has long ended may be missing.
    async fn revocations_after(
        &self,
        position: RevocationPosition,
        limit: usize,
    ) -> Result<Vec<RevocationEvent>>;

    /// The CA certificates that were recorded, as [`StorageRead::ca_certificates`](super::StorageRead::ca_certificates) tells them: those
    /// of the issuers are among them.
    async fn published_ca_certificates(&self) -> Result<Vec<CaCertificate>>;

    /// The latest CRL of this shard and kind.
    async fn crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>>;

    /// A piece of a CRL, by its place from 0 on. `None` if there is no such CRL any more: one that is no longer the latest is kept for a
    /// while.
    async fn crl_chunk(&self, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>>;
}
