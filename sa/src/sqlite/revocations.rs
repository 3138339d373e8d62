//! Revocations (RFC 8555 §7.6) and the keys that they block.

use cairn_core::api::revocations::{KEY_SWEPT_FOR, KeyToSweep};
use cairn_core::api::sa::NewRevocation;
use cairn_core::{RevocationReason, Serial, Timestamp};
use rusqlite::{Connection, params};

use super::query::{self, statements};
use crate::error::DbError;

/// What stands for the certificate where a key was blocked without one's revocation.
const NO_CERTIFICATE: &[u8] = &[];

statements! {
    CERTIFICATE = "SELECT 1 FROM certificates WHERE serial = ?1";
    REVOKE = "UPDATE certificates SET revoked_at = ?2, revocation_reason = ?3 WHERE serial = ?1 AND revoked_at IS NULL";
    CORRECT =
        "UPDATE certificates SET revocation_reason = 1 \
         WHERE serial = ?1 AND revoked_at IS NOT NULL AND revocation_reason IS NOT 1";
    REVOKED = "SELECT 1 FROM certificates WHERE serial = ?1 AND revoked_at IS NOT NULL";
    /// Another certificate's revocation may have blocked the same key before; then it is looked for anew.
    BLOCK_AND_SWEEP =
        "INSERT INTO blocked_keys (spki_sha256, serial, at, sweep_until) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (spki_sha256) DO UPDATE SET sweep_until = excluded.sweep_until";
    TO_SWEEP =
        "SELECT spki_sha256, sweep_until FROM blocked_keys \
         WHERE spki_sha256 > ?1 AND sweep_until IS NOT NULL ORDER BY spki_sha256 LIMIT ?2";
    END_SWEEP = "UPDATE blocked_keys SET sweep_until = NULL WHERE spki_sha256 = ?1 AND sweep_until = ?2";
    BLOCK_KEY = "INSERT INTO blocked_keys (spki_sha256, serial, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    BLOCKED = "SELECT 1 FROM blocked_keys WHERE spki_sha256 = ?1";
}

pub(super) fn revoke(db: &Connection, new: &NewRevocation) -> Result<(), DbError> {
    let serial = new.serial.as_bytes();
    let at = new.revocation.at.unix();
    let reason = new.revocation.reason.map(|reason| reason.code());
    if !query::changes(db, REVOKE, params![serial, at, reason])? {
        let revoked = query::exists(db, CERTIFICATE, [serial])?;
        return Err(if revoked { DbError::AlreadyRevoked } else { DbError::NotFound });
    }
    match new.blocked_key {
        None => Ok(()),
        Some(key) if new.revocation.reason == Some(RevocationReason::KeyCompromise) => {
            block_and_sweep(db, key, serial, new.revocation.at)
        }
        // Another certificate's revocation may have blocked the same key before.
        Some(key) => query::changes(db, BLOCK_KEY, params![key, serial, at]).map(drop),
    }
}

fn block_and_sweep(db: &Connection, key: [u8; 32], serial: &[u8], at: Timestamp) -> Result<(), DbError> {
    let until = at.plus(KEY_SWEPT_FOR).unix();
    query::change(db, BLOCK_AND_SWEEP, params![key, serial, at.unix(), until])
}

pub(super) fn correct(
    db: &Connection,
    serial: &Serial,
    blocked_key: Option<[u8; 32]>,
    at: Timestamp,
) -> Result<bool, DbError> {
    let serial = serial.as_bytes();
    if !query::exists(db, REVOKED, [serial])? {
        return Err(DbError::NotFound);
    }
    if let Some(key) = blocked_key {
        block_and_sweep(db, key, serial, at)?;
    }
    query::changes(db, CORRECT, [serial])
}

pub(super) fn to_sweep(
    db: &Connection,
    after: Option<[u8; 32]>,
    limit: i64,
) -> Result<Vec<KeyToSweep>, DbError> {
    let after = after.as_ref().map_or(&[][..], |key| key);
    query::all(db, TO_SWEEP, params![after, limit], |row| {
        Ok(KeyToSweep { spki_sha256: row.get(0)?, until: Timestamp::from_unix(row.get(1)?) })
    })
}

pub(super) fn end_sweep(db: &Connection, key: KeyToSweep) -> Result<(), DbError> {
    query::change_any(db, END_SWEEP, params![key.spki_sha256, key.until.unix()])
}

pub(super) fn key_blocked(db: &Connection, spki_sha256: [u8; 32]) -> Result<bool, DbError> {
    query::exists(db, BLOCKED, [spki_sha256])
}

pub(super) fn block_key(db: &Connection, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool, DbError> {
    query::changes(db, BLOCK_KEY, params![spki_sha256, NO_CERTIFICATE, at.unix()])
}
