//! How connections are opened and set up.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Connection, Row};

use super::hosts::{Host, Hosts};
use crate::config::{Credentials, Place, Postgres, Tls};

/// A connection that was idle for longer is asked for a sign of life before it is used: a restart of the database, or a
/// firewall, may have ended it. One that was used just now is trusted, which saves a round trip.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Connections that were idle for so long are closed: a server at rest keeps a few.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// Connections are replaced after this time: the database's memory for one only grows.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Statements kept ready on each connection: more than there are, so that none is ever prepared twice.
const PREPARED: usize = 64;

/// Every statement looks rows up by keys, so that its best plan follows from the schema alone. Left to itself, the server chooses by how
/// many rows it believes there are, and keeps a plan for as long as a connection lasts: one made while a table was all but empty reads
/// the whole table when it is large.
pub(super) const PLANNER: [(&str, &str); 7] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_material", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    // It is for statements that compute for long. None of ours does.
    ("jit", "off"),
];

/// What our sessions are called on the server, unless reads of a replica depend on how they commit ([`super::replica`]): then they have
/// another name, so that servers with and without it can be told apart.
pub(super) const PLAIN: &str = "cairn";
const REPLICATED: &str = "cairn, replicated";

/// What to connect to, and as whom.
pub(super) fn options(config: &Postgres, credentials: &Credentials) -> Hosts {
    let host =
        |place: Place| Host { name: place.to_string(), options: options_for(&place, config, credentials) };
    Hosts { all: config.places().into_iter().map(host).collect(), limit: config.connect_timeout.duration() }
}

/// The replica that reads may come from.
pub(super) fn replica(config: &Postgres, credentials: &Credentials) -> Option<Host> {
    let place = config.replica_place()?;
    Some(Host { name: place.to_string(), options: options_for(&place, config, credentials) })
}

/// Everything is said, so that none of libpq's variables in the environment decides it;
/// of those only PGOPTIONS, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY have an effect.
fn options_for(place: &Place, config: &Postgres, credentials: &Credentials) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .port(place.port)
        .username(&config.user)
        .password(credentials.password.as_deref().map_or("", String::as_str))
        .database(&config.database)
        .application_name(if config.replica.is_some() { REPLICATED } else { PLAIN })
        .statement_cache_capacity(PREPARED)
        .options([("statement_timeout", config.statement_timeout.duration().as_millis())])
        .options(PLANNER);
    // A commit is answered when the replica shows it.
    let commit = config.replica.is_some().then_some(("synchronous_commit", "remote_apply"));
    let options = options.options(commit);
    if place.is_socket() {
        return options.socket(&place.host).ssl_mode(PgSslMode::Disable);
    }
    let options = options.host(&place.host).ssl_mode(match config.tls {
        Tls::Disable => PgSslMode::Disable,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    });
    match &credentials.root_certificate {
        Some(pem) => options.ssl_root_cert_from_pem(pem.clone().into_bytes()),
        None => options,
    }
}

/// The connections for statements. They are made when they are first needed.
pub(super) fn pool(config: &Postgres, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(config.connections)
        .acquire_timeout(config.connect_timeout.duration())
        .idle_timeout(IDLE)
        .max_lifetime(LIFETIME)
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Why the database is none for us, whatever is in it.
pub(super) async fn unsuitable(db: &mut PgConnection) -> Result<Option<&'static str>, sqlx::Error> {
    let settings = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
                    current_setting('server_encoding'), current_setting('transaction_read_only')";
    let row = sqlx::query(settings).fetch_one(db).await?;
    let (fsync, commit): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (encoding, read_only): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    Ok(match () {
        () if read_only == "on" => {
            Some("can only be read; name the primary (several hosts can be named, of which one is it)")
        }
        () if fsync == "off" => Some("may lose what it has stored (fsync = off); set fsync = on"),
        () if commit == "off" => Some(
            "may lose what it has acknowledged (synchronous_commit = off); set it to on, for example with ALTER ROLE … SET \
             synchronous_commit = on",
        ),
        () if encoding != "UTF8" => {
            Some("has another encoding than UTF8; create it with ENCODING 'UTF8' TEMPLATE template0")
        }
        () => None,
    })
}
