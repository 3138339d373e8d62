//! Revocations (RFC 8555 §7.6) and the keys that they block.

use cairn_core::api::revocations::{KEY_SWEPT_FOR, KeyToSweep};
use cairn_core::api::sa::NewRevocation;
use cairn_core::{RevocationReason, Serial, Timestamp};

use super::query::{Db, statements};
use super::values::{Row, arguments};
use crate::error::DbError;

statements! {
    CERTIFICATE = "SELECT 1 FROM certificates WHERE serial = $1";
    /// Another certificate's revocation may have blocked the same key before; then it is looked for anew, if it is compromised. A revocation that is refused blocks none.
    REVOKE =
        "WITH revoked AS ( \
             UPDATE certificates SET revoked_at = $2, revocation_reason = $3 \
             WHERE serial = $1 AND revoked_at IS NULL RETURNING serial \
         ), blocked AS ( \
             INSERT INTO blocked_keys (spki_sha256, serial, at, sweep_until) \
             SELECT $4::bytea, serial, $2, $5::bigint FROM revoked WHERE $4::bytea IS NOT NULL \
             ON CONFLICT (spki_sha256) DO UPDATE SET sweep_until = coalesce(excluded.sweep_until, blocked_keys.sweep_until) \
         ) \
         SELECT 1 FROM revoked";
    /// The key is blocked whatever the reason was; the reason before is looked at in the state in which this begins.
    CORRECT =
        "WITH revoked AS ( \
             SELECT serial FROM certificates WHERE serial = $1 AND revoked_at IS NOT NULL \
         ), blocked AS ( \
             INSERT INTO blocked_keys (spki_sha256, serial, at, sweep_until) \
             SELECT $2::bytea, serial, $3::bigint, $4::bigint FROM revoked WHERE $2::bytea IS NOT NULL \
             ON CONFLICT (spki_sha256) DO UPDATE SET sweep_until = excluded.sweep_until \
         ), corrected AS ( \
             UPDATE certificates SET revocation_reason = 1 \
             WHERE serial = $1 AND revoked_at IS NOT NULL AND revocation_reason IS DISTINCT FROM 1 RETURNING 1 \
         ) \
         SELECT EXISTS (SELECT 1 FROM corrected) FROM revoked";
    TO_SWEEP =
        "SELECT spki_sha256, sweep_until FROM blocked_keys \
         WHERE spki_sha256 > $1 AND sweep_until IS NOT NULL ORDER BY spki_sha256 LIMIT $2";
    END_SWEEP =
        "UPDATE blocked_keys SET sweep_until = NULL WHERE spki_sha256 = $1 AND sweep_until = $2 RETURNING 1";
    /// Without the revocation of a certificate, whose place stays empty.
    BLOCK_KEY = "INSERT INTO blocked_keys (spki_sha256, serial, at) VALUES ($1, '', $2) ON CONFLICT DO NOTHING RETURNING 1";
    BLOCKED = "SELECT 1 FROM blocked_keys WHERE spki_sha256 = $1";
}

pub(super) async fn revoke(db: &Db, new: &NewRevocation) -> Result<(), DbError> {
    let serial = new.serial.as_bytes();
    let reason = new.revocation.reason.map(|reason| i16::from(reason.code()));
    let compromised = new.revocation.reason == Some(RevocationReason::KeyCompromise);
    let until = compromised.then(|| new.revocation.at.plus(KEY_SWEPT_FOR).unix());
    let values = arguments!(serial, new.revocation.at.unix(), reason, new.blocked_key, until);
    if db.change(REVOKE, values).await?.is_some() {
        return Ok(());
    }
    let revoked = db.exists(CERTIFICATE, arguments!(serial)).await?;
    Err(if revoked { DbError::AlreadyRevoked } else { DbError::NotFound })
}

pub(super) async fn correct(
    db: &Db,
    serial: &Serial,
    blocked_key: Option<[u8; 32]>,
    at: Timestamp,
) -> Result<bool, DbError> {
    let until = at.plus(KEY_SWEPT_FOR).unix();
    let values = arguments!(serial.as_bytes(), blocked_key, at.unix(), until);
    let corrected = db.change(CORRECT, values).await?.ok_or(DbError::NotFound)?;
    Ok(corrected.try_get(0)?)
}

pub(super) async fn to_sweep(
    db: &Db,
    after: Option<[u8; 32]>,
    limit: i64,
) -> Result<Vec<KeyToSweep>, DbError> {
    let after = after.as_ref().map_or(&[][..], |key| key);
    let key = |row: &Row| {
        Ok(KeyToSweep { spki_sha256: row.try_get(0)?, until: Timestamp::from_unix(row.try_get(1)?) })
    };
    db.find(TO_SWEEP, arguments!(after, limit)).await?.iter().map(key).collect()
}

pub(super) async fn end_sweep(db: &Db, key: KeyToSweep) -> Result<(), DbError> {
    db.change(END_SWEEP, arguments!(key.spki_sha256, key.until.unix())).await.map(drop)
}

pub(super) async fn key_blocked(db: &Db, spki_sha256: [u8; 32]) -> Result<bool, DbError> {
    db.exists(BLOCKED, arguments!(spki_sha256)).await
}

pub(super) async fn block_key(db: &Db, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool, DbError> {
    Ok(db.change(BLOCK_KEY, arguments!(spki_sha256, at.unix())).await?.is_some())
}
