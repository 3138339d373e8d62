//! A SQLite database that is read from end to end, table by table, while nobody else uses it.

use std::path::Path;

use rusqlite::types::{FromSqlError, ValueRef};
use rusqlite::{Connection, params};

use super::backup::{BackupError, about};
use super::{connection, migrations, refusal};
use crate::migration::newest;
use crate::tables::{Table, Value};

/// An open database.
pub(crate) struct Source {
    db: Connection,
}

impl Source {
    /// Opens a database whose schema is the newest, and keeps everybody else from it.
    pub(crate) fn open(path: &Path) -> Result<Self, BackupError> {
        let shown = || path.display().to_string();
        let open = || -> rusqlite::Result<Connection> {
            let db = connection::only(path)?;
            db.execute_batch("BEGIN")?;
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(db)
        };
        let db = open().map_err(|error| about(path, error))?;
        let (found, _) = migrations::version(&db).map_err(|error| refusal(path, error))?;
        match found {
            0 => Err(BackupError::Empty { path: shown() }),
            found if found != newest(migrations::ALL) => {
                Err(BackupError::OtherSchema { path: shown(), found, known: newest(migrations::ALL) })
            }
            _ => Ok(Self { db }),
        }
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &Table) -> rusqlite::Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count: i64 = self.db.query_row(&sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The next rows of a table by its key, at most `limit`.
    pub(crate) fn rows(&self, table: &Table, after: &[u8], limit: i64) -> rusqlite::Result<Vec<Vec<Value>>> {
        let (names, name, key) = (table.names(), table.name, table.key());
        let sql = format!("SELECT {names} FROM {name} WHERE {key} > ?1 ORDER BY {key} LIMIT ?2");
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, limit], |row| {
            (0..table.columns.len()).map(|column| value(row.get_ref(column)?, column)).collect()
        })?;
        rows.collect()
    }
}

fn value(value: ValueRef<'_>, column: usize) -> rusqlite::Result<Value> {
    let wrong = |error: FromSqlError| {
        rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(error))
    };
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Number(number),
        ValueRef::Text(_) => Value::Text(value.as_str().map_err(wrong)?.to_owned()),
        ValueRef::Blob(octets) => Value::Bytes(octets.to_vec()),
        ValueRef::Real(_) => return Err(wrong(FromSqlError::InvalidType)),
    })
}
