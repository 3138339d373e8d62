//! How statements are run: always prepared once and kept, with numbered parameters, and with a look at how many rows
//! they changed.

use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Row, ffi};

use crate::error::DbError;

/// Statements kept ready on each connection: more than there are, so that none is ever prepared twice.
pub(super) const PREPARED: usize = 160;

/// Declares a file's SQL texts as constants, and lists them for the test that looks at every query plan.
///
/// Parameters are written `?1`: a `$1` would be a *named* parameter to SQLite, bound by its first appearance.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*

        /// Every statement of this file.
        #[cfg(test)]
        pub(super) const STATEMENTS: &[&str] = &[$($name),*];
    };
}
pub(super) use statements;

/// The row that a lookup by key finds.
pub(super) fn one<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, DbError> {
    Ok(db.prepare_cached(sql)?.query_row(params, read).optional()?)
}

/// Whether a lookup by key finds a row.
pub(super) fn exists(db: &Connection, sql: &str, params: impl Params) -> Result<bool, DbError> {
    Ok(one(db, sql, params, |_| Ok(()))?.is_some())
}

/// The rows of a query that bounds their number itself.
pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, DbError> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?.collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// Whether a change that starts from a status found its row in it.
pub(super) fn changes(db: &Connection, sql: &str, params: impl Params) -> Result<bool, DbError> {
    match db.prepare_cached(sql)?.execute(params)? {
        0 => Ok(false),
        1 => Ok(true),
        more => Err(DbError::Affected(more)),
    }
}

/// A change of however many rows there are to change.
pub(super) fn change_any(db: &Connection, sql: &str, params: impl Params) -> Result<(), DbError> {
    db.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

/// The same; how many there were.
pub(super) fn change_many(db: &Connection, sql: &str, params: impl Params) -> Result<u64, DbError> {
    Ok(db.prepare_cached(sql)?.execute(params)? as u64)
}

/// A change that must change one row.
pub(super) fn change(db: &Connection, sql: &str, params: impl Params) -> Result<(), DbError> {
    if changes(db, sql, params)? { Ok(()) } else { Err(DbError::Affected(0)) }
}

/// A change that starts from a status: `Conflict` if the row has another one, `NotFound` if `lookup` finds no row with
/// this key at all.
pub(super) fn change_or_refuse(
    db: &Connection,
    sql: &str,
    params: impl Params,
    lookup: &str,
    key: impl Params,
) -> Result<(), DbError> {
    if changes(db, sql, params)? {
        Ok(())
    } else if exists(db, lookup, key)? {
        Err(DbError::Conflict)
    } else {
        Err(DbError::NotFound)
    }
}

/// Runs a statement without parameters or rows.
pub(super) fn run(db: &Connection, sql: &str) -> Result<(), DbError> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Lets several reads see one state of the database.
pub(super) fn snapshot<T>(
    db: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    run(db, "BEGIN")?;
    let result = read(db);
    run(db, "COMMIT")?;
    result
}

/// What SQLite says, in the storage's own words.
impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error() else { return Self::Engine(Arc::new(error)) };
        match (code.code, code.extended_code) {
            (
                ErrorCode::ConstraintViolation,
                ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID,
            ) => Self::Conflict,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
                Self::Busy("another program holds the database's lock")
            }
            _ => Self::Engine(Arc::new(error)),
        }
    }
}
