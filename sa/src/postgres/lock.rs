//! Who may use the database: an advisory lock, held by a connection of its own.
//!
//! Every server holds it shared, so that there can be many. What needs the database for itself (a copy into it, a restore)
//! holds it alone: it is refused while a server runs, and servers are refused while it works.
//!
//! PostgreSQL lets the lock go when that connection ends, so a server that dies leaves none behind. The reverse is that a
//! server can lose it and live: the connection breaks, the database restarts, or another machine takes over as the primary.
//! Then changes are refused until it has the lock again, on whichever of its hosts is the primary by then. Between the loss
//! and the moment it is noticed it may still write; that harms no row, since every change is guarded by itself (see
//! `query`). Servers beside each other are told apart by their workers' leases, not by this lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::hosts::{Host, Hosts};
use super::query::Db;

/// The key of the advisory lock: "cairn", and which of its locks.
const LOCK: i64 = 0x0063_6169_726e_0002;

/// How long to wait at the start for another's lock: one that was just killed still has its connection until the database
/// has noticed.
pub(super) const TAKE_WAIT: Duration = Duration::from_secs(5);

/// Pause between two attempts to have the lock: unnoticed by an operator, no burden for the database.
const RETRY: Duration = Duration::from_millis(100);

/// How often the keeper looks whether it still has its connection, when nothing makes it look earlier.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much of the database somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// As one server of several.
    Shared,
    /// With nobody beside.
    Alone,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    /// Somebody has it who does not bear us beside them.
    Taken,
    /// The database cannot be asked.
    Postgres(sqlx::Error),
}

impl From<sqlx::Error> for LockError {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error)
    }
}

/// Takes the lock, which `connection` then has until it ends.
pub(super) async fn take(connection: &mut PgConnection, hold: Hold) -> Result<(), LockError> {
    let deadline = Instant::now() + TAKE_WAIT;
    while !try_take(connection, hold).await? {
        if Instant::now() > deadline {
            return Err(LockError::Taken);
        }
        sleep(RETRY).await;
    }
    Ok(())
}

async fn try_take(connection: &mut PgConnection, hold: Hold) -> Result<bool, sqlx::Error> {
    let statement = match hold {
        Hold::Shared => "SELECT pg_try_advisory_lock_shared($1)",
        Hold::Alone => "SELECT pg_try_advisory_lock($1)",
    };
    sqlx::query_scalar(statement).bind(LOCK).fetch_one(connection).await
}

/// Keeps the lock for as long as the storage is open, and the storage on the primary.
pub(super) struct Keeper {
    /// Where the database may be.
    pub(super) hosts: Hosts,
    /// How much of it is wanted.
    pub(super) hold: Hold,
    /// What runs statements: told which host is the primary.
    pub(super) db: Arc<Db>,
    /// How long to wait for an answer.
    pub(super) limit: Duration,
    /// Whether the lock is ours, as far as is known.
    pub(super) held: Arc<AtomicBool>,
    /// Rung by whoever finds a connection broken.
    pub(super) look: Arc<Notify>,
    /// The end.
    pub(super) stop: CancellationToken,
}

impl Keeper {
    /// Looks after the lock until told to stop, and lets it go then.
    pub(super) async fn keep(self, mut connection: PgConnection) {
        while self.pause(LOOK_EVERY).await {
            if self.is_good(&mut connection).await {
                continue;
            }
            self.held.store(false, Ordering::Release);
            tracing::warn!(
                "the connection that holds the database's lock is lost; changes are refused until there is another"
            );
            let Some((again, host)) = self.take_again().await else { return };
            connection = again;
            self.db.move_to(&host);
            self.held.store(true, Ordering::Release);
            tracing::info!(%host, "the database's lock is held again");
        }
        let _closed = timeout(self.limit, connection.close()).await;
    }

    /// Whether the connection lives, and its server takes changes.
    async fn is_good(&self, connection: &mut PgConnection) -> bool {
        let question = sqlx::query("SELECT pg_is_in_recovery()").fetch_one(connection);
        match timeout(self.limit, question).await {
            Ok(Ok(row)) => row.try_get(0).is_ok_and(|standby: bool| !standby),
            _ => false,
        }
    }

    /// Tries until it works, or until told to stop.
    async fn take_again(&self) -> Option<(PgConnection, Host)> {
        let mut told = false;
        while self.pause(RETRY).await {
            let Ok((mut connection, host)) = self.hosts.primary().await else { continue };
            match timeout(self.limit, try_take(&mut connection, self.hold)).await {
                Ok(Ok(true)) => return Some((connection, host)),
                Ok(Ok(false)) if !told => {
                    tracing::error!("somebody has taken the database alone meanwhile: a copy, or a restore?");
                    told = true;
                }
                _ => {}
            }
        }
        None
    }

    /// Waits, at most `limit` and until there is reason to look; `false` at the end.
    async fn pause(&self, limit: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = self.look.notified() => true,
            () = sleep(limit) => true,
        }
    }
}
