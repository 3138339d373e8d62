//! Intents and certificates: what will be signed is stored before anything is, and what was signed at once after.

use cairn_core::api::sa::{Intent, NewCertificate};
use cairn_core::{CertificateRecord, CertificateStatus, CrlShard, Serial};
use rusqlite::{Connection, Row, params};

use super::orders;
use super::query::{self, statements};
use crate::error::DbError;
use crate::rows::{CertificateRow, StatusRow};

macro_rules! columns {
    () => {
        "serial, order_id, account_id, issuer, der, not_after, revoked_at, revocation_reason"
    };
}

pub(super) use columns;

statements! {
    BY_SERIAL = concat!("SELECT ", columns!(), " FROM certificates WHERE serial = ?1");
    STATUS = "SELECT issuer, revoked_at, revocation_reason FROM certificates WHERE serial = ?1";
    /// Serial and order are unique: a second intent for either fails.
    INTEND = "INSERT INTO intents (serial, order_id, account_id, issuer, lint_certificate, at, crl_shard) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// Inserts nothing if there was no intent.
    INSERT = "INSERT INTO certificates (serial, order_id, account_id, issuer, der, not_after, at, spki_sha256, crl_shard) \
              SELECT serial, order_id, account_id, issuer, ?2, ?3, ?4, ?5, crl_shard FROM intents WHERE serial = ?1";
    END_ORDER =
        "UPDATE orders SET status = 'issued', processing_since = NULL, worker = NULL, serial = ?1 \
         WHERE id = (SELECT order_id FROM certificates WHERE serial = ?1) AND status = 'processing'";
}

pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<CertificateRow> {
    Ok(CertificateRow {
        serial: row.get(0)?,
        order_id: row.get(1)?,
        account_id: row.get(2)?,
        issuer: row.get(3)?,
        der: row.get(4)?,
        not_after: row.get(5)?,
        revoked_at: row.get(6)?,
        revocation_reason: row.get(7)?,
    })
}

pub(super) fn by_serial(db: &Connection, serial: &Serial) -> Result<Option<CertificateRecord>, DbError> {
    let found = query::one(db, BY_SERIAL, [serial.as_bytes()], row)?;
    Ok(found.map(CertificateRecord::try_from).transpose()?)
}

pub(super) fn status(db: &Connection, serial: &Serial) -> Result<Option<CertificateStatus>, DbError> {
    let row = |row: &Row<'_>| {
        Ok(StatusRow { issuer: row.get(0)?, revoked_at: row.get(1)?, revocation_reason: row.get(2)? })
    };
    let found = query::one(db, STATUS, [serial.as_bytes()], row)?;
    Ok(found.map(CertificateStatus::try_from).transpose()?)
}

/// Only for an order that is being issued, or for none.
pub(super) fn intend(db: &Connection, intent: &Intent) -> Result<(), DbError> {
    if let Some(order) = intent.order
        && !orders::is_processing(db, order)?
    {
        return Err(DbError::Conflict);
    }
    query::change(
        db,
        INTEND,
        params![
            intent.serial.as_bytes(),
            intent.order.as_ref().map(|id| id.as_bytes()),
            intent.account.as_ref().map(|id| id.as_bytes()),
            intent.issuer.as_bytes(),
            intent.lint_certificate,
            intent.at.unix(),
            intent.crl_shard.map(CrlShard::number),
        ],
    )
}

/// Ends the order in the same transaction; whether it did.
pub(super) fn insert(db: &Connection, certificate: &NewCertificate) -> Result<bool, DbError> {
    let values = params![
        certificate.serial.as_bytes(),
        certificate.der,
        certificate.not_after.unix(),
        certificate.at.unix(),
        certificate.spki_sha256,
    ];
    if !query::changes(db, INSERT, values)? {
        return Err(DbError::Conflict);
    }
    query::changes(db, END_ORDER, [certificate.serial.as_bytes()])
}
