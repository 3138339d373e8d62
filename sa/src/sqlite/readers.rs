//! The connections that read.
//!
//! A lookup by key takes about 1.5 µs from SQLite's cache, far less than handing it to another thread and back, so it
//! runs on the caller's own thread, even an async one: with a write-ahead log a reader never waits for the writer or
//! the disk's flush.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::Connection;

use crate::error::DbError;

/// A few connections, each behind its lock.
pub(super) struct Readers {
    /// Held for one read; never over an `.await`.
    connections: Vec<Arc<Mutex<Connection>>>,
    /// Which connection to wait for when none is free.
    turn: AtomicUsize,
}

impl Readers {
    /// Reads through these.
    pub(super) fn new(connections: Vec<Arc<Mutex<Connection>>>) -> Self {
        Self { connections, turn: AtomicUsize::new(0) }
    }

    /// Reads through the first connection that is free: the first ones stay warm, and the last ones cost memory only
    /// when they are needed.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, DbError>) -> Result<T, DbError> {
        let free = self.connections.iter().find_map(|connection| connection.try_lock().ok());
        read(&*free.or_else(|| self.wait()).ok_or(DbError::Stopped("a read has panicked"))?)
    }

    /// Waits for a connection, each caller for the next one: as long as one read takes.
    fn wait(&self) -> Option<MutexGuard<'_, Connection>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(self.connections.len())?;
        self.connections.get(turn)?.lock().ok()
    }
}
