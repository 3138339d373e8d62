//! How statements are run: always prepared and kept, within a bound, again when the server asks for that, and with a look
//! at how many rows they changed.
//!
//! # Why one statement is enough
//!
//! Every use case is one statement, which is a transaction of its own in the isolation level READ COMMITTED: it sees one
//! state of the database, the one when it begins. A change is an UPDATE guarded by the status that it starts from. When two
//! of them meet at a row, the second waits for the first, and then looks at the guard again, on the row as it has become:
//! it finds another status and changes nothing. What must be new is held by unique keys, which no isolation level weakens.
//! What a statement only reads besides its row (an account's status, an order's authorizations) may change while it runs;
//! then the other change counts as the later one. That is the order in which it would have happened had the two callers
//! come one after the other, so SERIALIZABLE would give no other answers, only more work.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::{Postgres, error::ErrorKind};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::connection;
use super::hosts::Host;
use crate::config;
use crate::error::DbError;
use crate::metrics::{POOL, Pool};

/// How often a statement is run at most when the server undoes it because it met another one (40001, 40P01). PostgreSQL
/// hardly ever does that to single statements; databases that speak its language, and are distributed, do.
const ATTEMPTS: usize = 5;

/// How much longer than the server's own bound on a statement we wait for its answer: then the server or the network is
/// gone, not slow.
const GRACE: Duration = Duration::from_secs(2);

/// Declares a file's SQL texts as constants, and lists them for whoever wants to look at every query plan.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*

        /// Every statement of this file.
        pub(super) const STATEMENTS: &[&str] = &[$($name),*];
    };
}
pub(super) use statements;

/// The values of a statement's parameters, in their order.
macro_rules! arguments {
    ($($value:expr),* $(,)?) => {{
        let mut arguments = ::sqlx::postgres::PgArguments::default();
        $(::sqlx::Arguments::add(&mut arguments, $value).map_err(crate::postgres::query::unencodable)?;)*
        arguments
    }};
}
pub(super) use arguments;

/// A server that can be asked for what a key names.
pub(super) trait Lookup: Sync {
    /// The rows that `sql` finds by `key`; of the replica those of `following`, which is the same lookup with a condition.
    fn lookup(
        &self,
        sql: &'static str,
        following: &'static str,
        key: &[u8],
    ) -> impl Future<Output = Result<Vec<PgRow>, DbError>> + Send;
}

impl Lookup for Db {
    async fn lookup(&self, sql: &'static str, _: &'static str, key: &[u8]) -> Result<Vec<PgRow>, DbError> {
        self.all(sql, arguments!(key)).await
    }
}

/// The connections, and how they are used.
pub(super) struct Db {
    /// Its size is the number of statements that the server has to do at once. Waiting for a connection has its bound.
    /// Replaced when another host is the primary; the lock is held for as long as that takes.
    pool: Mutex<PgPool>,
    /// What the pool is made by.
    config: config::Postgres,
    /// How long to wait for a statement's answer.
    patience: Duration,
    /// Rung when a connection breaks: whoever keeps the lock looks whether it still has it.
    broken: Arc<Notify>,
    /// Connections to earlier hosts, which end.
    closing: TaskTracker,
}

impl Db {
    /// Runs statements on `host`.
    pub(super) fn new(config: &config::Postgres, host: &Host, broken: Arc<Notify>) -> Self {
        let pool = Mutex::new(connection::pool(config, host.options.clone()));
        let patience = config.statement_timeout.duration() + GRACE;
        Self { pool, config: config.clone(), patience, broken, closing: TaskTracker::new() }
    }

    /// Runs statements on `host` from now on. The connections that there are, to a server that is lost or is the primary no
    /// more, are closed when what runs on them has ended.
    pub(super) fn move_to(&self, host: &Host) {
        let pool = connection::pool(&self.config, host.options.clone());
        let before = std::mem::replace(&mut *self.pool.lock().unwrap_or_else(PoisonError::into_inner), pool);
        let patience = self.patience;
        self.closing.spawn(async move { timeout(patience, before.close()).await });
    }

    fn pool(&self) -> PgPool {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails unless the database answers within its bounds.
    pub(super) async fn ping(&self) -> Result<(), DbError> {
        self.all("SELECT 1", PgArguments::default()).await.map(|_| ())
    }

    /// The row that a lookup by key finds.
    pub(super) async fn one(
        &self,
        sql: &'static str,
        arguments: PgArguments,
    ) -> Result<Option<PgRow>, DbError> {
        Ok(self.all(sql, arguments).await?.pop())
    }

    /// Whether a lookup by key finds a row.
    pub(super) async fn exists(&self, sql: &'static str, arguments: PgArguments) -> Result<bool, DbError> {
        Ok(self.one(sql, arguments).await?.is_some())
    }

    /// A change that starts from a status and returns its row: the row, if it was in that status.
    pub(super) async fn change(
        &self,
        sql: &'static str,
        arguments: PgArguments,
    ) -> Result<Option<PgRow>, DbError> {
        let mut rows = self.all(sql, arguments).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            more => Err(DbError::Affected(more)),
        }
    }

    /// A change that starts from a status: `Conflict` if the row has another one, `NotFound` if `lookup` finds no row with
    /// this key at all. The second look needs no transaction with the first: a row that was
    /// pruned in between is found no more, which is what the caller is told.
    pub(super) async fn change_or_refuse(
        &self,
        sql: &'static str,
        arguments: PgArguments,
        lookup: &'static str,
        key: &[u8],
    ) -> Result<PgRow, DbError> {
        if let Some(row) = self.change(sql, arguments).await? {
            return Ok(row);
        }
        let exists = self.exists(lookup, arguments!(key)).await?;
        Err(if exists { DbError::Conflict } else { DbError::NotFound })
    }

    /// Runs a statement and gives its rows, whose number it bounds itself.
    pub(super) async fn all(&self, sql: &'static str, arguments: PgArguments) -> Result<Vec<PgRow>, DbError> {
        for _ in 0..ATTEMPTS {
            let mut connection = self.connection().await?;
            let _shown = Pool::uses();
            // All rows, also where there is only one: the server commits after the last one, and what was only read up
            // to the first row is not known to be stored.
            let statement = sqlx::query_with(sql, arguments.clone()).fetch_all(&mut *connection);
            match self.answer(statement).await {
                Ok(rows) => return Ok(rows),
                Err(sqlx::Error::Database(error)) if must_be_repeated(error.code().as_deref()) => {
                    POOL.repeats()
                }
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(READ_ONLY) => {
                    connection.close_on_drop();
                    self.broken.notify_one();
                    return Err(DbError::Busy("the server is the primary no more"));
                }
                Err(error) => {
                    if error.as_database_error().is_none() {
                        connection.close_on_drop();
                        self.broken.notify_one();
                    }
                    return Err(error.into());
                }
            }
        }
        Err(DbError::Busy("changes of the same rows kept undoing each other"))
    }

    /// Nothing was begun when this fails.
    async fn connection(&self) -> Result<PoolConnection<Postgres>, DbError> {
        let waiting = Pool::waits();
        let pool = self.pool();
        let connection = pool.acquire().await;
        drop(waiting);
        POOL.open(pool.size());
        connection.map_err(|error| match error {
            sqlx::Error::PoolClosed => DbError::Busy("it is being closed, or moves to another host"),
            error => {
                self.broken.notify_one();
                DbError::Unreachable(Arc::new(error))
            }
        })
    }

    async fn answer<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let late = || sqlx::Error::Io(io::Error::from(io::ErrorKind::TimedOut));
        timeout(self.patience, statement).await.unwrap_or_else(|_| Err(late()))
    }

    /// Closes the connections, once what runs on them has ended.
    pub(super) async fn close(&self) {
        if timeout(self.patience, self.pool().close()).await.is_err() {
            tracing::warn!("the connections to the database could not be closed in order");
        }
        // Each has its bound.
        self.closing.close();
        self.closing.wait().await;
    }
}

/// `read_only_sql_transaction`: nothing was changed.
const READ_ONLY: &str = "25006";

/// `serialization_failure` and `deadlock_detected`: the server has undone the statement and asks for it again.
fn must_be_repeated(code: Option<&str>) -> bool {
    matches!(code, Some("40001" | "40P01"))
}

/// What PostgreSQL says, in the storage's own words. An error without the server's word (a broken connection) leaves open
/// whether a change was made; so it is no [`DbError::Busy`], which would say that it was not.
impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let Some(refusal) = error.as_database_error() else { return Self::Engine(Arc::new(error)) };
        match (refusal.kind(), refusal.code().as_deref()) {
            (ErrorKind::UniqueViolation, _) => Self::Conflict,
            // query_canceled, and lock_not_available: undone by the server.
            (_, Some("57014" | "55P03")) => Self::Busy("a statement took longer than its limit"),
            _ => Self::Engine(Arc::new(error)),
        }
    }
}

/// A value that cannot be sent: none of ours is such.
pub(super) fn unencodable(error: sqlx::error::BoxDynError) -> DbError {
    DbError::Engine(Arc::from(error))
}
