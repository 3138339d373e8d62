//! Looking through certificates: all of them, or those with a key; and letting those be found by their keys that older programs issued.

use cairn_core::Serial;
use cairn_core::Timestamp;
use cairn_core::api::revocations::StoredCertificate;
use rusqlite::{Connection, Row, params};

use super::certificates::{self, columns};
use super::query::{self, statements};
use crate::error::DbError;
use crate::rows::{CertificateRow, serial};

macro_rules! stored {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            ", certificates.at AS issued, \
             (SELECT orders.profile FROM orders WHERE orders.id = certificates.order_id) AS profile FROM certificates "
        )
    };
}

statements! {
    AFTER = concat!(stored!(), "WHERE serial > ?1 ORDER BY serial LIMIT ?2");
    OF_KEY = concat!(stored!(), "WHERE spki_sha256 = ?1 AND serial > ?2 ORDER BY serial LIMIT ?3");
    WITH_SERIAL = concat!(stored!(), "WHERE serial = ?1");
    WITHOUT_KEY =
        "SELECT serial, der FROM certificates WHERE spki_sha256 IS NULL AND serial > x'' ORDER BY serial LIMIT ?1";
    ENTER_KEY = "UPDATE certificates SET spki_sha256 = ?2 WHERE serial = ?1";
}

/// A row, with what it is looked for by.
type Stored = (CertificateRow, i64, Option<String>);

fn row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok((certificates::row(row)?, row.get("issued")?, row.get("profile")?))
}

fn stored((row, issued, profile): Stored) -> Result<StoredCertificate, DbError> {
    Ok(StoredCertificate { record: row.try_into()?, issued: Timestamp::from_unix(issued), profile })
}

pub(super) fn after(db: &Connection, after: &[u8], limit: i64) -> Result<Vec<StoredCertificate>, DbError> {
    query::all(db, AFTER, params![after, limit], row)?.into_iter().map(stored).collect()
}

pub(super) fn of_key(
    db: &Connection,
    spki_sha256: [u8; 32],
    after: &[u8],
    limit: i64,
) -> Result<Vec<StoredCertificate>, DbError> {
    let found = query::all(db, OF_KEY, params![spki_sha256, after, limit], row)?;
    found.into_iter().map(stored).collect()
}

pub(super) fn with_serials(db: &Connection, serials: &[Serial]) -> Result<Vec<StoredCertificate>, DbError> {
    let lookup = |serial: &Serial| query::one(db, WITH_SERIAL, [serial.as_bytes()], row).transpose();
    serials.iter().filter_map(lookup).map(|found| stored(found?)).collect()
}

pub(super) fn without_key(db: &Connection, limit: i64) -> Result<Vec<(Serial, Vec<u8>)>, DbError> {
    let found = query::all(db, WITHOUT_KEY, [limit], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
    found.into_iter().map(|(octets, der)| Ok((serial(&octets, "certificates")?, der))).collect()
}

/// What was pruned in the meantime is passed over.
pub(super) fn enter_keys(db: &Connection, keys: &[(Serial, [u8; 32])]) -> Result<(), DbError> {
    keys.iter()
        .try_for_each(|(serial, key)| query::change_any(db, ENTER_KEY, params![serial.as_bytes(), key]))
}
