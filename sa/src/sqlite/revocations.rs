//! Revocations (RFC 8555 §7.6) and the keys that they block.

use cairn_core::Timestamp;
use cairn_core::api::sa::NewRevocation;
use rusqlite::{Connection, params};

use super::query::{self, statements};
use crate::error::DbError;

/// What stands for the certificate where a key was blocked without one's revocation.
const NO_CERTIFICATE: &[u8] = &[];

statements! {
    CERTIFICATE = "SELECT 1 FROM certificates WHERE serial = ?1";
    REVOKE = "UPDATE certificates SET revoked_at = ?2, revocation_reason = ?3 WHERE serial = ?1 AND revoked_at IS NULL";
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
    if let Some(key) = new.blocked_key {
        // Another certificate's revocation may have blocked the same key before.
        query::changes(db, BLOCK_KEY, params![key, serial, at])?;
    }
    Ok(())
}

pub(super) fn key_blocked(db: &Connection, spki_sha256: [u8; 32]) -> Result<bool, DbError> {
    query::exists(db, BLOCKED, [spki_sha256])
}

pub(super) fn block_key(db: &Connection, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool, DbError> {
    query::changes(db, BLOCK_KEY, params![spki_sha256, NO_CERTIFICATE, at.unix()])
}
