//! One server per database: an advisory lock, held by a connection of its own.
//!
//! PostgreSQL lets the lock go when that connection ends, so a server that dies leaves none behind. The reverse is that a
//! server can lose it and live: the connection breaks, or the database restarts. Then changes are refused until it has the
//! lock again. Between the loss and the moment it is noticed, a second server may take it and both may write; that harms
//! no row, since every change is guarded by itself (see `query`). The lock is there to keep out a server that was started
//! by mistake, whose sweeper would take up what the first one is still working on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The key of the advisory lock: "cairn", and which of its locks.
const LOCK: i64 = 0x0063_6169_726e_0002;

/// How long to wait at the start for another server's lock: one that was just killed still has its connection until the
/// database has noticed.
pub(super) const TAKE_WAIT: Duration = Duration::from_secs(5);

/// Pause between two attempts to have the lock: unnoticed by an operator, no burden for the database.
const RETRY: Duration = Duration::from_millis(100);

/// How often the keeper looks whether it still has its connection, when nothing makes it look earlier.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the database finds out that the machine at the other end is gone without a word, in seconds: after half a minute,
/// not after the two hours that are usual. Until then nobody else could have the lock.
const KEEPALIVE: [(&str, u8); 3] =
    [("tcp_keepalives_idle", 10), ("tcp_keepalives_interval", 5), ("tcp_keepalives_count", 4)];

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another server has it.
    Taken,
    /// The database cannot be asked.
    Postgres(sqlx::Error),
}

impl From<sqlx::Error> for LockError {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error)
    }
}

/// Connects, for the lock. A connection that cannot be had within `limit` is an error.
pub(super) async fn connect(
    options: &PgConnectOptions,
    limit: Duration,
) -> Result<PgConnection, sqlx::Error> {
    let options = options.clone().options(KEEPALIVE);
    let late = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    timeout(limit, options.connect()).await.unwrap_or_else(|_| Err(late()))
}

/// Takes the lock, which `connection` then has until it ends.
pub(super) async fn take(connection: &mut PgConnection) -> Result<(), LockError> {
    let deadline = Instant::now() + TAKE_WAIT;
    while !try_take(connection).await? {
        if Instant::now() > deadline {
            return Err(LockError::Taken);
        }
        sleep(RETRY).await;
    }
    Ok(())
}

async fn try_take(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
    statement.fetch_one(connection).await
}

/// Keeps the lock for as long as the storage is open.
pub(super) struct Keeper {
    /// How to connect again, and how long to wait for that and for an answer.
    pub(super) options: PgConnectOptions,
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
            if self.is_alive(&mut connection).await {
                continue;
            }
            self.held.store(false, Ordering::Release);
            tracing::warn!(
                "the connection that holds the database's lock is lost; changes are refused until there is another"
            );
            let Some(again) = self.take_again().await else { return };
            connection = again;
            self.held.store(true, Ordering::Release);
            tracing::info!("the database's lock is held again");
        }
        let _closed = timeout(self.limit, connection.close()).await;
    }

    async fn is_alive(&self, connection: &mut PgConnection) -> bool {
        matches!(timeout(self.limit, connection.ping()).await, Ok(Ok(())))
    }

    /// Tries until it works, or until told to stop.
    async fn take_again(&self) -> Option<PgConnection> {
        let mut told = false;
        while self.pause(RETRY).await {
            let Ok(mut connection) = connect(&self.options, self.limit).await else { continue };
            match timeout(self.limit, try_take(&mut connection)).await {
                Ok(Ok(true)) => return Some(connection),
                Ok(Ok(false)) if !told => {
                    tracing::error!("another cairn has taken the database meanwhile; stop one of the two");
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
