//! What an operator asks about a database on a server, which servers of Cairn may be using.

use std::io;

use sqlx::Row;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::migrations::{MigrationError, version};
use super::{connection, refusal, unreachable};
use crate::config::{Credentials, Postgres};
use crate::error::OpenError;
use crate::status::{Status, Table};

const SERVER: &str = "SELECT current_setting('server_version'), pg_is_in_recovery(), current_user::text, \
    pg_database_size(current_database()), (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()), \
    current_setting('synchronous_standby_names'), \
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'cairn%' AND pid <> pg_backend_pid())";

const STANDBYS: &str = "SELECT format('%s: %s, %s', application_name, coalesce(state, 'state not shown to this role'), \
    coalesce(sync_state, 'not shown')) FROM pg_stat_replication ORDER BY 1";

const TABLES: &str = "SELECT relname::text, reltuples::bigint, pg_total_relation_size(oid) FROM pg_class \
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname";

/// Looks into the database, on the primary if there is one.
pub(crate) async fn status(
    config: &Postgres,
    credentials: &Credentials,
    known: u32,
) -> Result<Status, OpenError> {
    let hosts = connection::options(config, credentials);
    let (mut db, host) = hosts.any().await.map_err(|error| unreachable(config, error))?;
    let looked = timeout(config.statement_timeout.duration(), async {
        let (schema, needed) = version(&mut db).await?;
        let mut engine = vec![("host", host.to_string())];
        let tables = contents(&mut db, &mut engine).await?;
        Ok::<_, MigrationError>(Status { schema, needed, known, engine, tables })
    });
    let looked = looked.await.map_err(|_| unreachable(config, io::Error::from(io::ErrorKind::TimedOut)))?;
    looked.map_err(|error| refusal(config, error))
}

async fn contents(
    db: &mut PgConnection,
    engine: &mut Vec<(&'static str, String)>,
) -> Result<Vec<Table>, sqlx::Error> {
    let server = sqlx::query(SERVER).fetch_one(&mut *db).await?;
    let (version, standby): (String, bool) = (server.try_get(0)?, server.try_get(1)?);
    let (role, owner): (String, String) = (server.try_get(2)?, server.try_get(4)?);
    engine
        .push(("engine", format!("PostgreSQL {version}, a {}", if standby { "standby" } else { "primary" })));
    engine.push(("role", format!("{role}; the database is {owner}'s")));
    engine.push(("sessions_of_cairn", server.try_get::<i64, _>(6)?.to_string()));
    engine.push(("octets", server.try_get::<i64, _>(3)?.to_string()));
    let waited_for: String = server.try_get(5)?;
    engine.push(("synchronous_standbys", if waited_for.is_empty() { "none".to_owned() } else { waited_for }));
    let standbys: Vec<String> = sqlx::query_scalar(STANDBYS).fetch_all(&mut *db).await?;
    engine.push(("standbys", if standbys.is_empty() { "none".to_owned() } else { standbys.join("\n") }));
    let table = |row: &sqlx::postgres::PgRow| {
        Ok(Table {
            name: row.try_get(0)?,
            rows: u64::try_from(row.try_get::<i64, _>(1)?).ok(),
            octets: u64::try_from(row.try_get::<i64, _>(2)?).ok(),
        })
    };
    sqlx::query(TABLES).fetch_all(&mut *db).await?.iter().map(table).collect()
}
