//! The one thread that writes.
//!
//! Flushing a commit to the disk costs a hundred times what the changes in it cost, so the writer commits in groups:
//! it takes all jobs that wait, runs each in a savepoint of one transaction, commits once, and only then answers. While
//! the disk flushes, the next group gathers. A job that fails is rolled back alone; when the commit fails, every job of
//! the group fails, and nothing of it is stored.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::query;
use crate::error::DbError;
use crate::metrics::WRITING;

/// Jobs in one transaction at most: it bounds how long the first waits for the last (a job takes some 20 µs), and how
/// much work one failed commit undoes.
const MAX_GROUP: usize = 128;

/// Why callers get no answer when the thread is gone.
const DEAD: DbError = DbError::Stopped("its writer is gone");

/// The queue to the writer's thread.
pub(super) struct Writer {
    /// Bounded: when it is full, the storage is slower than its callers, and they are told at once. `None` when closed.
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    /// Joined by whoever closes first.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread, which owns the connection's writing from now on; at most `queue` jobs can wait for it.
    pub(super) fn start(connection: Arc<Mutex<Connection>>, queue: usize) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let thread =
            Builder::new().name("storage-writer".to_owned()).spawn(move || write(&connection, &receiver))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Runs `work` in a transaction. What it gives is stored when this returns; when it fails, or the commit does,
    /// nothing is.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Task { work: Some(work), outcome: Err(DEAD), reply }))?;
        // The wait has the queue's bound: so many jobs in groups, each as long as the disk takes to flush.
        answer.await.unwrap_or(Err(DEAD))
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<(), DbError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(DbError::Busy("it is being closed")) };
        // Before, or the writer could take it before it is counted.
        WRITING.queued();
        queue.try_send(job).map_err(|error| {
            WRITING.turned_away();
            match error {
                TrySendError::Full(_) => DbError::Busy("the writer's queue is full"),
                TrySendError::Disconnected(_) => DEAD,
            }
        })
    }

    /// Takes no more jobs, and waits until all that wait are done and the log has been moved into the database.
    pub(super) fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A thread that has panicked has said so in the log.
        thread.map(JoinHandle::join);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A change that waits to be made, and its caller who waits for the answer.
trait Job: Send {
    /// Makes the change and remembers what came out.
    fn run(&mut self, db: &Connection) -> Result<(), DbError>;

    /// Answers the caller, now that it is known whether the group was committed.
    fn answer(self: Box<Self>, committed: Result<(), DbError>);
}

struct Task<W, T> {
    work: Option<W>,
    outcome: Result<T, DbError>,
    reply: oneshot::Sender<Result<T, DbError>>,
}

impl<T: Send, W: FnOnce(&Connection) -> Result<T, DbError> + Send> Job for Task<W, T> {
    fn run(&mut self, db: &Connection) -> Result<(), DbError> {
        if let Some(work) = self.work.take() {
            self.outcome = work(db);
        }
        self.outcome.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn answer(self: Box<Self>, committed: Result<(), DbError>) {
        // A caller who has gone away needs no answer; the change stands all the same.
        let _gone = self.reply.send(committed.and(self.outcome));
    }
}

/// The thread: ends when the queue is closed and empty.
fn write(connection: &Mutex<Connection>, queue: &Receiver<Box<dyn Job>>) {
    let _obituary = Obituary;
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(MAX_GROUP - 1));
        WRITING.taken(group.len());
        let began = Instant::now();
        let committed = match connection.lock() {
            Ok(db) => commit(&db, &mut group),
            Err(_) => Err(DEAD),
        };
        WRITING.committed(group.len(), began);
        for job in group {
            job.answer(committed.clone());
        }
    }
    if let Ok(db) = connection.lock()
        && let Err(error) = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    {
        tracing::warn!(%error, "the database's log could not be moved into the database; the next start does it");
    }
}

/// Runs a group of jobs in one transaction.
fn commit(db: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), DbError> {
    query::run(db, "BEGIN IMMEDIATE")?;
    let committed = run_each(db, group).and_then(|()| query::run(db, "COMMIT"));
    if let Err(error) = &committed {
        tracing::error!(error = error as &dyn std::error::Error, jobs = group.len(), "a commit failed");
        if !db.is_autocommit()
            && let Err(error) = query::run(db, "ROLLBACK")
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the failed commit could not be rolled back"
            );
        }
    }
    committed
}

/// Runs each job in a savepoint, so that one that fails is undone alone. Fails only when the whole transaction is lost.
fn run_each(db: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), DbError> {
    for job in group {
        query::run(db, "SAVEPOINT job")?;
        let outcome = job.run(db);
        // Some failures (a full disk, an I/O error) roll the whole transaction back. What ran after that would be
        // committed one by one, so nothing may.
        if db.is_autocommit() {
            return Err(outcome.err().unwrap_or(DbError::Misuse("a job ended the transaction")));
        }
        if outcome.is_err() {
            query::run(db, "ROLLBACK TO job")?;
        }
        query::run(db, "RELEASE job")?;
    }
    Ok(())
}

/// Says in the log that the thread has died, should it ever: from then on every change fails, and so does `ping`.
struct Obituary;

impl Drop for Obituary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the storage's writer has died by a fault in the program; restart the server");
        }
    }
}

#[cfg(test)]
mod tests;
