//! A standby that answers reads of the front ends, and the rule by which it may: whoever was told of a change finds it there.
//!
//! PostgreSQL has the means. A commit with `synchronous_commit = remote_apply` is answered when every standby that it must wait for
//! (`synchronous_standby_names`) shows it. So the standby knows all that was ever acknowledged, for as long as every commit waits for it.
//! That is looked at again and again, on both servers ([`Watch`]):
//!
//! - the standby receives the changes of the server that is the primary to us, under a name that no other standby has;
//! - every commit there waits for it: it has the state `sync`, and stands so far in front in the list that no other can take its place;
//! - no server of ours is at work that does not commit as said above; we know ours by the name that they give their sessions;
//! - the primary has heard of it lately, so that it will not give it up for a while ([`HEARD`], [`SENDER_TIMEOUT`]).
//!
//! What was seen holds for [`TRUSTED`], and for the one process on the standby that was receiving then. Each read says which that was, and
//! finds nothing if it has ended: then another standby may have taken over what commits wait for, while this one lags. A read that finds
//! nothing, for whatever reason, is made on the primary.
//!
//! Two gaps remain, both opened by an operator's hand and not by a failure: who takes the standby out of `synchronous_standby_names`, or
//! starts a server that does not know of the replica, is noticed after a second; and who ends the primary's sending process beside another
//! synchronous standby, when the standby has noticed, which takes as long as a packet.
//!
//! The standby can also be ahead; see [`super::reads`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection;
use super::hosts::Host;
use super::lanes::{Kind, Lanes, Limits, Setback};
use super::query::{Db, Lookup, limits};
use super::session::Statement;
use super::values::{Parameters, Row, Unreadable, arguments};
use crate::config::Postgres;
use crate::error::DbError;

/// How often it is looked whether the replica may be read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look holds. Together with [`HEARD`] well below [`SENDER_TIMEOUT`]: for so long the primary does not give the standby up,
/// even if the two cannot reach each other from this moment on.
const TRUSTED: Duration = Duration::from_secs(5);

/// How long ago the standby's last word to the primary may be, in seconds. It reports every 10 (`wal_receiver_status_interval`).
const HEARD: f64 = 20.0;

/// What `wal_sender_timeout` must be at least, in milliseconds; its default.
const SENDER_TIMEOUT: i64 = 60_000;

/// How long a read waits for the replica before it is made on the primary.
const PATIENCE: Duration = Duration::from_secs(1);

const LATE: DbError = DbError::Busy("the replica does not answer in time");

/// Wraps the text of a lookup by `$1`, so that it finds nothing unless the process `$2` still receives the primary's changes. The rows are
/// looked up in the state in which the statement begins; the process is looked for after that.
macro_rules! following {
    ($sql:expr) => {
        concat!(
            "WITH follows AS MATERIALIZED (SELECT FROM pg_stat_wal_receiver WHERE pid = $2::integer) \
             SELECT found.* FROM follows CROSS JOIN (",
            $sql,
            ") AS found"
        )
    };
}
pub(super) use following;

/// Which process receives, and as which standby the primary knows it.
const RECEIVER: &str = "SELECT pid, coalesce(substring(conninfo from '(?:^| )application_name=([^ ]+)'), \
             substring(conninfo from '(?:^| )fallback_application_name=([^ ]+)')) \
         FROM pg_stat_wal_receiver WHERE status = 'streaming'";
/// What the primary says of a standby. Its last word has the standby's own time.
const STANDBY: &str = "SELECT count(*), min(sync_state), max(sync_priority)::bigint, min(extract(epoch FROM reply_time))::float8, \
             coalesce(substring(current_setting('synchronous_standby_names') from '^ *(?:[Ff][Ii][Rr][Ss][Tt] *)?([0-9]+) *[(]'), '1')::bigint, \
             (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_sender_timeout'), \
             (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $2) \
         FROM pg_stat_replication WHERE application_name = $1";
/// By the standby's own clock.
const STILL: &str = "SELECT extract(epoch FROM clock_timestamp())::float8 - $2::float8 FROM pg_stat_wal_receiver WHERE pid = $1::integer";

/// The replica, if there is one.
#[derive(Clone)]
pub(super) struct Replica(Option<Arc<Standby>>);

struct Standby {
    host: Host,
    lanes: Lanes,
    /// What was seen last, if that was good. Held for a moment.
    trust: Mutex<Option<Trust>>,
    /// Rung when there is a reason to look.
    look: Arc<Notify>,
}

#[derive(Clone, Copy)]
struct Trust {
    /// The process on the standby that receives the primary's changes.
    receiver: i32,
    until: Instant,
}

impl Replica {
    pub(super) fn new(config: &Postgres, host: Option<Host>) -> Self {
        Self(host.map(|host| {
            // A broken session is a reason to look, as any other.
            let look = Arc::new(Notify::new());
            let limits = Limits { turn: PATIENCE, answer: PATIENCE, ..limits(config) };
            let lanes = Lanes::new(Arc::clone(&host.server), limits, Arc::clone(&look));
            Arc::new(Standby { host, lanes, trust: Mutex::new(None), look })
        }))
    }

    /// Whether there is one, that may be used or not.
    pub(super) fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// Looks after it, until told to stop.
    pub(super) async fn watch(self, primary: Arc<Db>, stop: CancellationToken) {
        let Some(standby) = self.0 else { return };
        let watch = Watch { standby: &standby, primary: &primary };
        stop.run_until_cancelled(watch.keep()).await;
        standby.set_trust(None);
        standby.lanes.close().await;
    }
}

impl Standby {
    fn trust(&self) -> Option<Trust> {
        let trust = *self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        trust.filter(|trust| Instant::now() < trust.until)
    }

    fn set_trust(&self, trust: Option<Trust>) {
        *self.trust.lock().unwrap_or_else(PoisonError::into_inner) = trust;
    }

    async fn rows(&self, sql: &'static str, parameters: Parameters) -> Result<Vec<Row>, Setback> {
        let rows = self.lanes.run(Kind::Lookup, Statement { sql, parameters });
        timeout(PATIENCE, rows).await.unwrap_or_else(|_| Err(Setback::NotBegun(LATE)))
    }
}

/// Nothing, unless it may be believed.
impl Lookup for Replica {
    async fn lookup(
        &self,
        _: &'static str,
        following: &'static str,
        key: &[u8],
    ) -> Result<Vec<Row>, DbError> {
        let Some((standby, trust)) = self.0.as_ref().and_then(|standby| Some((standby, standby.trust()?)))
        else {
            return Ok(Vec::new());
        };
        let found = standby.rows(following, arguments!(key, trust.receiver)).await;
        if matches!(found, Err(Setback::Lost(_) | Setback::NotBegun(_))) {
            // It is gone, or slow: the next reads need not find that out by themselves.
            standby.set_trust(None);
            standby.look.notify_one();
        }
        Ok(found?)
    }
}

/// Looks whether the replica may be read.
struct Watch<'a> {
    standby: &'a Standby,
    primary: &'a Db,
}

/// Why the replica is not read, for the operator.
#[derive(Debug, thiserror::Error)]
enum Distrust {
    #[error("it receives nothing from a primary, or the role may not see that (GRANT pg_read_all_stats)")]
    Receives,
    #[error("the primary has {0} standbys of the name {1}; give each an application_name of its own")]
    Name(i64, String),
    #[error(
        "not every commit waits for the standby {0}; name it first in synchronous_standby_names, as in 'FIRST 1 ({0}, …)' (and the role must \
         see pg_stat_replication: GRANT pg_read_all_stats)"
    )]
    NotSynchronous(String),
    #[error("wal_sender_timeout of the primary is below 60s")]
    SenderTimeout,
    #[error(
        "{0} sessions of a server without sa.postgres.replica use the database; give all of them this setting"
    )]
    Others(i64),
    #[error("the primary has not heard of it for too long, or it has just begun to receive")]
    Silent,
    #[error("a server cannot be asked")]
    Database(#[from] DbError),
}

impl From<Setback> for Distrust {
    fn from(error: Setback) -> Self {
        Self::Database(error.into())
    }
}

impl From<Unreadable> for Distrust {
    fn from(error: Unreadable) -> Self {
        Self::Database(error.into())
    }
}

impl Watch<'_> {
    async fn keep(&self) {
        let host = &self.standby.host;
        let mut told: Option<String> = None;
        loop {
            match self.look().await {
                Ok(trust) => {
                    self.standby.set_trust(Some(trust));
                    if told.as_deref() != Some("") {
                        tracing::info!(%host, "the replica answers reads");
                        told = Some(String::new());
                    }
                }
                Err(why) => {
                    self.standby.set_trust(None);
                    if told.as_deref() != Some(&why.to_string()) {
                        tracing::warn!(%host, error = &why as &dyn std::error::Error, "the replica is not read; the primary is");
                        told = Some(why.to_string());
                    }
                }
            }
            tokio::select! {
                () = self.standby.look.notified() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&self) -> Result<Trust, Distrust> {
        let until = Instant::now() + TRUSTED;
        let receiver = self.standby.rows(RECEIVER, Parameters::NONE).await?.pop();
        let receiver = receiver.ok_or(Distrust::Receives)?;
        let (receiver, name): (i32, String) = (receiver.try_get(0)?, receiver.try_get(1)?);
        let heard = self.standby_is_waited_for(&name).await?;
        let arguments = arguments(receiver, heard).map_err(Distrust::Database)?;
        let still = self.standby.rows(STILL, arguments).await?.pop().ok_or(Distrust::Silent)?;
        if still.try_get::<f64>(0)? > HEARD {
            return Err(Distrust::Silent);
        }
        Ok(Trust { receiver, until })
    }

    /// When the standby has said something last, if the primary lets every commit wait for it.
    async fn standby_is_waited_for(&self, name: &str) -> Result<f64, Distrust> {
        let key = names(name).map_err(Distrust::Database)?;
        let row = self.primary.one(STANDBY, key).await?.ok_or(Distrust::Receives)?;
        let count: i64 = row.try_get(0)?;
        if count != 1 {
            return Err(Distrust::Name(count, name.to_owned()));
        }
        let not_synchronous = || Distrust::NotSynchronous(name.to_owned());
        let (state, priority): (Option<String>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
        let waited_for: i64 = row.try_get(4)?;
        if state.as_deref() != Some("sync") || priority.is_none_or(|priority| priority > waited_for) {
            return Err(not_synchronous());
        }
        let sender_timeout: i64 = row.try_get(5)?;
        if sender_timeout != 0 && sender_timeout < SENDER_TIMEOUT {
            return Err(Distrust::SenderTimeout);
        }
        let others: i64 = row.try_get(6)?;
        if others > 0 {
            return Err(Distrust::Others(others));
        }
        row.try_get::<Option<f64>>(3)?.ok_or(Distrust::Silent)
    }
}

fn names(standby: &str) -> Result<Parameters, DbError> {
    Ok(arguments!(standby, connection::PLAIN))
}

fn arguments(receiver: i32, heard: f64) -> Result<Parameters, DbError> {
    Ok(arguments!(receiver, heard))
}
