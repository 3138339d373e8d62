//! Where the database may be: one host, or several of which one is the primary and takes changes. Which it is, is asked
//! anew whenever a connection is lost; a standby that was promoted is found that way, and nobody need tell us.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Row};
use tokio::time::timeout;

use super::signin::Server;

/// How the database finds out that the machine at the other end is gone without a word, in seconds: after half a minute,
/// not after the two hours that are usual. Until then nobody could have the lock alone.
const KEEPALIVE: [(&str, u8); 3] =
    [("tcp_keepalives_idle", 10), ("tcp_keepalives_interval", 5), ("tcp_keepalives_count", 4)];

/// A host, and how to connect to it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// As it is written in the configuration.
    pub(super) name: String,
    /// For what is asked once: the lock, the schema.
    pub(super) options: PgConnectOptions,
    /// For statements.
    pub(super) server: Arc<Server>,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// All of them, in the order of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    pub(super) all: Vec<Host>,
    /// How long to wait for each.
    pub(super) limit: Duration,
}

impl Hosts {
    /// A new connection to the primary. Where there is none, to a host that is no primary: the caller sees that it takes no
    /// changes. Where nobody answers at all, what the last one failed with.
    pub(super) async fn any(&self) -> Result<(PgConnection, Host), sqlx::Error> {
        let mut answer = Err(sqlx::Error::Configuration("no host is configured".into()));
        for host in &self.all {
            match timeout(self.limit, connect(host)).await.unwrap_or_else(|_| Err(late())) {
                Ok((connection, true)) => return Ok((connection, host.clone())),
                Ok((connection, false)) => answer = Ok((connection, host.clone())),
                Err(error) if answer.is_err() => answer = Err(error),
                Err(_) => {}
            }
        }
        answer
    }

    /// A new connection to the primary.
    pub(super) async fn primary(&self) -> Result<(PgConnection, Host), sqlx::Error> {
        let (mut connection, host) = self.any().await?;
        if timeout(self.limit, is_primary(&mut connection)).await.unwrap_or_else(|_| Err(late()))? {
            return Ok((connection, host));
        }
        Err(sqlx::Error::Configuration("no host is the primary".into()))
    }
}

/// A connection, and whether its server is the primary.
async fn connect(host: &Host) -> Result<(PgConnection, bool), sqlx::Error> {
    let mut connection = host.options.clone().options(KEEPALIVE).connect().await?;
    let primary = is_primary(&mut connection).await?;
    Ok((connection, primary))
}

async fn is_primary(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT pg_is_in_recovery()").fetch_one(connection).await?;
    Ok(!row.try_get::<bool, _>(0)?)
}

fn late() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}
