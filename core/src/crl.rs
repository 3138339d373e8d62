//! The CRLs of a CA as they are stored (RFC 5280 §5): which there are, and in what pieces their octets lie.

use std::fmt;

use crate::api::pki::RevocationPosition;
use crate::certificate::{CrlShard, IssuerId, Revocation, Serial};
use crate::time::Timestamp;

/// Octets in a piece of a CRL; the last has what is left. So small that messages and rows stay small, so large that a list of a million
/// certificates has two hundred.
pub const CRL_CHUNK: usize = 256 * 1024;

/// Whose revoked certificates a list is about, and which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId {
    /// Who issued them.
    pub issuer: IssuerId,
    /// Which of the issuer's lists.
    pub shard: CrlShard,
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.issuer, self.shard)
    }
}

/// What a list tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrlKind {
    /// All that is revoked.
    Complete,
    /// What was revoked since a complete CRL (RFC 5280 §5.2.4).
    Delta,
}

impl CrlKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Complete, Self::Delta];
}

/// One CRL. Those of one shard and kind are ordered by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlId {
    /// What it is about.
    pub shard: ShardId,
    /// What it tells.
    pub kind: CrlKind,
    /// Its number (RFC 5280 §5.2.3).
    pub number: u64,
}

/// All of a CRL but its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlHead {
    /// Which.
    pub id: CrlId,
    /// When it was made.
    pub this_update: Timestamp,
    /// By when there is another.
    pub next_update: Timestamp,
    /// Of a delta CRL: the number of the complete one that it goes with.
    pub base: Option<u64>,
    /// It tells of every revocation up to this place.
    pub position: RevocationPosition,
    /// How many certificates it lists.
    pub entries: u64,
    /// Octets of its DER.
    pub length: u64,
    /// The SHA-256 of its DER.
    pub sha256: [u8; 32],
}

impl CrlHead {
    /// In how many pieces its octets lie.
    #[must_use]
    pub fn chunks(&self) -> u32 {
        u32::try_from(self.length.div_ceil(CRL_CHUNK as u64)).unwrap_or(u32::MAX)
    }
}

/// A revoked certificate, as a list tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial.
    pub serial: Serial,
    /// When it ends; some time after that no list need tell of it.
    pub not_after: Timestamp,
    /// When and why it was revoked.
    pub revocation: Revocation,
    /// The place of the revocation among all.
    pub position: RevocationPosition,
}
