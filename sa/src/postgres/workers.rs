//! Workers: who works on orders and authorizations, and when each was last heard of.

use cairn_core::{Timestamp, WorkerId};

use super::query::{Db, statements};
use super::values::arguments;
use crate::error::DbError;
use crate::rows::WORKER_KEPT;

/// Whether a row of a table is free for the worker `$1`, which takes what was left by workers not heard of since `$2`. A
/// worker's row is looked up by its key for each row that is being worked on: they are as many as there is work under way.
macro_rules! abandoned {
    ($table:literal) => {
        concat!(
            "(worker = $1 OR coalesce((SELECT seen FROM workers WHERE workers.id = ",
            $table,
            ".worker), 0) < $2)"
        )
    };
}
pub(super) use abandoned;

statements! {
    /// Rows of workers that are long gone go by the way. Two that let them go at once pass over each other's.
    HEARTBEAT =
        "WITH gone AS ( \
             DELETE FROM workers WHERE id = ANY(ARRAY( \
                 SELECT id FROM workers WHERE seen < $3 AND id <> $1 LIMIT 100 FOR UPDATE SKIP LOCKED \
             )) \
         ) \
         INSERT INTO workers (id, seen) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen = $2 RETURNING 1";
    RETIRE = "DELETE FROM workers WHERE id = $1 RETURNING 1";
}

pub(super) async fn heartbeat(db: &Db, worker: WorkerId, at: Timestamp) -> Result<(), DbError> {
    let values = arguments!(worker.as_bytes(), at.unix(), at.plus(-WORKER_KEPT).unix());
    db.change(HEARTBEAT, values).await?.map(|_| ()).ok_or(DbError::Affected(0))
}

pub(super) async fn retire(db: &Db, worker: WorkerId) -> Result<(), DbError> {
    db.change(RETIRE, arguments!(worker.as_bytes())).await.map(drop)
}
