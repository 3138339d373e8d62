//! Incidents and their certificates.

use cairn_core::api::revocations::{IncidentCertificate, IncidentEntry};
use cairn_core::{Incident, IncidentEnd, IncidentId, IncidentStatus, Serial, Timestamp};
use rusqlite::{Connection, Row, params};

use super::query::{self, statements};
use super::{certificates, rows};
use crate::error::DbError;
use crate::rows::{IncidentRow, entry_id, last_entry_id, serial};

macro_rules! columns {
    () => {
        "id, name, selection, reason, drill, explanation, created, revoke_at, finished_by, status"
    };
}

statements! {
    INSERT = concat!("INSERT INTO incidents (", columns!(), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    BY_ID = concat!("SELECT ", columns!(), " FROM incidents WHERE id = ?1");
    LATEST = concat!("SELECT ", columns!(), " FROM incidents WHERE id > x'' ORDER BY id DESC LIMIT ?1");
    DUE = concat!(
        "SELECT ", columns!(), " FROM incidents \
         WHERE status = 'open' AND revoke_at IS NOT NULL AND revoke_at <= ?1 ORDER BY revoke_at LIMIT ?2"
    );
    EXISTS = "SELECT 1 FROM incidents WHERE id = ?1";
    IS_OPEN = "SELECT 1 FROM incidents WHERE id = ?1 AND status = 'open'";
    SET_END = "UPDATE incidents SET revoke_at = ?2, finished_by = ?3 WHERE id = ?1 AND status = 'open'";
    CLOSE = "UPDATE incidents SET status = ?2 WHERE id = ?1 AND status = 'open'";
    ENTER =
        "INSERT INTO incident_certificates (id, incident_id, serial, subject, replaced, done) \
         VALUES (?1, ?2, ?3, ?4, false, false) ON CONFLICT DO NOTHING";
    /// One that claims to replace it counts when it was issued.
    CERTIFICATES =
        "SELECT serial, replaced OR (SELECT 1 FROM replacements JOIN orders ON orders.id = replacements.order_id \
             WHERE replacements.serial = incident_certificates.serial AND orders.status = 'issued') IS NOT NULL \
         FROM incident_certificates WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";
    TO_DO =
        "SELECT serial FROM incident_certificates WHERE incident_id = ?1 AND NOT done AND serial > x'' ORDER BY serial LIMIT ?2";
    DONE = "UPDATE incident_certificates SET done = true WHERE id = ?1 AND NOT done";
    IS_PART = "SELECT 1 FROM incident_certificates WHERE id = ?1";
    REPLACED =
        "UPDATE incident_certificates SET replaced = true WHERE incident_id = ?1 AND subject = ?2 AND NOT replaced";
}

/// How many incidents end in one round: more wait for the next.
const DUE_AT_ONCE: i64 = 100;

fn row(row: &Row<'_>) -> rusqlite::Result<IncidentRow> {
    Ok(IncidentRow {
        id: row.get(0)?,
        name: row.get(1)?,
        selection: row.get(2)?,
        reason: row.get(3)?,
        drill: row.get(4)?,
        explanation: row.get(5)?,
        created: row.get(6)?,
        revoke_at: row.get(7)?,
        finished_by: row.get(8)?,
        status: row.get(9)?,
    })
}

fn read(rows: Vec<IncidentRow>) -> Result<Vec<Incident>, DbError> {
    rows.into_iter().map(|row| Ok(row.try_into()?)).collect()
}

pub(super) fn insert(db: &Connection, row: &IncidentRow) -> Result<(), DbError> {
    let values = params![
        row.id,
        row.name,
        row.selection,
        row.reason,
        row.drill,
        row.explanation,
        row.created,
        row.revoke_at,
        row.finished_by,
        row.status,
    ];
    query::change(db, INSERT, values)
}

pub(super) fn by_id(db: &Connection, id: IncidentId) -> Result<Option<Incident>, DbError> {
    Ok(query::one(db, BY_ID, [id.as_bytes()], row)?.map(Incident::try_from).transpose()?)
}

pub(super) fn latest(db: &Connection, limit: i64) -> Result<Vec<Incident>, DbError> {
    read(query::all(db, LATEST, [limit], row)?)
}

pub(super) fn due(db: &Connection, at: Timestamp) -> Result<Vec<Incident>, DbError> {
    read(query::all(db, DUE, params![at.unix(), DUE_AT_ONCE], row)?)
}

pub(super) fn enter(db: &Connection, id: IncidentId, entries: &[IncidentEntry]) -> Result<u64, DbError> {
    if !query::exists(db, IS_OPEN, [id.as_bytes()])? {
        return Err(refusal(db, id)?);
    }
    let mut new = 0;
    for entry in entries {
        let serial = entry.serial.as_bytes();
        let values = params![entry_id(id, serial), id.as_bytes(), serial, entry.subject];
        new += u64::from(query::changes(db, ENTER, values)?);
    }
    Ok(new)
}

/// Why an incident that is not open was refused.
fn refusal(db: &Connection, id: IncidentId) -> Result<DbError, DbError> {
    let exists = query::exists(db, EXISTS, [id.as_bytes()])?;
    Ok(if exists { DbError::Conflict } else { DbError::NotFound })
}

pub(super) fn set_end(db: &Connection, id: IncidentId, end: &IncidentEnd) -> Result<Incident, DbError> {
    if !query::changes(db, SET_END, params![id.as_bytes(), end.at.unix(), end.by])? {
        return Err(refusal(db, id)?);
    }
    by_id(db, id)?.ok_or(DbError::NotFound)
}

pub(super) fn close(db: &Connection, id: IncidentId, status: IncidentStatus) -> Result<Incident, DbError> {
    if !query::changes(db, CLOSE, params![id.as_bytes(), status.as_str()])? {
        return Err(refusal(db, id)?);
    }
    by_id(db, id)?.ok_or(DbError::NotFound)
}

pub(super) fn certificates(
    db: &Connection,
    id: IncidentId,
    after: &[u8],
    limit: i64,
) -> Result<Vec<IncidentCertificate>, DbError> {
    let range = params![entry_id(id, after), last_entry_id(id), limit];
    let found = query::all(db, CERTIFICATES, range, |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
    let with_record = |(octets, replaced): (Vec<u8>, bool)| {
        let serial = serial(&octets, "incident_certificates")?;
        let record = certificates::by_serial(db, &serial)?;
        Ok(IncidentCertificate { serial, replaced, record })
    };
    found.into_iter().map(with_record).collect()
}

pub(super) fn to_do(db: &Connection, id: IncidentId, limit: usize) -> Result<Vec<Serial>, DbError> {
    let found = query::all(db, TO_DO, params![id.as_bytes(), rows(limit)], |row| row.get::<_, Vec<u8>>(0))?;
    found.into_iter().map(|octets| Ok(serial(&octets, "incident_certificates")?)).collect()
}

pub(super) fn set_done(db: &Connection, id: IncidentId, serials: &[Serial]) -> Result<(), DbError> {
    serials.iter().try_for_each(|serial| query::change_any(db, DONE, [entry_id(id, serial.as_bytes())]))
}

pub(super) fn set_replaced(db: &Connection, id: IncidentId, by: &[IncidentEntry]) -> Result<u64, DbError> {
    let mut replaced = 0;
    for entry in by {
        if !query::exists(db, IS_PART, [entry_id(id, entry.serial.as_bytes())])? {
            replaced += query::change_many(db, REPLACED, params![id.as_bytes(), entry.subject])?;
        }
    }
    Ok(replaced)
}
