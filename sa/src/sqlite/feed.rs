//! Revocations in the order in which they were stored.

use cairn_core::api::pki::{MAX_REVOCATION_EVENTS, RevocationEvent, RevocationPosition};
use rusqlite::{Connection, Row, params};

use super::query::{self, statements};
use super::rows;
use crate::error::DbError;
use crate::rows::RevocationRow;

statements! {
    LATEST = "SELECT max(position) FROM revocations";
    AFTER = "SELECT serial, issuer, at, reason, position FROM revocations WHERE position > ?1 ORDER BY position LIMIT ?2";
}

fn row(row: &Row<'_>) -> rusqlite::Result<RevocationRow> {
    Ok(RevocationRow {
        serial: row.get(0)?,
        issuer: row.get(1)?,
        at: row.get(2)?,
        reason: row.get(3)?,
        position: row.get(4)?,
    })
}

pub(super) fn position(db: &Connection) -> Result<RevocationPosition, DbError> {
    let latest: Option<Option<i64>> = query::one(db, LATEST, [], |row| row.get(0))?;
    Ok(latest.flatten().map(RevocationPosition::from_number).unwrap_or_default())
}

pub(super) fn after(
    db: &Connection,
    position: RevocationPosition,
    limit: usize,
) -> Result<Vec<RevocationEvent>, DbError> {
    let limit = rows(limit.min(MAX_REVOCATION_EVENTS));
    let found = query::all(db, AFTER, params![position.number(), limit], row)?;
    Ok(found.into_iter().map(RevocationEvent::try_from).collect::<Result<_, _>>()?)
}
