//! Takes a CA from SQLite to PostgreSQL: every row of every table of `tables`, with its ids, so that what clients and
//! certificates name stays where it is.
//!
//! All rows go into one transaction of the new database, which ends only when the rows have been read back from it and are, table by
//! table, as many and the same as in the old one. So whoever interrupts a copy, at whatever moment, leaves the new database as empty as it
//! was, and begins again. The old one is only read. Neither may be in use by a server: the old one is opened so that SQLite lets nobody
//! else in, and the new one's lock is taken.

use std::error::Error as StdError;
use std::path::Path;

use crate::config::{Config, Credentials};
use crate::error::OpenError;
use crate::postgres::Target;
use crate::sqlite::Source;
use crate::sqlite::backup::BackupError;
use crate::tables::{Checksum, TABLES, Table, Value};

/// Rows on their way at the same time. The largest, orders of a thousand names, have some tens of kilobytes.
const BATCH: i64 = 500;

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has, in either database.
    pub rows: u64,
    /// The SHA-256 over its rows by their key, which both databases give.
    pub checksum: [u8; 32],
}

/// Why nothing was copied. Written for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database to copy.
    #[error(transparent)]
    From(#[from] BackupError),
    /// The database to fill.
    #[error(transparent)]
    To(#[from] OpenError),
    /// What arrived is not what was sent.
    #[error("the table {table} did not arrive as it is ({why}); nothing was kept")]
    Differs {
        /// Which.
        table: &'static str,
        /// In what.
        why: &'static str,
    },
    /// Reading failed.
    #[error("the old database could not be read; nothing was kept")]
    Read(#[source] Box<dyn StdError + Send + Sync>),
    /// Writing failed.
    #[error("the new database could not be filled; nothing was kept")]
    Write(#[source] Box<dyn StdError + Send + Sync>),
}

/// Copies the SQLite database at `from` into the empty PostgreSQL database that `to` names. `progress` hears which table is being copied
/// and how many of its rows are.
///
/// # Errors
/// With what is wrong and what to do. Then the new database is as empty as it was.
pub async fn copy(
    from: &Path,
    to: &Config,
    credentials: &Credentials,
    mut progress: impl FnMut(&'static str, u64),
) -> Result<Vec<Copied>, CopyError> {
    let source = Source::open(from)?;
    let mut target = Target::open(to, credentials).await?;
    let mut copied = Vec::new();
    for table in TABLES {
        let sent = send(&source, &mut target, table, &mut progress).await?;
        let arrived = arrived(&mut target, table).await?;
        let differs = |why| Err(CopyError::Differs { table: table.name, why });
        if sent.rows != source.count(table).map_err(read)? {
            return differs("not every row was read");
        }
        if arrived.rows != sent.rows || arrived.rows != target.count(table).await.map_err(written)? {
            return differs("another number of rows");
        }
        if arrived.checksum != sent.checksum {
            return differs("another checksum");
        }
        copied.push(sent);
    }
    target.commit().await.map_err(written)?;
    Ok(copied)
}

fn read(error: rusqlite::Error) -> CopyError {
    CopyError::Read(error.into())
}

fn written(error: sqlx::Error) -> CopyError {
    CopyError::Write(error.into())
}

async fn send(
    source: &Source,
    target: &mut Target,
    table: &'static Table,
    progress: &mut impl FnMut(&'static str, u64),
) -> Result<Copied, CopyError> {
    let (mut rows, mut checksum, mut after) = (0, Checksum::new(), Vec::new());
    loop {
        let batch = source.rows(table, &after, BATCH).map_err(read)?;
        let Some(last) = batch.last() else { break };
        after = key(last);
        batch.iter().for_each(|row| checksum.add(row));
        target.insert(table, &batch).await.map_err(written)?;
        rows += batch.len() as u64;
        progress(table.name, rows);
    }
    Ok(Copied { table: table.name, rows, checksum: checksum.finish() })
}

/// What the new database itself says of a table.
async fn arrived(target: &mut Target, table: &'static Table) -> Result<Copied, CopyError> {
    let (mut rows, mut checksum, mut after) = (0, Checksum::new(), Vec::new());
    loop {
        let batch = target.rows(table, &after, BATCH).await.map_err(written)?;
        let Some(last) = batch.last() else { break };
        after = key(last);
        batch.iter().for_each(|row| checksum.add(row));
        rows += batch.len() as u64;
    }
    Ok(Copied { table: table.name, rows, checksum: checksum.finish() })
}

/// The key of a row, which is never empty: from the empty one on, all rows come.
fn key(row: &[Value]) -> Vec<u8> {
    match row.first() {
        Some(Value::Bytes(key)) => key.clone(),
        _ => Vec::new(),
    }
}
