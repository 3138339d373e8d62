//! How connections are opened and set up.

use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

use super::hosts::{Host, Hosts};
use super::lanes::LOCK_LIMIT;
use super::signin::Server;
use crate::config::{Credentials, Place, Postgres, Tls};

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
    let all = config.places().into_iter().map(|place| host(place, config, credentials)).collect();
    Hosts { all, limit: config.connect_timeout.duration() }
}

/// The replica that reads may come from.
pub(super) fn replica(config: &Postgres, credentials: &Credentials) -> Option<Host> {
    Some(host(config.replica_place()?, config, credentials))
}

fn host(place: Place, config: &Postgres, credentials: &Credentials) -> Host {
    let (name, options) = (place.to_string(), options_for(&place, config, credentials));
    Host { name, options, server: Arc::new(server(place, config, credentials)) }
}

/// What our sessions are set to.
fn settings(config: &Postgres) -> impl Iterator<Item = (&'static str, String)> {
    let limit = ("statement_timeout", config.statement_timeout.duration().as_millis().to_string());
    let planner = PLANNER.map(|(name, value)| (name, value.to_owned()));
    // A commit is answered when the replica shows it.
    let commit = config.replica.is_some().then(|| ("synchronous_commit", "remote_apply".to_owned()));
    [limit].into_iter().chain(planner).chain(commit)
}

/// What they are called.
fn application(config: &Postgres) -> &'static str {
    if config.replica.is_some() { REPLICATED } else { PLAIN }
}

/// Everything is said, so that none of libpq's variables in the environment decides it;
/// of those only PGOPTIONS, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY have an effect, which sqlx looks at; the sessions that run statements do
/// not.
fn options_for(place: &Place, config: &Postgres, credentials: &Credentials) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .port(place.port)
        .username(&config.user)
        .password(credentials.password.as_deref().map_or("", String::as_str))
        .database(&config.database)
        .application_name(application(config))
        .options(settings(config));
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

/// The same for the sessions that run statements.
fn server(place: Place, config: &Postgres, credentials: &Credentials) -> Server {
    let (name, value) = LOCK_LIMIT;
    let settings = settings(config).chain([(name, value.to_owned())]);
    let options: Vec<_> = settings.map(|(name, value)| format!("-c {name}={value}")).collect();
    let parameters = vec![
        ("user", config.user.clone()),
        ("database", config.database.clone()),
        ("application_name", application(config).to_owned()),
        ("client_encoding", "UTF8".to_owned()),
        ("options", options.join(" ")),
    ];
    Server {
        place,
        tls: config.tls,
        root_certificate: credentials.root_certificate.clone(),
        parameters,
        user: config.user.clone(),
        password: credentials.password.clone().unwrap_or_default(),
    }
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
