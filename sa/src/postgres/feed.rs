//! Revocations in the order in which they were stored.

use cairn_core::api::pki::{MAX_REVOCATION_EVENTS, RevocationEvent, RevocationPosition};

use super::query::{Db, statements};
use super::rows;
use super::values::{Parameters, Row, arguments};
use crate::error::DbError;
use crate::rows::RevocationRow;

statements! {
    LATEST = "SELECT max(position) FROM revocations";
    AFTER = "SELECT serial, issuer, at, reason, position FROM revocations WHERE position > $1 ORDER BY position LIMIT $2";
}

fn event(row: &Row) -> Result<RevocationEvent, DbError> {
    let row = RevocationRow {
        serial: row.try_get(0)?,
        issuer: row.try_get(1)?,
        at: row.try_get(2)?,
        reason: row.try_get(3)?,
        position: row.try_get(4)?,
    };
    Ok(RevocationEvent::try_from(row)?)
}

pub(super) async fn position(db: &Db) -> Result<RevocationPosition, DbError> {
    let latest: Option<i64> = match db.find(LATEST, Parameters::default()).await?.first() {
        Some(row) => row.try_get(0)?,
        None => None,
    };
    Ok(latest.map(RevocationPosition::from_number).unwrap_or_default())
}

pub(super) async fn after(
    db: &Db,
    position: RevocationPosition,
    limit: usize,
) -> Result<Vec<RevocationEvent>, DbError> {
    let limit = rows(limit.min(MAX_REVOCATION_EVENTS));
    let found = db.find(AFTER, arguments!(position.number(), limit)).await?;
    found.iter().map(event).collect()
}
