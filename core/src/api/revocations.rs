//! What the Storage Authority does beyond the revocation of one certificate: it looks through all of them, remembers which keys are
//! blocked and whose certificates are still looked for, and keeps incidents. For the registration authority.
//!
//! The rules are those of [`sa`](super::sa): what is reported as done is durable, every change is guarded by the state that it starts from.
//! Lists are in the order of their keys, and so long at most as their caller says.

use async_trait::async_trait;

use crate::certificate::{CertificateRecord, IssuerId, Serial};
use crate::error::Result;
use crate::id::{IncidentId, OrderId};
use crate::incident::{Incident, IncidentEnd, IncidentStatus};
use crate::time::Timestamp;

/// How long after a key was blocked certificates of that key are still looked for, in seconds. An issuance that was under way takes a
/// minute at most; that of a process which was stalled in the middle may take longer.
pub const KEY_SWEPT_FOR: i64 = 60 * 60;

/// A certificate, with what it is looked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCertificate {
    /// The certificate.
    pub record: CertificateRecord,
    /// When it was issued.
    pub issued: Timestamp,
    /// The profile of its order, for as long as that is kept.
    pub profile: Option<String>,
}

/// A key that was blocked because it is compromised, and of which certificates may still appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyToSweep {
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Until when they are looked for.
    pub until: Timestamp,
}

/// A certificate of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentEntry {
    /// Which.
    pub serial: Serial,
    /// A hash of its account and its names: what it has in common with a certificate that replaces it.
    pub subject: [u8; 16],
}

/// A certificate of an incident, and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentCertificate {
    /// Which.
    pub serial: Serial,
    /// Whether an order that replaces it was issued, or another certificate for the same account and names.
    pub replaced: bool,
    /// The certificate, while it is kept.
    pub record: Option<CertificateRecord>,
}

/// What revoking needs of the storage beyond [`StorageAuthority`](super::StorageAuthority).
#[async_trait]
pub trait RevocationStore: Send + Sync {
    /// Changes the reason of a revocation to `keyCompromise` and leaves its time as it is; blocks `blocked_key` in any case, and has its
    /// certificates looked for. `false` if that was the reason already.
    ///
    /// # Errors
    /// `NotFound` if there is no such certificate, or it is not revoked.
    async fn correct_revocation(
        &self,
        serial: &Serial,
        blocked_key: Option<[u8; 32]>,
        at: Timestamp,
    ) -> Result<bool>;

    /// Certificates whose serials come after these octets.
    async fn certificates_after(&self, after: &[u8], limit: usize) -> Result<Vec<StoredCertificate>>;

    /// The same, of those with this key. What an older program issued is found once its key was entered.
    async fn certificates_of_key(
        &self,
        spki_sha256: [u8; 32],
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<StoredCertificate>>;

    /// The certificates with these serials; those that there are not are left out.
    async fn certificates_with_serials(&self, serials: &[Serial]) -> Result<Vec<StoredCertificate>>;

    /// Keys whose certificates are looked for, behind this one.
    async fn keys_to_sweep(&self, after: Option<[u8; 32]>, limit: usize) -> Result<Vec<KeyToSweep>>;

    /// Nothing more is looked for of this key; nothing happens if it was blocked again since.
    async fn end_sweep(&self, key: KeyToSweep) -> Result<()>;

    /// Certificates that are not found by their keys yet, DER.
    async fn certificates_without_key(&self, limit: usize) -> Result<Vec<(Serial, Vec<u8>)>>;

    /// Lets certificates be found by their keys: the SHA-256 of each one's SubjectPublicKeyInfo.
    async fn enter_keys(&self, keys: Vec<(Serial, [u8; 32])>) -> Result<()>;

    /// The order that has claimed last to replace a certificate.
    async fn replacement(&self, serial: &Serial) -> Result<Option<OrderId>>;

    /// Says by when whatever an issuer has issued must be replaced, or that it stays. `false` if no such issuer was recorded.
    async fn set_replace_by(&self, issuer: IssuerId, by: Option<Timestamp>) -> Result<bool>;

    /// Stores an incident, without certificates.
    async fn new_incident(&self, incident: Incident) -> Result<()>;

    /// The incident with this id.
    async fn stored_incident(&self, id: IncidentId) -> Result<Option<Incident>>;

    /// Incidents, the latest first.
    async fn stored_incidents(&self, limit: usize) -> Result<Vec<Incident>>;

    /// Open incidents whose end was to be at this moment or before.
    async fn due_incidents(&self, at: Timestamp) -> Result<Vec<Incident>>;

    /// Enters certificates into an open incident; those that are part of it stay as they are. How many are new.
    ///
    /// # Errors
    /// `Conflict` if it is not open, `NotFound` if there is none.
    async fn add_incident_certificates(&self, id: IncidentId, entries: Vec<IncidentEntry>) -> Result<u64>;

    /// Decides when an open incident ends, in the place of what was decided before.
    ///
    /// # Errors
    /// `Conflict` if it is not open, `NotFound` if there is none.
    async fn set_incident_end(&self, id: IncidentId, end: IncidentEnd) -> Result<Incident>;

    /// Ends an open incident.
    ///
    /// # Errors
    /// `Conflict` if it is not open, `NotFound` if there is none.
    async fn close_incident(&self, id: IncidentId, status: IncidentStatus) -> Result<Incident>;

    /// The certificates of an incident, behind these octets.
    async fn incident_certificates(
        &self,
        id: IncidentId,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<IncidentCertificate>>;

    /// Certificates of an incident of which it was not said that nothing more is to be done.
    async fn incident_to_do(&self, id: IncidentId, limit: usize) -> Result<Vec<Serial>>;

    /// Says so.
    async fn set_incident_done(&self, id: IncidentId, serials: Vec<Serial>) -> Result<()>;

    /// Says that certificates of an incident were replaced by these, which have the same accounts and names. Those that are part of the
    /// incident themselves replace nothing. How many were not known to be replaced.
    async fn set_incident_replaced(&self, id: IncidentId, by: Vec<IncidentEntry>) -> Result<u64>;
}
