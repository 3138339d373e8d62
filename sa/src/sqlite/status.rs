//! What an operator asks about a file, which a server may be using.

use std::path::Path;

use rusqlite::Connection;

use super::migrations::{MigrationError, version};
use super::{connection, refusal};
use crate::error::OpenError;
use crate::status::{Status, Table};

/// Looks into the database at `path`.
pub(crate) fn status(path: &Path, known: u32) -> Result<Status, OpenError> {
    let failed = |error| refusal(path, MigrationError::Sqlite(error));
    let db = connection::reader(path).map_err(failed)?;
    let (schema, needed) = version(&db).map_err(|error| refusal(path, error))?;
    let (engine, tables) = contents(&db).map_err(failed)?;
    Ok(Status { schema, needed, known, engine, tables })
}

type Contents = (Vec<(&'static str, String)>, Vec<Table>);

fn contents(db: &Connection) -> rusqlite::Result<Contents> {
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let (pages, free): (i64, i64) = db.query_row(
        "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let page: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let engine = vec![
        ("engine", format!("SQLite {}, journal mode {mode}", rusqlite::version())),
        ("octets", format!("{}, of which {} are free", pages * page, free * page)),
    ];
    let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let table = |name: String| {
        let sql = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = db.query_row(&sql, [], |row| row.get(0))?;
        Ok(Table { name, rows: u64::try_from(rows).ok(), octets: None })
    };
    Ok((engine, names.into_iter().map(table).collect::<rusqlite::Result<_>>()?))
}
