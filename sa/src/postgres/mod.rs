//! The engine on a database server: PostgreSQL. A use case is one statement, and those that wait at the same time are committed together;
//! [`query`] says why that is enough, [`lanes`] how it is done. One more connection holds the lock that says who uses the database
//! ([`lock`]), and follows the primary from host to host ([`hosts`]).
//!
//! This file opens and closes it and says, one line per method of the traits, which file does the deed and whether it
//! is a read or a change.

mod query;

mod lanes;
mod messages;
mod session;
mod signin;
mod values;

mod hosts;
mod lock;

mod reads;
mod replica;

mod connection;
mod migrations;
mod roles;
mod status;
mod target;

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
pub use reads::NearReads;
pub use roles::Roles;
pub(crate) use status::status;
pub(crate) use target::Target;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
use sqlx::postgres::PgConnection;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::hosts::{Host, Hosts};
use self::lock::{Hold, Keeper, LockError};
use self::migrations::MigrationError;
use self::query::Db;
use self::replica::Replica;
use crate::config::{Config, Credentials, Postgres};
use crate::error::{DbError, OpenError};
use crate::migration::newest;
use crate::prune::{Ends, Prune, Pruned};
use crate::rows::{
    AccountRow, IncidentRow, NewOrderRows, ProgressColumns, ensure_askable, ensure_recordable, json,
};

/// Why callers are refused when too many wait already.
const CROWDED: DbError = DbError::Busy("too much waits for a connection");

/// A storage in one database of a PostgreSQL server. Closing it ([`PostgresStorage::close`]) waits until all that was
/// begun is stored.
pub struct PostgresStorage {
    db: Arc<Db>,
    /// Where reads are made first.
    replica: Replica,
    /// Whether the database's lock is ours; its keeper says so.
    held: Arc<AtomicBool>,
    /// Ends the keeper; also when the storage is dropped.
    stop: CancellationToken,
    /// The keeper.
    keeper: TaskTracker,
    /// Changes. Each is a task, so that a caller that goes away does not interrupt it.
    changes: TaskTracker,
    /// A permit for everyone who uses a connection or waits for one: the queues' bound. When there is none, the database is slower than
    /// its callers, and they are told at once.
    places: Arc<Semaphore>,
}

impl PostgresStorage {
    /// Opens the database that `config` names, as one server of several, and brings its schema up to date if it is to.
    /// `credentials` hold what the files hold that it names.
    ///
    /// # Errors
    /// A configuration or database that cannot be used, told to the operator.
    pub async fn open(config: &Config, credentials: &Credentials) -> Result<Self, OpenError> {
        Self::open_with(config, credentials, Hold::Shared).await
    }

    /// The same, with nobody beside: for what must not meet a running server.
    ///
    /// # Errors
    /// The same, and [`OpenError::InUse`] while a server uses the database.
    pub async fn open_alone(config: &Config, credentials: &Credentials) -> Result<Self, OpenError> {
        Self::open_with(config, credentials, Hold::Alone).await
    }

    async fn open_with(config: &Config, credentials: &Credentials, hold: Hold) -> Result<Self, OpenError> {
        config.validate()?;
        let postgres = &config.postgres;
        let hosts = connection::options(postgres, credentials);
        let (mut first, host) = enter(postgres, &hosts, hold).await?;
        let ready = if postgres.migrate_at_start {
            migrations::migrate(&mut first, migrations::ALL).await
        } else {
            migrations::check(&mut first, migrations::ALL).await
        };
        ready.map_err(|error| refusal(postgres, error))?;
        let replica = Replica::new(postgres, connection::replica(postgres, credentials));
        Ok(Self::start(config, hosts, &host, hold, first, replica))
    }

    /// With a connection that has the lock.
    fn start(
        config: &Config,
        hosts: Hosts,
        host: &Host,
        hold: Hold,
        first: PgConnection,
        replica: Replica,
    ) -> Self {
        let postgres = &config.postgres;
        let (look, held) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(true)));
        let (keeper, stop) = (TaskTracker::new(), CancellationToken::new());
        let db = Arc::new(Db::new(postgres, host, Arc::clone(&look)));
        let keep = Keeper {
            hosts,
            hold,
            db: Arc::clone(&db),
            limit: postgres.connect_timeout.duration(),
            held: Arc::clone(&held),
            look,
            stop: stop.clone(),
        };
        keeper.spawn(keep.keep(first));
        keeper.spawn(replica.clone().watch(Arc::clone(&db), stop.clone()));
        let connections = usize::try_from(postgres.connections).unwrap_or(usize::MAX);
        Self {
            db,
            replica,
            held,
            stop,
            keeper,
            changes: TaskTracker::new(),
            places: Arc::new(Semaphore::new(connections.saturating_add(config.queue))),
        }
    }

    /// Whether it has a replica, which [`NearReads`] ask.
    pub fn has_replica(&self) -> bool {
        self.replica.is_configured()
    }

    /// Every statement that is ever run, for whoever wants to look at its plan.
    pub fn statements() -> impl Iterator<Item = &'static str> {
        let files: [&[&str]; 13] = [
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
        ];
        files.into_iter().flatten().copied()
    }

    /// How the server is told to plan them: names and values of its settings.
    pub fn planner() -> impl Iterator<Item = (&'static str, &'static str)> {
        connection::PLANNER.into_iter()
    }

    /// Refuses further changes, waits until those that were begun are stored, and lets go of the database.
    pub async fn close(&self) {
        self.changes.close();
        // Each has its bound: the waits for a connection and for an answer.
        self.changes.wait().await;
        self.db.close().await;
        self.stop.cancel();
        self.keeper.close();
        self.keeper.wait().await;
    }

    /// A read, in the caller's own task.
    async fn read<T>(&self, read: impl Future<Output = Result<T, DbError>> + Send) -> Result<T> {
        let _place = self.places.try_acquire().map_err(|_| CROWDED)?;
        read.await.map_err(Error::from)
    }

    /// A change, in a task of its own.
    async fn change<T, F>(&self, work: impl FnOnce(Arc<Db>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbError>> + Send + 'static,
    {
        if self.changes.is_closed() {
            return Err(DbError::Busy("it is being closed").into());
        }
        self.ensure_held()?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| CROWDED)?;
        let work = work(Arc::clone(&self.db));
        let change = self.changes.spawn(async move {
            let _place = place;
            work.await
        });
        change
            .await
            .unwrap_or(Err(DbError::Stopped("a change has panicked or was cancelled")))
            .map_err(Error::from)
    }

    fn ensure_held(&self) -> Result<(), DbError> {
        if self.held.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(DbError::Busy("the lock on the database is lost, and is being taken again"))
    }
}

impl Drop for PostgresStorage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Connects to the database's primary and takes its lock, if it is a database for us. The connection has the lock until it
/// ends.
async fn enter(config: &Postgres, hosts: &Hosts, hold: Hold) -> Result<(PgConnection, Host), OpenError> {
    let tries = u32::try_from(hosts.all.len()).unwrap_or(u32::MAX);
    let limit = hosts.limit.saturating_mul(tries.saturating_add(1)) + lock::TAKE_WAIT;
    let entry = timeout(limit, async {
        let failed = |error: sqlx::Error| unreachable(config, error);
        let (mut first, host) = hosts.any().await.map_err(failed)?;
        if let Some(why) = connection::unsuitable(&mut first).await.map_err(failed)? {
            return Err(OpenError::Unsuitable { database: name(config), why });
        }
        match (lock::take(&mut first, hold).await, hold) {
            (Ok(()), _) => Ok((first, host)),
            (Err(LockError::Taken), Hold::Alone) => Err(OpenError::InUse { database: name(config) }),
            (Err(LockError::Taken), Hold::Shared) => Err(OpenError::Reserved { database: name(config) }),
            (Err(LockError::Postgres(error)), _) => Err(failed(error)),
        }
    });
    entry.await.unwrap_or_else(|_| Err(unreachable(config, io::Error::from(io::ErrorKind::TimedOut))))
}

/// Brings the schema up to date, and tells `done` of each migration that was run. Servers may run meanwhile.
pub(crate) async fn migrate(
    config: &Postgres,
    credentials: &Credentials,
    done: &mut (dyn FnMut(u32, &'static str) + Send),
) -> Result<(), OpenError> {
    let (mut db, _) = enter(config, &connection::options(config, credentials), Hold::Shared).await?;
    while let Some(number) =
        migrations::step(&mut db, migrations::ALL).await.map_err(|error| refusal(config, error))?
    {
        let migration =
            usize::try_from(number).ok().and_then(|number| migrations::ALL.get(number.checked_sub(1)?));
        done(number, migration.map_or("", |migration| migration.name));
    }
    Ok(())
}

fn unreachable(config: &Postgres, error: impl StdError + Send + Sync + 'static) -> OpenError {
    OpenError::Unreachable { database: name(config), source: error.into() }
}

/// The database and its server, for the operator.
fn name(config: &Postgres) -> String {
    let places: Vec<_> = config.places().iter().map(ToString::to_string).collect();
    format!("{} on {}, as {},", config.database, places.join(" or "), config.user)
}

/// Why the database is not used, for the operator.
fn refusal(config: &Postgres, error: MigrationError) -> OpenError {
    let path = name(config);
    match error {
        MigrationError::TooNew { found, needed } => {
            OpenError::TooNew { path, found, needed, known: newest(migrations::ALL) }
        }
        MigrationError::TooOld { found } => {
            OpenError::TooOld { database: path, found, needed: newest(migrations::ALL) }
        }
        MigrationError::Foreign => OpenError::Foreign { path },
        MigrationError::Postgres(error) => unreachable(config, error),
    }
}

/// A row limit as PostgreSQL takes it.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Prune for PostgresStorage {
    async fn prune(&self, ends: Ends) -> Result<Pruned> {
        self.change(move |db| async move { prune::prune(&db, ends).await }).await
    }
}

#[async_trait]
impl StorageRead for PostgresStorage {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.read(accounts::by_id(self.db.as_ref(), id)).await
    }

    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>> {
        self.read(accounts::by_key(&self.db, thumbprint)).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        self.read(orders::by_id(self.db.as_ref(), id)).await
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>> {
        self.read(authorizations::by_id(self.db.as_ref(), id)).await
    }

    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>> {
        self.read(certificates::by_serial(self.db.as_ref(), serial)).await
    }

    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>> {
        self.read(replacements::renewal(self.db.as_ref(), serial)).await
    }

    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.read(ca_certificates::latest(&self.db)).await
    }

    async fn ping(&self) -> Result<()> {
        // A storage that refuses changes is not ready.
        self.ensure_held()?;
        self.read(self.db.ping()).await
    }
}

#[async_trait]
impl CertificateStore for PostgresStorage {
    async fn record_intent(&self, intent: Intent) -> Result<()> {
        self.change(|db| async move { certificates::intend(&db, &intent).await }).await
    }

    async fn add_certificate(&self, certificate: NewCertificate) -> Result<bool> {
        self.change(|db| async move { certificates::insert(&db, &certificate).await }).await
    }

    async fn record_ca_certificates(&self, certificates: Vec<CaCertificate>) -> Result<()> {
        ensure_recordable(&certificates)?;
        self.change(|db| async move { ca_certificates::record(&db, &certificates).await }).await
    }

    /// Mostly there is one. Several are not one snapshot, and need not be: each is as it is when it is read.
    async fn certificate_statuses(&self, serials: &[Serial]) -> Result<Vec<Option<CertificateStatus>>> {
        ensure_askable(serials)?;
        let mut statuses = Vec::with_capacity(serials.len());
        for serial in serials {
            statuses.push(self.read(certificates::status(&self.db, serial)).await?);
        }
        Ok(statuses)
    }
}

#[async_trait]
impl PkiRead for PostgresStorage {
    async fn revocation_position(&self) -> Result<RevocationPosition> {
        self.read(feed::position(&self.db)).await
    }

    async fn revocations_after(
        &self,
        position: RevocationPosition,
        limit: usize,
    ) -> Result<Vec<RevocationEvent>> {
        self.read(feed::after(&self.db, position, limit)).await
    }

    async fn published_ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.ca_certificates().await
    }

    async fn crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.read(crls::latest(&self.db, shard, kind)).await
    }

    async fn crl_chunk(&self, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>> {
        self.read(crls::chunk(&self.db, crl, place)).await
    }
}

#[async_trait]
impl CrlStore for PostgresStorage {
    async fn hold_crl_shard(
        &self,
        shard: ShardId,
        holder: WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        self.change(move |db| async move { crls::hold(&db, shard, holder, now, until).await }).await
    }

    async fn release_crl_shard(&self, shard: ShardId, holder: WorkerId) -> Result<()> {
        self.change(move |db| async move { crls::release(&db, shard, holder).await }).await
    }

    async fn crls(&self, issuer: IssuerId, after: Option<CrlId>, limit: usize) -> Result<Vec<CrlHead>> {
        self.read(crls::of_issuer(&self.db, issuer, after, limit)).await
    }

    async fn latest_crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.read(crls::latest(&self.db, shard, kind)).await
    }

    async fn latest_change(&self) -> Result<RevocationPosition> {
        self.read(crls::latest_change(&self.db)).await
    }

    async fn changes_after(&self, position: RevocationPosition, limit: usize) -> Result<Vec<ShardChange>> {
        self.read(crls::changes_after(&self.db, position, limit)).await
    }

    async fn revoked(
        &self,
        shard: ShardId,
        after: Option<Serial>,
        limit: usize,
    ) -> Result<Vec<RevokedCertificate>> {
        self.read(crls::revoked(&self.db, shard, after.as_ref(), limit)).await
    }

    async fn revoked_lengths(&self, shard: ShardId, after: Option<Serial>) -> Result<RevokedLengths> {
        self.read(crls::revoked_lengths(&self.db, shard, after.as_ref())).await
    }

    async fn add_crl_chunk(&self, crl: CrlId, holder: WorkerId, place: u32, octets: Vec<u8>) -> Result<()> {
        self.change(move |db| async move { crls::add_chunk(&db, crl, holder, place, &octets).await }).await
    }

    async fn publish_crl(&self, crl: CrlHead, holder: WorkerId) -> Result<()> {
        self.change(move |db| async move { crls::publish(&db, &crl, holder).await }).await
    }

    async fn remove_crls(&self, first: CrlId, end: u64, holder: WorkerId) -> Result<bool> {
        self.change(move |db| async move { crls::remove(&db, first, end, holder).await }).await
    }

    async fn forget_revocations(&self, serials: Vec<Serial>, ended: Timestamp) -> Result<()> {
        self.change(move |db| async move { crls::forget(&db, &serials, ended).await }).await
    }
}

#[async_trait]
impl StorageAuthority for PostgresStorage {
    async fn new_account(&self, account: Account) -> Result<Option<Account>> {
        let (row, key) = (AccountRow::from(&account), account.thumbprint());
        self.change(|db| async move { accounts::insert(&db, &row, key).await }).await
    }

    async fn set_contact(&self, account: AccountId, contact: Vec<String>) -> Result<Account> {
        let contact = json(&contact);
        self.change(|db| async move { accounts::set_contact(&db, account, &contact).await }).await
    }

    async fn deactivate_account(&self, account: AccountId) -> Result<Account> {
        self.change(|db| async move { accounts::deactivate(&db, account).await }).await
    }

    async fn revoke_account(&self, account: AccountId) -> Result<Account> {
        self.change(|db| async move { accounts::revoke(&db, account).await }).await
    }

    async fn order_for_identifiers(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        profile: &str,
        until: Timestamp,
    ) -> Result<Option<OrderWithAuthorizations>> {
        self.read(orders::for_identifiers(&self.db, account, identifiers, profile, until)).await
    }

    async fn valid_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        until: Timestamp,
    ) -> Result<Vec<Option<Authorization>>> {
        self.read(authorizations::valid_for(&self.db, account, identifiers, until)).await
    }

    async fn new_order_and_authorizations(&self, new: NewOrder) -> Result<()> {
        let rows = NewOrderRows::from(&new);
        self.change(|db| async move { orders::insert(&db, rows).await }).await
    }

    async fn set_authorization_processing(
        &self,
        authorization: AuthorizationId,
        challenge: ChallengeType,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<Thumbprint> {
        self.change(|db| async move {
            authorizations::set_processing(&db, authorization, challenge, worker, at).await
        })
        .await
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
        self.change(
            |db| async move { authorizations::finalize(&db, authorization, &progress, expires).await },
        )
        .await
    }

    async fn deactivate_authorization(
        &self,
        authorization: AuthorizationId,
        at: Timestamp,
    ) -> Result<Authorization> {
        self.change(|db| async move { authorizations::deactivate(&db, authorization, at).await }).await
    }

    async fn set_order_processing(
        &self,
        order: OrderId,
        key: SubjectKey,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<()> {
        self.change(move |db| async move { orders::set_processing(&db, order, key, worker, at).await }).await
    }

    async fn set_order_error(&self, order: OrderId, problem: Problem) -> Result<()> {
        let problem = json(&problem);
        self.change(|db| async move { orders::set_error(&db, order, &problem).await }).await
    }

    async fn heartbeat(&self, worker: WorkerId, at: Timestamp) -> Result<()> {
        self.change(|db| async move { workers::heartbeat(&db, worker, at).await }).await
    }

    async fn retire(&self, worker: WorkerId) -> Result<()> {
        self.change(|db| async move { workers::retire(&db, worker).await }).await
    }

    async fn take_abandoned_orders(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<ProcessingOrder>> {
        let limit = rows(limit);
        self.change(|db| async move { orders::take_abandoned(&db, worker, silent_since, limit).await }).await
    }

    async fn take_abandoned_validations(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunningValidation>> {
        let limit = rows(limit);
        self.change(
            |db| async move { authorizations::take_abandoned(&db, worker, silent_since, limit).await },
        )
        .await
    }

    async fn revoke_certificate(&self, revocation: NewRevocation) -> Result<()> {
        self.change(|db| async move { revocations::revoke(&db, &revocation).await }).await
    }

    async fn block_key(&self, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool> {
        self.change(move |db| async move { revocations::block_key(&db, spki_sha256, at).await }).await
    }

    async fn key_blocked(&self, spki_sha256: [u8; 32]) -> Result<bool> {
        self.read(revocations::key_blocked(&self.db, spki_sha256)).await
    }
}

#[async_trait]
impl RevocationStore for PostgresStorage {
    async fn correct_revocation(
        &self,
        serial: &Serial,
        blocked_key: Option<[u8; 32]>,
        at: Timestamp,
    ) -> Result<bool> {
        let serial = serial.clone();
        self.change(move |db| async move { revocations::correct(&db, &serial, blocked_key, at).await }).await
    }

    async fn certificates_after(&self, after: &[u8], limit: usize) -> Result<Vec<StoredCertificate>> {
        self.read(listing::after(&self.db, after, rows(limit))).await
    }

    async fn certificates_of_key(
        &self,
        spki_sha256: [u8; 32],
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<StoredCertificate>> {
        self.read(listing::of_key(&self.db, spki_sha256, after, rows(limit))).await
    }

    async fn certificates_with_serials(&self, serials: &[Serial]) -> Result<Vec<StoredCertificate>> {
        self.read(listing::with_serials(&self.db, serials)).await
    }

    async fn keys_to_sweep(&self, after: Option<[u8; 32]>, limit: usize) -> Result<Vec<KeyToSweep>> {
        self.read(revocations::to_sweep(&self.db, after, rows(limit))).await
    }

    async fn end_sweep(&self, key: KeyToSweep) -> Result<()> {
        self.change(move |db| async move { revocations::end_sweep(&db, key).await }).await
    }

    async fn certificates_without_key(&self, limit: usize) -> Result<Vec<(Serial, Vec<u8>)>> {
        self.read(listing::without_key(&self.db, rows(limit))).await
    }

    async fn enter_keys(&self, keys: Vec<(Serial, [u8; 32])>) -> Result<()> {
        self.change(move |db| async move { listing::enter_keys(&db, &keys).await }).await
    }

    async fn replacement(&self, serial: &Serial) -> Result<Option<OrderId>> {
        self.read(replacements::claimed(&self.db, serial)).await
    }

    async fn set_replace_by(&self, issuer: IssuerId, by: Option<Timestamp>) -> Result<bool> {
        self.change(move |db| async move { replacements::set_replace_by(&db, issuer, by).await }).await
    }

    async fn new_incident(&self, incident: Incident) -> Result<()> {
        let row = IncidentRow::from(incident);
        self.change(move |db| async move { incidents::insert(&db, &row).await }).await
    }

    async fn stored_incident(&self, id: IncidentId) -> Result<Option<Incident>> {
        self.read(incidents::by_id(&self.db, id)).await
    }

    async fn stored_incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        self.read(incidents::latest(&self.db, rows(limit))).await
    }

    async fn due_incidents(&self, at: Timestamp) -> Result<Vec<Incident>> {
        self.read(incidents::due(&self.db, at)).await
    }

    async fn add_incident_certificates(&self, id: IncidentId, entries: Vec<IncidentEntry>) -> Result<u64> {
        self.change(move |db| async move { incidents::enter(&db, id, &entries).await }).await
    }

    async fn set_incident_end(&self, id: IncidentId, end: IncidentEnd) -> Result<Incident> {
        self.change(move |db| async move { incidents::set_end(&db, id, &end).await }).await
    }

    async fn close_incident(&self, id: IncidentId, status: IncidentStatus) -> Result<Incident> {
        self.change(move |db| async move { incidents::close(&db, id, status).await }).await
    }

    async fn incident_certificates(
        &self,
        id: IncidentId,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<IncidentCertificate>> {
        self.read(incidents::certificates(&self.db, id, after, rows(limit))).await
    }

    async fn incident_to_do(&self, id: IncidentId, limit: usize) -> Result<Vec<Serial>> {
        self.read(incidents::to_do(&self.db, id, limit)).await
    }

    async fn set_incident_done(&self, id: IncidentId, serials: Vec<Serial>) -> Result<()> {
        self.change(move |db| async move { incidents::set_done(&db, id, &serials).await }).await
    }

    async fn set_incident_replaced(&self, id: IncidentId, by: Vec<IncidentEntry>) -> Result<u64> {
        self.change(move |db| async move { incidents::set_replaced(&db, id, &by).await }).await
    }
}
