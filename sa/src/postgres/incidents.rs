//! Incidents and their certificates.

use cairn_core::api::revocations::{IncidentCertificate, IncidentEntry};
use cairn_core::{Incident, IncidentEnd, IncidentId, IncidentStatus, Serial, Timestamp};

use super::certificates::certificate;
use super::query::{Db, statements};
use super::rows;
use super::values::{Row, arguments};
use crate::error::DbError;
use crate::rows::{IncidentRow, entry_id, last_entry_id, serial};

macro_rules! columns {
    () => {
        "id, name, selection, reason, drill, explanation, created, revoke_at, finished_by, status"
    };
}

statements! {
    INSERT = concat!(
        "INSERT INTO incidents (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING 1"
    );
    BY_ID = concat!("SELECT ", columns!(), " FROM incidents WHERE id = $1");
    LATEST = concat!("SELECT ", columns!(), " FROM incidents ORDER BY id DESC LIMIT $1");
    DUE = concat!(
        "SELECT ", columns!(), " FROM incidents \
         WHERE status = 'open' AND revoke_at IS NOT NULL AND revoke_at <= $1 ORDER BY revoke_at LIMIT $2"
    );
    EXISTS = "SELECT 1 FROM incidents WHERE id = $1";
    IS_OPEN = "SELECT 1 FROM incidents WHERE id = $1 AND status = 'open'";
    SET_END = concat!(
        "UPDATE incidents SET revoke_at = $2, finished_by = $3 WHERE id = $1 AND status = 'open' RETURNING ", columns!()
    );
    CLOSE = concat!("UPDATE incidents SET status = $2 WHERE id = $1 AND status = 'open' RETURNING ", columns!());
    /// Nothing is entered if the incident is not open. One that is closed at the same moment was closed after this.
    ENTER =
        "INSERT INTO incident_certificates (id, incident_id, serial, subject, replaced, done) \
         SELECT entered.id, $1::bytea, entered.serial, entered.subject, false, false \
         FROM unnest($2::bytea[], $3::bytea[], $4::bytea[]) AS entered (id, serial, subject) \
         WHERE (SELECT status FROM incidents WHERE incidents.id = $1::bytea) = 'open' \
         ON CONFLICT (id) DO NOTHING RETURNING 1";
    /// One that claims to replace it counts when it was issued.
    CERTIFICATES =
        "SELECT certificates.serial, order_id, account_id, issuer, der, not_after, revoked_at, revocation_reason, \
             part.serial, part.replaced OR ( \
                 SELECT 1 FROM replacements JOIN orders ON orders.id = replacements.order_id \
                 WHERE replacements.serial = part.serial AND orders.status = 'issued') IS NOT NULL \
         FROM (SELECT id, serial, replaced FROM incident_certificates WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS part \
         LEFT JOIN certificates ON certificates.serial = part.serial ORDER BY part.id";
    TO_DO =
        "SELECT serial FROM incident_certificates WHERE incident_id = $1 AND NOT done ORDER BY serial LIMIT $2";
    DONE = "UPDATE incident_certificates SET done = true WHERE id = ANY($1::bytea[]) AND NOT done RETURNING 1";
    REPLACED =
        "UPDATE incident_certificates SET replaced = true \
         FROM unnest($2::bytea[], $3::bytea[]) AS found (id, subject) \
         WHERE incident_certificates.incident_id = $1 AND incident_certificates.subject = found.subject AND NOT replaced \
             AND (SELECT 1 FROM incident_certificates AS itself WHERE itself.id = found.id) IS NULL RETURNING 1";
}

/// How many incidents end in one round: more wait for the next.
const DUE_AT_ONCE: i64 = 100;

fn incident(row: &Row) -> Result<Incident, DbError> {
    let row = IncidentRow {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        selection: row.try_get(2)?,
        reason: row.try_get(3)?,
        drill: row.try_get(4)?,
        explanation: row.try_get(5)?,
        created: row.try_get(6)?,
        revoke_at: row.try_get(7)?,
        finished_by: row.try_get(8)?,
        status: row.try_get(9)?,
    };
    Ok(row.try_into()?)
}

pub(super) async fn insert(db: &Db, row: &IncidentRow) -> Result<(), DbError> {
    let values = arguments!(
        row.id,
        &row.name,
        &row.selection,
        row.reason,
        row.drill,
        row.explanation.as_ref(),
        row.created,
        row.revoke_at,
        row.finished_by.as_ref(),
        &row.status,
    );
    db.change(INSERT, values).await.map(drop)
}

pub(super) async fn by_id(db: &Db, id: IncidentId) -> Result<Option<Incident>, DbError> {
    db.one(BY_ID, arguments!(id.as_bytes())).await?.as_ref().map(incident).transpose()
}

pub(super) async fn latest(db: &Db, limit: i64) -> Result<Vec<Incident>, DbError> {
    db.find(LATEST, arguments!(limit)).await?.iter().map(incident).collect()
}

pub(super) async fn due(db: &Db, at: Timestamp) -> Result<Vec<Incident>, DbError> {
    db.find(DUE, arguments!(at.unix(), DUE_AT_ONCE)).await?.iter().map(incident).collect()
}

/// The keys of the entries.
fn ids(id: IncidentId, entries: &[IncidentEntry]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| entry_id(id, entry.serial.as_bytes())).collect()
}

fn subjects(entries: &[IncidentEntry]) -> Vec<[u8; 16]> {
    entries.iter().map(|entry| entry.subject).collect()
}

pub(super) async fn enter(db: &Db, id: IncidentId, entries: &[IncidentEntry]) -> Result<u64, DbError> {
    let serials: Vec<Vec<u8>> = entries.iter().map(|entry| entry.serial.as_bytes().to_vec()).collect();
    let values = arguments!(id.as_bytes(), ids(id, entries), serials, subjects(entries));
    let new = db.change_many(ENTER, values).await?.len();
    if new == 0 && !db.exists(IS_OPEN, arguments!(id.as_bytes())).await? {
        let exists = db.exists(EXISTS, arguments!(id.as_bytes())).await?;
        return Err(if exists { DbError::Conflict } else { DbError::NotFound });
    }
    Ok(new as u64)
}

pub(super) async fn set_end(db: &Db, id: IncidentId, end: &IncidentEnd) -> Result<Incident, DbError> {
    let values = arguments!(id.as_bytes(), end.at.unix(), &end.by);
    incident(&db.change_or_refuse(SET_END, values, EXISTS, id.as_bytes()).await?)
}

pub(super) async fn close(db: &Db, id: IncidentId, status: IncidentStatus) -> Result<Incident, DbError> {
    let values = arguments!(id.as_bytes(), status.as_str());
    incident(&db.change_or_refuse(CLOSE, values, EXISTS, id.as_bytes()).await?)
}

pub(super) async fn certificates(
    db: &Db,
    id: IncidentId,
    after: &[u8],
    limit: i64,
) -> Result<Vec<IncidentCertificate>, DbError> {
    let range = arguments!(entry_id(id, after), last_entry_id(id), limit);
    let read = |row: &Row| {
        let record = row.try_get::<Option<&[u8]>>(0)?.map(|_| certificate(row)).transpose()?;
        let serial = serial(row.try_get(8)?, "incident_certificates")?;
        Ok(IncidentCertificate { serial, replaced: row.try_get(9)?, record })
    };
    db.find(CERTIFICATES, range).await?.iter().map(read).collect()
}

pub(super) async fn to_do(db: &Db, id: IncidentId, limit: usize) -> Result<Vec<Serial>, DbError> {
    let found = db.find(TO_DO, arguments!(id.as_bytes(), rows(limit))).await?;
    found.iter().map(|row| Ok(serial(row.try_get(0)?, "incident_certificates")?)).collect()
}

pub(super) async fn set_done(db: &Db, id: IncidentId, serials: &[Serial]) -> Result<(), DbError> {
    let ids: Vec<Vec<u8>> = serials.iter().map(|serial| entry_id(id, serial.as_bytes())).collect();
    db.change_many(DONE, arguments!(ids)).await.map(drop)
}

pub(super) async fn set_replaced(db: &Db, id: IncidentId, by: &[IncidentEntry]) -> Result<u64, DbError> {
    let values = arguments!(id.as_bytes(), ids(id, by), subjects(by));
    Ok(db.change_many(REPLACED, values).await?.len() as u64)
}
