//! The embedded engine: SQLite with a write-ahead log, one thread that writes ([`writer`]) and a few connections that
//! read ([`readers`]).
//!
//! This file opens and closes it and says, one line per method of the traits, which file does the deed and whether it
//! is a read or a change.

mod writer;

mod readers;

pub mod backup;
mod connection;
mod migrations;
mod query;
mod source;
mod status;

mod accounts;
mod authorizations;
mod ca_certificates;
mod certificates;
mod crls;
mod feed;
mod incidents;
mod listing;
mod orders;
mod prune;
mod replacements;
mod revocations;
mod workers;

pub(crate) use migrations::ALL as MIGRATIONS;
pub(crate) use source::Source;
pub(crate) use status::status;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cairn_core::api::RevocationStore;
use cairn_core::api::crl::{CrlStore, RevokedLengths, ShardChange};
use cairn_core::api::pki::{PkiRead, RevocationEvent, RevocationPosition};
use cairn_core::api::revocations::{IncidentCertificate, IncidentEntry, KeyToSweep, StoredCertificate};
use cairn_core::api::sa::{
    CertificateStore, Intent, NewCertificate, NewOrder, NewRevocation, ProcessingOrder, RunningValidation,
    StorageAuthority, StorageRead, SubjectKey,
};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, AuthorizationProgress, CaCertificate,
    CertificateRecord, CertificateStatus, ChallengeType, CrlHead, CrlId, CrlKind, Error, Identifier,
    Incident, IncidentEnd, IncidentId, IncidentStatus, IssuerId, OrderId, OrderWithAuthorizations, Problem,
    Renewal, Result, RevokedCertificate, Serial, ShardId, Thumbprint, Timestamp, WorkerId,
};
use rusqlite::{Connection, ErrorCode};

use self::migrations::MigrationError;
use self::readers::Readers;
use self::writer::Writer;
use crate::config::Config;
use crate::error::{DbError, OpenError};
use crate::migration::newest;
use crate::prune::{Ends, Prune, Pruned};
use crate::rows::{
    AccountRow, IncidentRow, NewOrderRows, ProgressColumns, ensure_askable, ensure_recordable, json,
};

/// How long [`StorageRead::ping`] waits for the writer: a storage that needs longer for nothing is not ready.
const PING_WAIT: Duration = Duration::from_secs(1);

/// A storage in one SQLite database. Closing it ([`SqliteStorage::close`], or dropping it) waits until all that was
/// begun is stored.
pub struct SqliteStorage {
    // Dropped first: the writer's connection is closed before the readers', the last of which tidies the log away.
    writer: Arc<Writer>,
    readers: Arc<Readers>,
}

impl SqliteStorage {
    /// Opens the database that `config` names, makes it if there is none, and brings its schema up to date. Only one
    /// process may have it open: the caller sees to that.
    ///
    /// # Errors
    /// A configuration or file that cannot be used, told to the operator.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        config.validate()?;
        let unusable = |error| refusal(&config.path, MigrationError::Sqlite(error));
        let mut writer = connection::writer(&config.path).map_err(unusable)?;
        migrations::migrate(&mut writer, migrations::ALL).map_err(|error| refusal(&config.path, error))?;
        let readers: Vec<_> = (0..config.readers)
            .map(|_| connection::reader(&config.path))
            .collect::<Result<_, _>>()
            .map_err(unusable)?;
        Self::start(shared(writer), readers.into_iter().map(shared).collect(), config.queue)
    }

    /// A storage in memory, which no file ever holds and which is gone when it is dropped. It has one connection, shared
    /// by the writer and the readers: a read may wait for a group of changes, but then nothing waits for a disk.
    ///
    /// # Errors
    /// None that a running system would meet.
    pub fn open_ephemeral() -> Result<Self, OpenError> {
        let memory = || Path::new(":memory:");
        let mut connection =
            connection::in_memory().map_err(|error| refusal(memory(), MigrationError::Sqlite(error)))?;
        migrations::migrate(&mut connection, migrations::ALL).map_err(|error| refusal(memory(), error))?;
        let connection = shared(connection);
        Self::start(connection.clone(), vec![connection], Config::default().queue)
    }

    fn start(
        writer: Arc<Mutex<Connection>>,
        readers: Vec<Arc<Mutex<Connection>>>,
        queue: usize,
    ) -> Result<Self, OpenError> {
        let writer = Writer::start(writer, queue).map_err(OpenError::Thread)?;
        Ok(Self { writer: Arc::new(writer), readers: Arc::new(Readers::new(readers)) })
    }

    /// Refuses further changes, waits until those that were begun are stored, and moves the log into the database.
    /// Reads go on.
    pub async fn close(&self) {
        let writer = Arc::clone(&self.writer);
        if let Err(error) = tokio::task::spawn_blocking(move || writer.stop()).await {
            tracing::error!(%error, "the storage could not be closed");
        }
    }

    /// A read of a few rows by their keys, on the caller's thread.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, DbError>) -> Result<T> {
        self.readers.read(read).map_err(Error::from)
    }

    /// A change, by the writer.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T> {
        self.writer.submit(work).await.map_err(Error::from)
    }
}

/// Brings the schema of the database at `path` up to date, and tells `done` of each migration that was run.
pub(crate) fn migrate(
    path: &Path,
    done: &mut (dyn FnMut(u32, &'static str) + Send),
) -> Result<(), OpenError> {
    let mut db = connection::writer(path).map_err(|error| refusal(path, MigrationError::Sqlite(error)))?;
    migrations::migrate_and_tell(&mut db, migrations::ALL, done).map_err(|error| refusal(path, error))
}

fn shared(connection: Connection) -> Arc<Mutex<Connection>> {
    Arc::new(Mutex::new(connection))
}

/// Why the database at `path` is not used, for the operator.
fn refusal(path: &Path, error: MigrationError) -> OpenError {
    let path = path.display().to_string();
    match error {
        MigrationError::TooNew { found, needed } => {
            OpenError::TooNew { path, found, needed, known: newest(migrations::ALL) }
        }
        MigrationError::Foreign => OpenError::Foreign { path },
        MigrationError::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            OpenError::Foreign { path }
        }
        MigrationError::Sqlite(error) => OpenError::Unusable { path, source: error.into() },
    }
}

/// A row limit as SQLite takes it.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Prune for SqliteStorage {
    async fn prune(&self, ends: Ends) -> Result<Pruned> {
        self.change(move |db| prune::prune(db, ends)).await
    }
}

#[async_trait]
impl StorageRead for SqliteStorage {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.read(|db| accounts::by_id(db, id))
    }

    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>> {
        self.read(|db| accounts::by_key(db, thumbprint))
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        self.read(|db| query::snapshot(db, |db| orders::by_id(db, id)))
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>> {
        self.read(|db| authorizations::by_id(db, id))
    }

    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>> {
        self.read(|db| certificates::by_serial(db, serial))
    }

    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>> {
        self.read(|db| replacements::renewal(db, serial))
    }

    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.read(ca_certificates::latest)
    }

    async fn ping(&self) -> Result<()> {
        // A job that does nothing commits nothing and flushes nothing, but shows that the writer lives and takes jobs.
        let writer = tokio::time::timeout(PING_WAIT, self.writer.submit(|_| Ok(()))).await;
        writer.unwrap_or(Err(DbError::Busy("the writer does not answer")))?;
        self.read(|db| accounts::by_id(db, AccountId::from_bytes([0; 16])))?;
        Ok(())
    }
}

#[async_trait]
impl CertificateStore for SqliteStorage {
    async fn record_intent(&self, intent: Intent) -> Result<()> {
        self.change(move |db| certificates::intend(db, &intent)).await
    }

    async fn add_certificate(&self, certificate: NewCertificate) -> Result<bool> {
        self.change(move |db| certificates::insert(db, &certificate)).await
    }

    async fn record_ca_certificates(&self, certificates: Vec<CaCertificate>) -> Result<()> {
        ensure_recordable(&certificates)?;
        self.change(move |db| ca_certificates::record(db, &certificates)).await
    }

    async fn certificate_statuses(&self, serials: &[Serial]) -> Result<Vec<Option<CertificateStatus>>> {
        ensure_askable(serials)?;
        self.read(|db| serials.iter().map(|serial| certificates::status(db, serial)).collect())
    }
}

#[async_trait]
impl PkiRead for SqliteStorage {
    async fn revocation_position(&self) -> Result<RevocationPosition> {
        self.read(feed::position)
    }

    async fn revocations_after(
        &self,
        position: RevocationPosition,
        limit: usize,
    ) -> Result<Vec<RevocationEvent>> {
        self.read(|db| feed::after(db, position, limit))
    }

    async fn published_ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.ca_certificates().await
    }

    async fn crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.read(|db| crls::latest(db, shard, kind))
    }

    async fn crl_chunk(&self, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>> {
        self.read(|db| crls::chunk(db, crl, place))
    }
}

#[async_trait]
impl CrlStore for SqliteStorage {
    async fn hold_crl_shard(
        &self,
        shard: ShardId,
        holder: WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        self.change(move |db| crls::hold(db, shard, holder, now, until)).await
    }

    async fn release_crl_shard(&self, shard: ShardId, holder: WorkerId) -> Result<()> {
        self.change(move |db| crls::release(db, shard, holder)).await
    }

    async fn crls(&self, issuer: IssuerId, after: Option<CrlId>, limit: usize) -> Result<Vec<CrlHead>> {
        self.read(|db| crls::of_issuer(db, issuer, after, limit))
    }

    async fn latest_crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.read(|db| crls::latest(db, shard, kind))
    }

    async fn latest_change(&self) -> Result<RevocationPosition> {
        self.read(crls::latest_change)
    }

    async fn changes_after(&self, position: RevocationPosition, limit: usize) -> Result<Vec<ShardChange>> {
        self.read(|db| crls::changes_after(db, position, limit))
    }

    async fn revoked(
        &self,
        shard: ShardId,
        after: Option<Serial>,
        limit: usize,
    ) -> Result<Vec<RevokedCertificate>> {
        self.read(|db| crls::revoked(db, shard, after.as_ref(), limit))
    }

    async fn revoked_lengths(&self, shard: ShardId, after: Option<Serial>) -> Result<RevokedLengths> {
        self.read(|db| crls::revoked_lengths(db, shard, after.as_ref()))
    }

    async fn add_crl_chunk(&self, crl: CrlId, holder: WorkerId, place: u32, octets: Vec<u8>) -> Result<()> {
        self.change(move |db| crls::add_chunk(db, crl, holder, place, &octets)).await
    }

    async fn publish_crl(&self, crl: CrlHead, holder: WorkerId) -> Result<()> {
        self.change(move |db| crls::publish(db, &crl, holder)).await
    }

    async fn remove_crls(&self, first: CrlId, end: u64, holder: WorkerId) -> Result<bool> {
        self.change(move |db| crls::remove(db, first, end, holder)).await
    }

    async fn forget_revocations(&self, serials: Vec<Serial>, ended: Timestamp) -> Result<()> {
        self.change(move |db| crls::forget(db, &serials, ended)).await
    }
}

#[async_trait]
impl StorageAuthority for SqliteStorage {
    async fn new_account(&self, account: Account) -> Result<Option<Account>> {
        let (row, key) = (AccountRow::from(&account), account.thumbprint());
        self.change(move |db| accounts::insert(db, &row, key)).await
    }

    async fn set_contact(&self, account: AccountId, contact: Vec<String>) -> Result<Account> {
        let contact = json(&contact);
        self.change(move |db| accounts::set_contact(db, account, &contact)).await
    }

    async fn deactivate_account(&self, account: AccountId) -> Result<Account> {
        self.change(move |db| accounts::deactivate(db, account)).await
    }

    async fn revoke_account(&self, account: AccountId) -> Result<Account> {
        self.change(move |db| accounts::revoke(db, account)).await
    }

    async fn order_for_identifiers(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        profile: &str,
        until: Timestamp,
    ) -> Result<Option<OrderWithAuthorizations>> {
        self.read(|db| {
            query::snapshot(db, |db| orders::for_identifiers(db, account, identifiers, profile, until))
        })
    }

    async fn valid_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        until: Timestamp,
    ) -> Result<Vec<Option<Authorization>>> {
        self.read(|db| query::snapshot(db, |db| authorizations::valid_for(db, account, identifiers, until)))
    }

    async fn new_order_and_authorizations(&self, new: NewOrder) -> Result<()> {
        let rows = NewOrderRows::from(&new);
        self.change(move |db| orders::insert(db, &rows)).await
    }

    async fn set_authorization_processing(
        &self,
        authorization: AuthorizationId,
        challenge: ChallengeType,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<Thumbprint> {
        self.change(move |db| authorizations::set_processing(db, authorization, challenge, worker, at)).await
    }

    async fn finalize_authorization(
        &self,
        authorization: AuthorizationId,
        progress: AuthorizationProgress,
        expires: Timestamp,
    ) -> Result<()> {
        let (AuthorizationProgress::Valid { .. } | AuthorizationProgress::Invalid { .. }) = progress else {
            return Err(DbError::Misuse("an authorization ends as valid or invalid").into());
        };
        let progress = ProgressColumns::from(&progress);
        self.change(move |db| authorizations::finalize(db, authorization, &progress, expires)).await
    }

    async fn deactivate_authorization(
        &self,
        authorization: AuthorizationId,
        at: Timestamp,
    ) -> Result<Authorization> {
        self.change(move |db| authorizations::deactivate(db, authorization, at)).await
    }

    async fn set_order_processing(
        &self,
        order: OrderId,
        key: SubjectKey,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<()> {
        self.change(move |db| orders::set_processing(db, order, key, worker, at)).await
    }

    async fn set_order_error(&self, order: OrderId, problem: Problem) -> Result<()> {
        let problem = json(&problem);
        self.change(move |db| orders::set_error(db, order, &problem)).await
    }

    async fn heartbeat(&self, worker: WorkerId, at: Timestamp) -> Result<()> {
        self.change(move |db| workers::heartbeat(db, worker, at)).await
    }

    async fn retire(&self, worker: WorkerId) -> Result<()> {
        self.change(move |db| workers::retire(db, worker)).await
    }

    async fn take_abandoned_orders(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<ProcessingOrder>> {
        self.change(move |db| orders::take_abandoned(db, worker, silent_since, rows(limit))).await
    }

    async fn take_abandoned_validations(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunningValidation>> {
        self.change(move |db| authorizations::take_abandoned(db, worker, silent_since, rows(limit))).await
    }

    async fn revoke_certificate(&self, revocation: NewRevocation) -> Result<()> {
        self.change(move |db| revocations::revoke(db, &revocation)).await
    }

    async fn block_key(&self, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool> {
        self.change(move |db| revocations::block_key(db, spki_sha256, at)).await
    }

    async fn key_blocked(&self, spki_sha256: [u8; 32]) -> Result<bool> {
        self.read(|db| revocations::key_blocked(db, spki_sha256))
    }
}

#[async_trait]
impl RevocationStore for SqliteStorage {
    async fn correct_revocation(
        &self,
        serial: &Serial,
        blocked_key: Option<[u8; 32]>,
        at: Timestamp,
    ) -> Result<bool> {
        let serial = serial.clone();
        self.change(move |db| revocations::correct(db, &serial, blocked_key, at)).await
    }

    async fn certificates_after(&self, after: &[u8], limit: usize) -> Result<Vec<StoredCertificate>> {
        self.read(|db| listing::after(db, after, rows(limit)))
    }

    async fn certificates_of_key(
        &self,
        spki_sha256: [u8; 32],
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<StoredCertificate>> {
        self.read(|db| listing::of_key(db, spki_sha256, after, rows(limit)))
    }

    async fn certificates_with_serials(&self, serials: &[Serial]) -> Result<Vec<StoredCertificate>> {
        self.read(|db| query::snapshot(db, |db| listing::with_serials(db, serials)))
    }

    async fn keys_to_sweep(&self, after: Option<[u8; 32]>, limit: usize) -> Result<Vec<KeyToSweep>> {
        self.read(|db| revocations::to_sweep(db, after, rows(limit)))
    }

    async fn end_sweep(&self, key: KeyToSweep) -> Result<()> {
        self.change(move |db| revocations::end_sweep(db, key)).await
    }

    async fn certificates_without_key(&self, limit: usize) -> Result<Vec<(Serial, Vec<u8>)>> {
        self.read(|db| listing::without_key(db, rows(limit)))
    }

    async fn enter_keys(&self, keys: Vec<(Serial, [u8; 32])>) -> Result<()> {
        self.change(move |db| listing::enter_keys(db, &keys)).await
    }

    async fn replacement(&self, serial: &Serial) -> Result<Option<OrderId>> {
        self.read(|db| replacements::claimed(db, serial))
    }

    async fn set_replace_by(&self, issuer: IssuerId, by: Option<Timestamp>) -> Result<bool> {
        self.change(move |db| replacements::set_replace_by(db, issuer, by)).await
    }

    async fn new_incident(&self, incident: Incident) -> Result<()> {
        let row = IncidentRow::from(incident);
        self.change(move |db| incidents::insert(db, &row)).await
    }

    async fn stored_incident(&self, id: IncidentId) -> Result<Option<Incident>> {
        self.read(|db| incidents::by_id(db, id))
    }

    async fn stored_incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        self.read(|db| incidents::latest(db, rows(limit)))
    }

    async fn due_incidents(&self, at: Timestamp) -> Result<Vec<Incident>> {
        self.read(|db| incidents::due(db, at))
    }

    async fn add_incident_certificates(&self, id: IncidentId, entries: Vec<IncidentEntry>) -> Result<u64> {
        self.change(move |db| incidents::enter(db, id, &entries)).await
    }

    async fn set_incident_end(&self, id: IncidentId, end: IncidentEnd) -> Result<Incident> {
        self.change(move |db| incidents::set_end(db, id, &end)).await
    }

    async fn close_incident(&self, id: IncidentId, status: IncidentStatus) -> Result<Incident> {
        self.change(move |db| incidents::close(db, id, status)).await
    }

    async fn incident_certificates(
        &self,
        id: IncidentId,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<IncidentCertificate>> {
        self.read(|db| query::snapshot(db, |db| incidents::certificates(db, id, after, rows(limit))))
    }

    async fn incident_to_do(&self, id: IncidentId, limit: usize) -> Result<Vec<Serial>> {
        self.read(|db| incidents::to_do(db, id, limit))
    }

    async fn set_incident_done(&self, id: IncidentId, serials: Vec<Serial>) -> Result<()> {
        self.change(move |db| incidents::set_done(db, id, &serials)).await
    }

    async fn set_incident_replaced(&self, id: IncidentId, by: Vec<IncidentEntry>) -> Result<u64> {
        self.change(move |db| incidents::set_replaced(db, id, &by)).await
    }
}

/// Every statement that a request or the sweeper runs.
#[cfg(test)]
pub(crate) fn statements() -> impl Iterator<Item = &'static str> {
    [
        accounts::STATEMENTS,
        authorizations::STATEMENTS,
        ca_certificates::STATEMENTS,
        certificates::STATEMENTS,
        crls::STATEMENTS,
        feed::STATEMENTS,
        incidents::STATEMENTS,
        listing::STATEMENTS,
        orders::STATEMENTS,
        prune::STATEMENTS,
        replacements::STATEMENTS,
        revocations::STATEMENTS,
        workers::STATEMENTS,
    ]
    .concat()
    .into_iter()
}

#[cfg(test)]
mod plans;
#[cfg(test)]
mod steps;
