//! Revocations (RFC 8555 §7.6) and the keys that they block.

use cairn_core::Timestamp;
use cairn_core::api::sa::NewRevocation;

use super::query::{Db, statements};
use super::values::arguments;
use crate::error::DbError;

statements! {
    CERTIFICATE = "SELECT 1 FROM certificates WHERE serial = $1";
    /// Another certificate's revocation may have blocked the same key before. A revocation that is refused blocks none.
    REVOKE =
        "WITH revoked AS ( \
             UPDATE certificates SET revoked_at = $2, revocation_reason = $3 \
             WHERE serial = $1 AND revoked_at IS NULL RETURNING serial \
         ), blocked AS ( \
             INSERT INTO blocked_keys (spki_sha256, serial, at) \
             SELECT $4::bytea, serial, $2 FROM revoked WHERE $4::bytea IS NOT NULL ON CONFLICT DO NOTHING \
         ) \
         SELECT 1 FROM revoked";
    /// Without the revocation of a certificate, whose place stays empty.
    BLOCK_KEY = "INSERT INTO blocked_keys (spki_sha256, serial, at) VALUES ($1, '', $2) ON CONFLICT DO NOTHING RETURNING 1";
    BLOCKED = "SELECT 1 FROM blocked_keys WHERE spki_sha256 = $1";
}

pub(super) async fn revoke(db: &Db, new: &NewRevocation) -> Result<(), DbError> {
    let serial = new.serial.as_bytes();
    let reason = new.revocation.reason.map(|reason| i16::from(reason.code()));
    let values = arguments!(serial, new.revocation.at.unix(), reason, new.blocked_key);
    if db.change(REVOKE, values).await?.is_some() {
        return Ok(());
    }
    let revoked = db.exists(CERTIFICATE, arguments!(serial)).await?;
    Err(if revoked { DbError::AlreadyRevoked } else { DbError::NotFound })
}

pub(super) async fn key_blocked(db: &Db, spki_sha256: [u8; 32]) -> Result<bool, DbError> {
    db.exists(BLOCKED, arguments!(spki_sha256)).await
}

pub(super) async fn block_key(db: &Db, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool, DbError> {
    Ok(db.change(BLOCK_KEY, arguments!(spki_sha256, at.unix())).await?.is_some())
}
