//! How statements are run: together with what waits at the same time, within a bound, again when the server undoes them, and with a look
//! at how many rows they changed.
//!
//! # Why one statement is enough
//!
//! Every use case is one statement, in the isolation level READ COMMITTED: it sees one state of the database, the one when it begins. A
//! change is an UPDATE guarded by the status that it starts from. When two of them meet at a row, the second waits for the first, and then
//! looks at the guard again, on the row as it has become: it finds another status and changes nothing. What must be new is held by unique
//! keys, which no isolation level weakens. What a statement only reads besides its row (an account's status, an order's authorizations) may
//! change while it runs; then the other change counts as the later one. That is the order in which it would have happened had the two callers
//! come one after the other, so SERIALIZABLE would give no other answers, only more work.
//!
//! # Why several in a transaction are as good
//!
//! Changes that wait at the same time are committed together ([`super::lanes`]). To each other they are what they would be one after the
//! other, in the order in which they stand: each sees a state of its own that has all before it in the group, because READ COMMITTED looks
//! anew for each statement and a transaction sees what it has done. To everybody else they are what they would be if each had been
//! a transaction that was slow to commit: a row that one has changed is locked until the commit, and whoever meets it waits, and looks at
//! its guard again on what has come of it. Nobody but the group itself sees any of it before the commit, and no caller is answered
//! before. If the server refuses one, it undoes all, and with them whatever one has seen of another: each is run again by itself then, and
//! answered by what comes of that. A change that finds its guard broken is no refusal: it has changed no row, and the others stand.
//!
//! Two things are new, and have bounds. Rows stay locked while the group is completed and flushed, and two groups (of two servers, or of two
//! lanes of one) could wait for each other's rows; so a group waits for a row only for a moment, and what it does not get is run alone, where
//! no other row is held. Lookups that wait at the same time are one transaction too, which holds nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::hosts::Host;
use super::lanes::{Kind, Lanes, Limits, Setback};
use super::messages::Refusal;
use super::session::Statement;
use super::values::{Parameters, Row, Unreadable, arguments};
use crate::config::Postgres;
use crate::error::DbError;
use crate::metrics::POOL;

/// How often a statement is run at most when the server undoes it because it met another one (40001, 40P01): once in a group, and then
/// alone. PostgreSQL hardly ever does that to single statements; databases that speak its language, and are distributed, do.
const ATTEMPTS: usize = 6;

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

/// A server that can be asked for what a key names.
pub(super) trait Lookup: Sync {
    /// The rows that `sql` finds by `key`; of the replica those of `following`, which is the same lookup with a condition.
    fn lookup(
        &self,
        sql: &'static str,
        following: &'static str,
        key: &[u8],
    ) -> impl Future<Output = Result<Vec<Row>, DbError>> + Send;
}

impl Lookup for Db {
    async fn lookup(&self, sql: &'static str, _: &'static str, key: &[u8]) -> Result<Vec<Row>, DbError> {
        self.find(sql, arguments!(key)).await
    }
}

/// The sessions, and how they are used.
pub(super) struct Db {
    /// Those on the host that is the primary. Replaced when another one is; the lock is held for a moment.
    lanes: Mutex<Arc<Lanes>>,
    limits: Limits,
    /// Rung when a session breaks: whoever keeps the lock looks whether it still has it.
    broken: Arc<Notify>,
    /// Sessions on earlier hosts, which end.
    closing: TaskTracker,
}

impl Db {
    /// Runs statements on `host`.
    pub(super) fn new(config: &Postgres, host: &Host, broken: Arc<Notify>) -> Self {
        let limits = limits(config);
        let lanes = Mutex::new(Arc::new(Lanes::new(Arc::clone(&host.server), limits, Arc::clone(&broken))));
        Self { lanes, limits, broken, closing: TaskTracker::new() }
    }

    /// Runs statements on `host` from now on. The sessions that there are, on a server that is lost or is the primary no
    /// more, are closed when what runs on them has ended.
    pub(super) fn move_to(&self, host: &Host) {
        let lanes = Lanes::new(Arc::clone(&host.server), self.limits, Arc::clone(&self.broken));
        let mut current = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, Arc::new(lanes));
        self.closing.spawn(async move { before.close().await });
    }

    fn lanes(&self) -> Arc<Lanes> {
        Arc::clone(&self.lanes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fails unless the database answers within its bounds.
    pub(super) async fn ping(&self) -> Result<(), DbError> {
        self.find("SELECT 1", Parameters::NONE).await.map(drop)
    }

    /// The rows that a lookup by key finds, whose number it bounds itself.
    pub(super) async fn find(&self, sql: &'static str, arguments: Parameters) -> Result<Vec<Row>, DbError> {
        self.run(Kind::Lookup, sql, arguments).await
    }

    /// The row that a lookup by key finds.
    pub(super) async fn one(&self, sql: &'static str, arguments: Parameters) -> Result<Option<Row>, DbError> {
        Ok(self.find(sql, arguments).await?.pop())
    }

    /// Whether a lookup by key finds a row.
    pub(super) async fn exists(&self, sql: &'static str, arguments: Parameters) -> Result<bool, DbError> {
        Ok(self.one(sql, arguments).await?.is_some())
    }

    /// A change that starts from a status and returns its row: the row, if it was in that status.
    pub(super) async fn change(
        &self,
        sql: &'static str,
        arguments: Parameters,
    ) -> Result<Option<Row>, DbError> {
        let mut rows = self.run(Kind::Change, sql, arguments).await?;
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
        arguments: Parameters,
        lookup: &'static str,
        key: &[u8],
    ) -> Result<Row, DbError> {
        if let Some(row) = self.change(sql, arguments).await? {
            return Ok(row);
        }
        let exists = self.exists(lookup, arguments!(key)).await?;
        Err(if exists { DbError::Conflict } else { DbError::NotFound })
    }

    /// A change of many rows, whose number it bounds itself: nobody waits for it but its caller. Gives the rows.
    pub(super) async fn change_many(
        &self,
        sql: &'static str,
        arguments: Parameters,
    ) -> Result<Vec<Row>, DbError> {
        self.run(Kind::Alone, sql, arguments).await
    }

    async fn run(&self, kind: Kind, sql: &'static str, parameters: Parameters) -> Result<Vec<Row>, DbError> {
        let (mut kind, mut statement) = (kind, Statement { sql, parameters });
        for _ in 0..ATTEMPTS {
            match self.lanes().run(kind, statement).await {
                Err(Setback::Again(undone)) => {
                    POOL.repeats();
                    (kind, statement) = (Kind::Alone, undone);
                }
                ended => return ended.map_err(DbError::from),
            }
        }
        Err(DbError::Busy("changes of the same rows kept undoing each other"))
    }

    /// Closes the sessions, once what runs on them has ended.
    pub(super) async fn close(&self) {
        self.lanes().close().await;
        // Each has its bound.
        self.closing.close();
        self.closing.wait().await;
    }
}

/// How much is done on a server at once, and how long it may take.
pub(super) fn limits(config: &Postgres) -> Limits {
    Limits {
        lanes: usize::try_from(config.connections).unwrap_or(usize::MAX),
        turn: config.connect_timeout.duration(),
        answer: config.statement_timeout.duration() + GRACE,
    }
}

/// A lost connection leaves open whether a change was made; so it is no [`DbError::Busy`], which would say that it was not.
impl From<Setback> for DbError {
    fn from(setback: Setback) -> Self {
        match setback {
            Setback::Again(_) => Self::Busy("changes of the same rows undid each other"),
            Setback::Refused(refusal) => refusal.into(),
            Setback::Lost(error) => Self::Engine(error),
            Setback::NotBegun(error) => error,
        }
    }
}

/// What PostgreSQL says, in the storage's own words.
impl From<Refusal> for DbError {
    fn from(refusal: Refusal) -> Self {
        match refusal.code() {
            // unique_violation
            "23505" => Self::Conflict,
            // query_canceled, and lock_not_available: undone by the server.
            "57014" | "55P03" => Self::Busy("a statement took longer than its limit"),
            _ => Self::Engine(Arc::new(refusal)),
        }
    }
}

impl From<Unreadable> for DbError {
    fn from(error: Unreadable) -> Self {
        Self::Engine(Arc::new(error))
    }
}
