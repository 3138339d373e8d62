//! Workers: who works on orders and authorizations, and when each was last heard of.

use cairn_core::{Timestamp, WorkerId};
use rusqlite::{Connection, params};

use super::query::{self, statements};
use crate::error::DbError;
use crate::rows::WORKER_KEPT;

/// Whether a row of a table is free for the worker `?1`, which takes what was left by workers not heard of since `?2`. A
/// worker's row is looked up by its key for each row that is being worked on: they are as many as there is work under way.
macro_rules! abandoned {
    ($table:literal) => {
        concat!(
            "(worker = ?1 OR coalesce((SELECT seen FROM workers WHERE workers.id = ",
            $table,
            ".worker), 0) < ?2)"
        )
    };
}
pub(super) use abandoned;

statements! {
    HEARTBEAT = "INSERT INTO workers (id, seen) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET seen = ?2";
    FORGET = "DELETE FROM workers WHERE seen < ?1";
    RETIRE = "DELETE FROM workers WHERE id = ?1";
}

/// Rows of workers that are long gone go by the way.
pub(super) fn heartbeat(db: &Connection, worker: WorkerId, at: Timestamp) -> Result<(), DbError> {
    query::change_any(db, FORGET, [at.plus(-WORKER_KEPT).unix()])?;
    query::change(db, HEARTBEAT, params![worker.as_bytes(), at.unix()])
}

pub(super) fn retire(db: &Connection, worker: WorkerId) -> Result<(), DbError> {
    query::changes(db, RETIRE, [worker.as_bytes()]).map(drop)
}
