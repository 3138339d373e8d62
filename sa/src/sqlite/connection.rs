//! How connections are opened and set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::query;

/// How long a statement waits for a lock that another *program* holds (a backup, a database shell): our own
/// connections never wait for each other. Long enough for a shell's query, short enough for a client to be told.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Page cache of the writer in KiB: the rightmost pages of every B-tree and what a checkpoint needs.
const WRITER_CACHE: i64 = 2048;

/// Page cache of a reader in KiB: upper levels of the B-trees. The operating system caches the rest of the file.
const READER_CACHE: i64 = 1024;

/// Pages in the write-ahead log (4 KiB each) at which a commit also moves them into the database. More pages make it
/// rarer, and a page that changed often is moved once; but all of the log is read again at a start after a crash
/// (measured: 4 MiB take 1 to 9 ms, and four times as many pages saved no CPU time).
const CHECKPOINT_PAGES: i64 = 1000;

/// The size in bytes to which the log is cut after it had grown beyond it under load.
const LOG_SIZE: i64 = 16 * 1024 * 1024;

/// The connection that writes; the file is made if there is none.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags() | OpenFlags::SQLITE_OPEN_CREATE)?;
    configure(&db, WRITER_CACHE)?;
    // With a write-ahead log, readers see the last commit and never wait for the writer, nor it for them.
    db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    // FULL flushes the log at every commit: what was answered survives a power failure. NORMAL would not.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE, |_| Ok(()))?;
    Ok(db)
}

/// A connection that reads. It may write as far as the file is concerned, so that the last one to be closed can tidy
/// the log away.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags())?;
    configure(&db, READER_CACHE)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// A connection that reads, and is the only one: SQLite refuses to read while another one has the database open, and keeps others out
/// afterwards. That holds only if nothing is read before the mode is set, as most settings would.
pub(super) fn only(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags())?;
    db.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    configure(&db, READER_CACHE)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// A connection to an empty file that becomes a copy of a database. Nobody trusts the file before it is whole and on the disk, so that
/// neither a journal nor a flush in between would help anybody.
pub(super) fn draft(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags())?;
    configure(&db, WRITER_CACHE)?;
    db.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "OFF")?;
    Ok(db)
}

/// A database in memory, which only this one connection can see: it ends with it and never touches a disk.
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let db = Connection::open_in_memory_with_flags(flags() | OpenFlags::SQLITE_OPEN_CREATE)?;
    configure(&db, WRITER_CACHE)?;
    Ok(db)
}

/// No mutex inside SQLite: each connection has one of ours round it. No URIs: a path is a path.
fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn configure(db: &Connection, cache: i64) -> rusqlite::Result<()> {
    db.busy_timeout(LOCK_WAIT)?;
    db.set_prepared_statement_cache_capacity(query::PREPARED);
    // This build of SQLite looks for foreign keys by default; the schema has none, and says why.
    db.pragma_update(None, "foreign_keys", false)?;
    // A file from another hand cannot make us run functions from its schema.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // Negative: KiB, not pages.
    db.pragma_update(None, "cache_size", -cache)
}
