//! Accounts, RFC 8555 §7.1.2.

use cairn_core::{Account, AccountId, Thumbprint};

use super::query::{Db, Lookup, statements};
use super::replica::following;
use super::values::{Row, arguments};
use crate::error::DbError;
use crate::rows::AccountRow;

macro_rules! columns {
    () => {
        "id, jwk, contact, status, created"
    };
}

macro_rules! by_id {
    () => {
        concat!("SELECT ", columns!(), " FROM accounts WHERE id = $1")
    };
}

statements! {
    BY_ID = by_id!();
    BY_ID_FOLLOWING = following!(by_id!());
    BY_KEY = concat!("SELECT ", columns!(), " FROM accounts WHERE key_thumbprint = $1");
    EXISTS = "SELECT 1 FROM accounts WHERE id = $1";
    /// Of two that bring the same key, the second waits for the first to be committed, and then does nothing.
    INSERT = concat!(
        "INSERT INTO accounts (", columns!(), ", key_thumbprint) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (key_thumbprint) DO NOTHING RETURNING 1"
    );
    SET_CONTACT = concat!(
        "UPDATE accounts SET contact = $2 WHERE id = $1 AND status = 'valid' RETURNING ", columns!()
    );
    DEACTIVATE = concat!(
        "UPDATE accounts SET status = 'deactivated' WHERE id = $1 AND status = 'valid' RETURNING ", columns!()
    );
    REVOKE = concat!(
        "UPDATE accounts SET status = 'revoked' WHERE id = $1 AND status = 'valid' RETURNING ", columns!()
    );
}

fn account(row: &Row) -> Result<Account, DbError> {
    let row = AccountRow {
        id: row.try_get(0)?,
        jwk: row.try_get(1)?,
        contact: row.try_get(2)?,
        status: row.try_get(3)?,
        created: row.try_get(4)?,
    };
    Ok(Account::try_from(row)?)
}

pub(super) async fn by_id(from: &impl Lookup, id: AccountId) -> Result<Option<Account>, DbError> {
    from.lookup(BY_ID, BY_ID_FOLLOWING, id.as_bytes()).await?.first().map(account).transpose()
}

pub(super) async fn by_key(db: &Db, key: Thumbprint) -> Result<Option<Account>, DbError> {
    db.one(BY_KEY, arguments!(key.as_bytes())).await?.as_ref().map(account).transpose()
}

/// Stores an account, or gives back the one that has its key: a second statement, which sees what the first has met.
pub(super) async fn insert(db: &Db, row: &AccountRow, key: Thumbprint) -> Result<Option<Account>, DbError> {
    let values = arguments!(row.id, &row.jwk, &row.contact, &row.status, row.created, key.as_bytes());
    if db.change(INSERT, values).await?.is_some() { Ok(None) } else { by_key(db, key).await }
}

pub(super) async fn set_contact(db: &Db, id: AccountId, contact: &str) -> Result<Account, DbError> {
    let values = arguments!(id.as_bytes(), contact);
    account(&db.change_or_refuse(SET_CONTACT, values, EXISTS, id.as_bytes()).await?)
}

pub(super) async fn deactivate(db: &Db, id: AccountId) -> Result<Account, DbError> {
    account(&db.change_or_refuse(DEACTIVATE, arguments!(id.as_bytes()), EXISTS, id.as_bytes()).await?)
}

pub(super) async fn revoke(db: &Db, id: AccountId) -> Result<Account, DbError> {
    account(&db.change_or_refuse(REVOKE, arguments!(id.as_bytes()), EXISTS, id.as_bytes()).await?)
}
