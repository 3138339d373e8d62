//! Which order replaces a certificate, and when certificates shall be renewed (RFC 9773).

use cairn_core::{IssuerId, OpenIncident, OrderId, OrderStatus, Renewal, Serial, Timestamp};
use rusqlite::{Connection, Row, params};

use super::orders;
use super::query::{self, statements};
use crate::error::DbError;
use crate::rows::OrderRow;

statements! {
    CLAIMED = "SELECT order_id FROM replacements WHERE serial = ?1";
    CLAIM =
        "INSERT INTO replacements (serial, order_id) VALUES (?1, ?2) \
         ON CONFLICT (serial) DO UPDATE SET order_id = excluded.order_id";
    /// Of several open incidents that a certificate is part of, the first one tells.
    RENEWAL =
        "SELECT certificates.issuer, certificates.at, certificates.not_after, certificates.revoked_at, \
             incidents.created, incidents.explanation, \
             (SELECT min(replace_by) FROM ca_certificates WHERE subject_key_id = certificates.issuer) \
         FROM certificates LEFT JOIN incidents ON incidents.id = ( \
             SELECT open.id FROM incident_certificates AS part JOIN incidents AS open ON open.id = part.incident_id \
             WHERE part.serial = certificates.serial AND open.status = 'open' LIMIT 1) \
         WHERE certificates.serial = ?1";
    SET_REPLACE_BY = "UPDATE ca_certificates SET replace_by = ?2 WHERE subject_key_id = ?1";
    ISSUER = "SELECT 1 FROM ca_certificates WHERE subject_key_id = ?1 LIMIT 1";
}

/// Claims the certificate with this serial for a new order, unless another order has it that is not invalid. One that is not kept any more
/// was issued: what came to nothing gives its claim back before it goes.
pub(super) fn claim(db: &Connection, serial: &[u8], order: &OrderRow) -> Result<(), DbError> {
    if let Some(holder) = query::one(db, CLAIMED, [serial], |row| row.get(0).map(OrderId::from_bytes))? {
        let now = Timestamp::from_unix(order.created);
        let given_back =
            orders::by_id(db, holder)?.is_some_and(|holder| holder.status(now) == OrderStatus::Invalid);
        if !given_back {
            return Err(DbError::Conflict);
        }
    }
    query::change(db, CLAIM, params![serial, order.id])
}

pub(super) fn claimed(db: &Connection, serial: &Serial) -> Result<Option<OrderId>, DbError> {
    query::one(db, CLAIMED, [serial.as_bytes()], |row| row.get(0).map(OrderId::from_bytes))
}

pub(super) fn renewal(db: &Connection, serial: &Serial) -> Result<Option<Renewal>, DbError> {
    query::one(db, RENEWAL, [serial.as_bytes()], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Renewal> {
    let time = |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp::from_unix));
    let explanation = row.get(5)?;
    Ok(Renewal {
        issuer: IssuerId::from_bytes(row.get(0)?),
        issued: Timestamp::from_unix(row.get(1)?),
        not_after: Timestamp::from_unix(row.get(2)?),
        revoked: time(3)?,
        incident: time(4)?.map(|since| OpenIncident { since, explanation }),
        replace_by: time(6)?,
    })
}

/// All certificates of an issuer's key have the same end.
pub(super) fn set_replace_by(
    db: &Connection,
    issuer: IssuerId,
    by: Option<Timestamp>,
) -> Result<bool, DbError> {
    query::change_any(db, SET_REPLACE_BY, params![issuer.as_bytes(), by.map(Timestamp::unix)])?;
    query::exists(db, ISSUER, [issuer.as_bytes()])
}
