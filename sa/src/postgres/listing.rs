//! Looking through certificates: all of them, or those with a key; and letting those be found by their keys that older programs issued.

use cairn_core::api::revocations::StoredCertificate;
use cairn_core::{Serial, Timestamp};

use super::certificates::certificate;
use super::query::{Db, statements};
use super::values::{Row, arguments};
use crate::error::DbError;
use crate::rows::{octets_of, serial};

macro_rules! stored {
    () => {
        "SELECT serial, order_id, account_id, issuer, der, not_after, revoked_at, revocation_reason, at, \
             (SELECT orders.profile FROM orders WHERE orders.id = certificates.order_id) FROM certificates "
    };
}

statements! {
    AFTER = concat!(stored!(), "WHERE serial > $1 ORDER BY serial LIMIT $2");
    OF_KEY = concat!(stored!(), "WHERE spki_sha256 = $1 AND serial > $2 ORDER BY serial LIMIT $3");
    WITH_SERIALS = concat!(stored!(), "WHERE serial = ANY($1::bytea[])");
    WITHOUT_KEY = "SELECT serial, der FROM certificates WHERE spki_sha256 IS NULL ORDER BY serial LIMIT $1";
    ENTER_KEYS =
        "UPDATE certificates SET spki_sha256 = entered.key FROM unnest($1::bytea[], $2::bytea[]) AS entered (serial, key) \
         WHERE certificates.serial = entered.serial RETURNING 1";
}

/// The place of what stands behind a certificate's columns.
const BEHIND: usize = 8;

fn stored(row: &Row) -> Result<StoredCertificate, DbError> {
    Ok(StoredCertificate {
        record: certificate(row)?,
        issued: Timestamp::from_unix(row.try_get(BEHIND)?),
        profile: row.try_get(BEHIND + 1)?,
    })
}

pub(super) async fn after(db: &Db, after: &[u8], limit: i64) -> Result<Vec<StoredCertificate>, DbError> {
    db.find(AFTER, arguments!(after, limit)).await?.iter().map(stored).collect()
}

pub(super) async fn of_key(
    db: &Db,
    spki_sha256: [u8; 32],
    after: &[u8],
    limit: i64,
) -> Result<Vec<StoredCertificate>, DbError> {
    db.find(OF_KEY, arguments!(spki_sha256, after, limit)).await?.iter().map(stored).collect()
}

pub(super) async fn with_serials(db: &Db, serials: &[Serial]) -> Result<Vec<StoredCertificate>, DbError> {
    db.find(WITH_SERIALS, arguments!(octets_of(serials))).await?.iter().map(stored).collect()
}

pub(super) async fn without_key(db: &Db, limit: i64) -> Result<Vec<(Serial, Vec<u8>)>, DbError> {
    let found = db.find(WITHOUT_KEY, arguments!(limit)).await?;
    let read = |row: &Row| Ok((serial(row.try_get(0)?, "certificates")?, row.try_get(1)?));
    found.iter().map(read).collect()
}

/// What was pruned in the meantime is passed over.
pub(super) async fn enter_keys(db: &Db, keys: &[(Serial, [u8; 32])]) -> Result<(), DbError> {
    let (serials, keys): (Vec<Vec<u8>>, Vec<[u8; 32]>) =
        keys.iter().map(|(serial, key)| (serial.as_bytes().to_vec(), *key)).unzip();
    db.change_many(ENTER_KEYS, arguments!(serials, keys)).await.map(drop)
}
