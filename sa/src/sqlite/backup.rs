//! Copies of a database that are good for a restore, and the look at one before it is trusted.
//!
//! A copy is made by SQLite's backup interface within one read transaction. The transaction fixes the state that is copied, so
//! that the server goes on writing meanwhile and the copy does not begin anew with each of its commits; all that it costs the
//! server is a log that grows until the copy is done. `VACUUM INTO` would be as consistent, but it builds every B-tree again,
//! and says nothing until it has finished.
//!
//! A copy is one file: it is taken out of the mode with a write-ahead log, which the next server puts it into again.

use std::error::Error as StdError;
use std::path::Path;

use cairn_core::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode};

use super::{connection, migrations, refusal};
use crate::error::OpenError;
use crate::migration::newest;

/// Pages (4 KiB each) between two words about the progress: 4 MiB, some milliseconds.
const STEP: i32 = 1024;

/// What is in a database that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The number of the newest migration that it has seen.
    pub schema: u32,
    /// Every table, and how many rows it has.
    pub rows: Vec<(String, u64)>,
    /// When its newest certificate was signed.
    pub newest_certificate: Option<Timestamp>,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Octets copied.
    pub done: u64,
    /// Octets in all.
    pub total: u64,
}

/// Why there is no copy, or why a file is not used as one. Written for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It cannot be opened, belongs to another program or to a newer Cairn.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An empty database.
    #[error("{path} is empty: no server has ever stored anything in it")]
    Empty {
        /// The file.
        path: String,
    },
    /// Its schema is not the newest that this program knows.
    #[error(
        "the database {path} has schema {found} and this program schema {known}; start this version's server on it once, or use the \
         version that made it"
    )]
    OtherSchema {
        /// The file.
        path: String,
        /// The newest migration that it has seen.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// SQLite says that it is broken.
    #[error("the database {path} is damaged ({what}); take another copy")]
    Damaged {
        /// The file.
        path: String,
        /// What SQLite found first.
        what: String,
    },
    /// Somebody else has it open.
    #[error("another program has the database {path} open; end it first")]
    Busy {
        /// The file.
        path: String,
    },
    /// The copy is another than what was copied.
    #[error("the copy {path} does not hold what the database holds; try again, to another disk")]
    Differs {
        /// The copy.
        path: String,
    },
    /// SQLite or the disk failed.
    #[error("{path} could not be copied")]
    Failed {
        /// The copy.
        path: String,
        /// What SQLite says.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Copies the database at `from`, which a server may be using, to the empty file `to`, and looks at the result: it is whole by SQLite's
/// own check, and has the rows that the original had at the moment that was copied. The caller forces the file to the disk.
///
/// # Errors
/// With what is wrong and what to do; then what is in `to` is no copy.
pub fn copy(from: &Path, to: &Path, mut progress: impl FnMut(Progress)) -> Result<Contents, BackupError> {
    let db = connection::reader(from).map_err(|error| about(from, error))?;
    let failed =
        |error: rusqlite::Error| BackupError::Failed { path: to.display().to_string(), source: error.into() };
    db.execute_batch("BEGIN").map_err(failed)?;
    // The first read fixes the state.
    let expected = contents(&db, from)?;
    let page: u32 = db.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
    let octets = |pages: i32| u64::try_from(pages).unwrap_or(0).saturating_mul(page.into());
    {
        let mut copy = connection::draft(to).map_err(failed)?;
        let backup = Backup::new(&db, &mut copy).map_err(failed)?;
        loop {
            let step = backup.step(STEP).map_err(failed)?;
            let at = backup.progress();
            let total = octets(at.pagecount);
            progress(Progress { done: total.saturating_sub(octets(at.remaining)), total });
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => return Err(BackupError::Busy { path: to.display().to_string() }),
            }
        }
    }
    settle(to)?;
    if inspect(to)? == expected {
        Ok(expected)
    } else {
        Err(BackupError::Differs { path: to.display().to_string() })
    }
}

/// Looks at a whole database that nobody writes to: whether it is Cairn's, not too new for this program, and not damaged.
///
/// # Errors
/// With what is wrong and what to do.
pub fn inspect(path: &Path) -> Result<Contents, BackupError> {
    let db = connection::reader(path).map_err(|error| about(path, error))?;
    let found = contents(&db, path)?;
    let check = db.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0));
    match check.map_err(|error| about(path, error))? {
        verdict if verdict == "ok" => Ok(found),
        what => Err(BackupError::Damaged { path: path.display().to_string(), what }),
    }
}

/// Moves what stands in the write-ahead log of a database that nobody uses into the database, and removes the log: one file is left.
///
/// # Errors
/// With what is wrong: also if somebody uses it.
pub fn settle(path: &Path) -> Result<(), BackupError> {
    let db = connection::reader(path).map_err(|error| about(path, error))?;
    let settle = || {
        db.pragma_update(None, "query_only", false)?;
        db.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))
    };
    match settle().map_err(|error| about(path, error))? {
        mode if mode == "delete" => Ok(()),
        _ => Err(BackupError::Busy { path: path.display().to_string() }),
    }
}

/// What is in a database, as one state of it.
fn contents(db: &Connection, path: &Path) -> Result<Contents, BackupError> {
    let (schema, needed) = migrations::version(db).map_err(|error| refusal(path, error))?;
    let known = newest(migrations::ALL);
    let shown = || path.display().to_string();
    if schema == 0 {
        return Err(BackupError::Empty { path: shown() });
    }
    if needed > known {
        return Err(OpenError::TooNew { path: shown(), found: schema, needed, known }.into());
    }
    let count = || {
        let rows = table_names(db)?.into_iter().map(|table| {
            let sql = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
            let count: i64 = db.query_row(&sql, [], |row| row.get(0))?;
            Ok((table, u64::try_from(count).unwrap_or(0)))
        });
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let newest: Option<i64> = db.query_row("SELECT max(at) FROM certificates", [], |row| row.get(0))?;
        Ok(Contents { schema, rows, newest_certificate: newest.map(Timestamp::from_unix) })
    };
    count().map_err(|error| about(path, error))
}

fn table_names(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// What SQLite says about the database at `path`.
pub(super) fn about(path: &Path, error: rusqlite::Error) -> BackupError {
    let shown = path.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => BackupError::Damaged { path: shown, what: error.to_string() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BackupError::Busy { path: shown },
        _ => refusal(path, error.into()).into(),
    }
}
