//! Intents and certificates: what will be signed is stored before anything is, and what was signed at once after.

use cairn_core::api::sa::{Intent, NewCertificate};
use cairn_core::{CertificateRecord, CertificateStatus, Serial};

use super::query::{Db, Lookup, statements};
use super::replica::following;
use super::values::{Row, arguments};
use crate::error::{DbError, Inconsistency};
use crate::rows::{CertificateRow, StatusRow};

macro_rules! by_serial {
    () => {
        "SELECT serial, order_id, account_id, issuer, der, not_after, revoked_at, revocation_reason \
         FROM certificates WHERE serial = $1"
    };
}

statements! {
    BY_SERIAL = by_serial!();
    BY_SERIAL_FOLLOWING = following!(by_serial!());
    STATUS = "SELECT issuer, revoked_at, revocation_reason FROM certificates WHERE serial = $1";
    /// Serial and order are unique: of two intents for either, the second waits for the first to be committed, and fails.
    /// Inserts nothing if the order is not being issued. One that is given up at the same moment was given up after this.
    INTEND =
        "INSERT INTO intents (serial, order_id, account_id, issuer, lint_certificate, at, crl_shard) \
         SELECT $1::bytea, $2::bytea, $3::bytea, $4::bytea, $5::bytea, $6::bigint, $7::bigint \
         WHERE $2::bytea IS NULL OR EXISTS (SELECT 1 FROM orders WHERE id = $2::bytea AND status = 'processing') \
         RETURNING 1";
    /// Inserts nothing if there was no intent. Intents do not change: what is read of one is what it is.
    /// Whether the order has ended with it comes back: one that was given up has not.
    INSERT =
        "WITH added AS ( \
             INSERT INTO certificates (serial, order_id, account_id, issuer, der, not_after, at, spki_sha256, crl_shard) \
             SELECT serial, order_id, account_id, issuer, $2, $3, $4, $5::bytea, crl_shard FROM intents WHERE serial = $1 \
             RETURNING serial, order_id \
         ), ended AS ( \
             UPDATE orders SET status = 'issued', processing_since = NULL, worker = NULL, serial = added.serial \
             FROM added WHERE orders.id = added.order_id AND orders.status = 'processing' RETURNING 1 \
         ) \
         SELECT EXISTS (SELECT 1 FROM ended) FROM added";
    HAS_ENDED_ORDER =
        "SELECT 1 FROM certificates JOIN orders ON orders.id = certificates.order_id \
         WHERE certificates.serial = $1 AND orders.serial = $1";
}

/// From the first eight columns.
pub(super) fn certificate(row: &Row) -> Result<CertificateRecord, DbError> {
    let reason: Option<i16> = row.try_get(7)?;
    let reason = reason.map(u8::try_from).transpose();
    let row = CertificateRow {
        serial: row.try_get(0)?,
        order_id: row.try_get(1)?,
        account_id: row.try_get(2)?,
        issuer: row.try_get(3)?,
        der: row.try_get(4)?,
        not_after: row.try_get(5)?,
        revoked_at: row.try_get(6)?,
        revocation_reason: reason.map_err(|_| Inconsistency::on("certificates", "revocation_reason"))?,
    };
    Ok(CertificateRecord::try_from(row)?)
}

pub(super) async fn by_serial(
    from: &impl Lookup,
    serial: &Serial,
) -> Result<Option<CertificateRecord>, DbError> {
    let found = from.lookup(BY_SERIAL, BY_SERIAL_FOLLOWING, serial.as_bytes()).await?;
    found.first().map(certificate).transpose()
}

/// On the primary: what was acknowledged is there.
pub(super) async fn status(db: &Db, serial: &Serial) -> Result<Option<CertificateStatus>, DbError> {
    let found = db.find(STATUS, arguments!(serial.as_bytes())).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let reason: Option<i16> = row.try_get(2)?;
    let reason = reason.map(u8::try_from).transpose();
    let row = StatusRow {
        issuer: row.try_get(0)?,
        revoked_at: row.try_get(1)?,
        revocation_reason: reason.map_err(|_| Inconsistency::on("certificates", "revocation_reason"))?,
    };
    Ok(Some(CertificateStatus::try_from(row)?))
}

pub(super) async fn intend(db: &Db, intent: &Intent) -> Result<(), DbError> {
    let values = arguments!(
        intent.serial.as_bytes(),
        intent.order.as_ref().map(|id| *id.as_bytes()),
        intent.account.as_ref().map(|id| *id.as_bytes()),
        intent.issuer.as_bytes(),
        &intent.lint_certificate,
        intent.at.unix(),
        intent.crl_shard.map(|shard| i64::from(shard.number())),
    );
    db.change(INTEND, values).await?.map(|_| ()).ok_or(DbError::Conflict)
}

/// When the connection breaks, the certificate may be stored and only the answer lost. Its order would be given up then,
/// though it was issued; so the storage looks.
pub(super) async fn insert(db: &Db, certificate: &NewCertificate) -> Result<bool, DbError> {
    let values = arguments!(
        certificate.serial.as_bytes(),
        &certificate.der,
        certificate.not_after.unix(),
        certificate.at.unix(),
        certificate.spki_sha256,
    );
    match db.change(INSERT, values).await {
        Ok(inserted) => Ok(inserted.ok_or(DbError::Conflict)?.try_get(0)?),
        Err(error @ DbError::Engine(_)) => match by_serial(db, &certificate.serial).await {
            Ok(Some(stored)) if stored.der == certificate.der => {
                db.exists(HAS_ENDED_ORDER, arguments!(certificate.serial.as_bytes())).await
            }
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}
