//! Accounts, RFC 8555 §7.1.2.

use cairn_core::{Account, AccountId, Thumbprint};
use rusqlite::{Connection, Row, params};

use super::query::{self, statements};
use crate::error::DbError;
use crate::rows::AccountRow;

macro_rules! columns {
    () => {
        "id, jwk, contact, status, created"
    };
}

statements! {
    BY_ID = concat!("SELECT ", columns!(), " FROM accounts WHERE id = ?1");
    BY_KEY = concat!("SELECT ", columns!(), " FROM accounts WHERE key_thumbprint = ?1");
    EXISTS = "SELECT 1 FROM accounts WHERE id = ?1";
    VALID_KEY = "SELECT key_thumbprint FROM accounts WHERE id = ?1 AND status = 'valid'";
    INSERT = concat!(
        "INSERT INTO accounts (", columns!(), ", key_thumbprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (key_thumbprint) DO NOTHING"
    );
    SET_CONTACT = "UPDATE accounts SET contact = ?2 WHERE id = ?1 AND status = 'valid'";
    DEACTIVATE = "UPDATE accounts SET status = 'deactivated' WHERE id = ?1 AND status = 'valid'";
    REVOKE = "UPDATE accounts SET status = 'revoked' WHERE id = ?1 AND status = 'valid'";
}

fn row(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    Ok(AccountRow {
        id: row.get(0)?,
        jwk: row.get(1)?,
        contact: row.get(2)?,
        status: row.get(3)?,
        created: row.get(4)?,
    })
}

pub(super) fn by_id(db: &Connection, id: AccountId) -> Result<Option<Account>, DbError> {
    let found = query::one(db, BY_ID, [id.as_bytes()], row)?;
    Ok(found.map(Account::try_from).transpose()?)
}

pub(super) fn by_key(db: &Connection, key: Thumbprint) -> Result<Option<Account>, DbError> {
    let found = query::one(db, BY_KEY, [key.as_bytes()], row)?;
    Ok(found.map(Account::try_from).transpose()?)
}

/// The thumbprint of a valid account's key.
pub(super) fn valid_key(db: &Connection, id: &[u8; 16]) -> Result<Option<Thumbprint>, DbError> {
    query::one(db, VALID_KEY, [id], |row| row.get(0).map(Thumbprint::from_bytes))
}

/// Stores an account, or gives back the one that has its key.
pub(super) fn insert(db: &Connection, row: &AccountRow, key: Thumbprint) -> Result<Option<Account>, DbError> {
    let values = params![row.id, row.jwk, row.contact, row.status, row.created, key.as_bytes()];
    if query::changes(db, INSERT, values)? { Ok(None) } else { by_key(db, key) }
}

pub(super) fn set_contact(db: &Connection, id: AccountId, contact: &str) -> Result<Account, DbError> {
    let key = [id.as_bytes()];
    query::change_or_refuse(db, SET_CONTACT, params![id.as_bytes(), contact], EXISTS, key)?;
    by_id(db, id)?.ok_or(DbError::NotFound)
}

pub(super) fn deactivate(db: &Connection, id: AccountId) -> Result<Account, DbError> {
    let key = [id.as_bytes()];
    query::change_or_refuse(db, DEACTIVATE, key, EXISTS, key)?;
    by_id(db, id)?.ok_or(DbError::NotFound)
}

pub(super) fn revoke(db: &Connection, id: AccountId) -> Result<Account, DbError> {
    let key = [id.as_bytes()];
    query::change_or_refuse(db, REVOKE, key, EXISTS, key)?;
    by_id(db, id)?.ok_or(DbError::NotFound)
}
