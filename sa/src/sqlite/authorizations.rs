//! Authorizations, RFC 8555 §7.1.4.

use cairn_core::api::sa::RunningValidation;
use cairn_core::{
    AccountId, Authorization, AuthorizationId, ChallengeType, Identifier, Thumbprint, Timestamp, WorkerId,
};
use rusqlite::{Connection, Row, params};

use super::accounts;
use super::query::{self, statements};
use super::workers::abandoned;
use crate::error::DbError;
use crate::rows::{AuthorizationRow, ProgressColumns, identifier_text};

/// The columns that [`row`] reads, with the records as `$records` gives them.
macro_rules! columns_with {
    ($records:literal) => {
        concat!(
            "id, account_id, identifier, wildcard, created, expires, token, challenges, status, challenge, at, ",
            $records,
            ", problem"
        )
    };
}

macro_rules! columns {
    () => {
        columns_with!("records")
    };
}

/// How many columns those are: what a query adds comes behind.
const COLUMNS: usize = 13;

statements! {
    BY_ID = concat!("SELECT ", columns!(), " FROM authorizations WHERE id = ?1");
    OF_ORDER = concat!(
        "SELECT ", columns_with!("iif(records IS NULL, NULL, '[]')"), " FROM authorizations WHERE id = ?1"
    );
    EXISTS = "SELECT 1 FROM authorizations WHERE id = ?1";
    OWNED = "SELECT 1 FROM authorizations WHERE id = ?1 AND account_id = ?2";
    VALID_AT = "SELECT 1 FROM authorizations WHERE id = ?1 AND status = 'valid' AND expires > ?2";
    ACCOUNT = "SELECT account_id FROM authorizations WHERE id = ?1";
    /// `status = 'valid'` stands here as it does in the index `valid_authorizations`: only so is the index used.
    VALID_FOR = concat!(
        "SELECT ", columns!(), " FROM authorizations \
         WHERE status = 'valid' AND account_id = ?1 AND identifier = ?2 AND wildcard = ?3 AND expires > ?4 \
         ORDER BY expires DESC LIMIT 1"
    );
    ABANDONED = concat!(
        "SELECT ", columns!(), ", \
         (SELECT key_thumbprint FROM accounts WHERE accounts.id = authorizations.account_id), worker IS ?1 \
         FROM authorizations WHERE status = 'validating' AND ", abandoned!("authorizations"), " ORDER BY at LIMIT ?3"
    );
    TAKE = "UPDATE authorizations SET worker = ?2 WHERE id = ?1 AND status = 'validating'";
    INSERT = concat!(
        "INSERT INTO authorizations (", columns!(), ") \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    SET_PROCESSING =
        "UPDATE authorizations SET status = 'validating', challenge = ?2, at = ?3, worker = ?4 \
         WHERE id = ?1 AND status = 'pending' AND expires > ?3";
    FINALIZE =
        "UPDATE authorizations SET status = ?2, challenge = ?3, at = ?4, records = ?5, problem = ?6, expires = ?7, \
             worker = NULL \
         WHERE id = ?1 AND status IN ('pending', 'validating')";
    DEACTIVATE =
        "UPDATE authorizations SET status = 'deactivated', challenge = NULL, at = ?2, records = NULL, worker = NULL \
         WHERE id = ?1 AND status IN ('pending', 'validating', 'valid')";
}

fn row(row: &Row<'_>) -> rusqlite::Result<AuthorizationRow> {
    Ok(AuthorizationRow {
        id: row.get(0)?,
        account_id: row.get(1)?,
        identifier: row.get(2)?,
        wildcard: row.get(3)?,
        created: row.get(4)?,
        expires: row.get(5)?,
        token: row.get(6)?,
        challenges: row.get(7)?,
        progress: ProgressColumns {
            status: row.get(8)?,
            challenge: row.get(9)?,
            at: row.get(10)?,
            records: row.get(11)?,
            problem: row.get(12)?,
        },
    })
}

pub(super) fn by_id(db: &Connection, id: AuthorizationId) -> Result<Option<Authorization>, DbError> {
    let found = query::one(db, BY_ID, [id.as_bytes()], row)?;
    Ok(found.map(Authorization::try_from).transpose()?)
}

/// As an order tells it: without what was seen of the host.
pub(super) fn of_order(db: &Connection, id: AuthorizationId) -> Result<Option<Authorization>, DbError> {
    let found = query::one(db, OF_ORDER, [id.as_bytes()], row)?;
    Ok(found.map(Authorization::try_from).transpose()?)
}

/// Whether the authorization exists and is the account's.
pub(super) fn is_owned(db: &Connection, id: &[u8; 16], account: &[u8; 16]) -> Result<bool, DbError> {
    query::exists(db, OWNED, [id, account])
}

/// Whether the authorization is good for issuance at `at`.
pub(super) fn is_valid(db: &Connection, id: AuthorizationId, at: Timestamp) -> Result<bool, DbError> {
    query::exists(db, VALID_AT, params![id.as_bytes(), at.unix()])
}

/// One lookup for each identifier: as many as an order has names.
pub(super) fn valid_for(
    db: &Connection,
    account: AccountId,
    identifiers: &[Identifier],
    until: Timestamp,
) -> Result<Vec<Option<Authorization>>, DbError> {
    let lookup = |identifier: &Identifier| {
        let base = identifier_text(&identifier.base());
        let key = params![account.as_bytes(), base, identifier.is_wildcard(), until.unix()];
        let found = query::one(db, VALID_FOR, key, row)?;
        Ok(found.map(Authorization::try_from).transpose()?)
    };
    identifiers.iter().map(lookup).collect()
}

/// Finds and hands over in one transaction; nobody else writes meanwhile.
pub(super) fn take_abandoned(
    db: &Connection,
    worker: WorkerId,
    silent_since: Timestamp,
    limit: i64,
) -> Result<Vec<RunningValidation>, DbError> {
    let key = params![worker.as_bytes(), silent_since.unix(), limit];
    let rows = query::all(db, ABANDONED, key, |columns| {
        let thumbprint = columns.get(COLUMNS).map(Thumbprint::from_bytes)?;
        Ok((row(columns)?, thumbprint, columns.get::<_, bool>(COLUMNS + 1)?))
    })?;
    let validation = |(row, thumbprint, taken): (AuthorizationRow, Thumbprint, bool)| {
        if !taken {
            query::change(db, TAKE, params![row.id, worker.as_bytes()])?;
        }
        Ok(RunningValidation { authorization: Authorization::try_from(row)?, thumbprint })
    };
    rows.into_iter().map(validation).collect()
}

pub(super) fn insert(db: &Connection, row: &AuthorizationRow) -> Result<(), DbError> {
    let progress = &row.progress;
    query::change(
        db,
        INSERT,
        params![
            row.id,
            row.account_id,
            row.identifier,
            row.wildcard,
            row.created,
            row.expires,
            row.token,
            row.challenges,
            progress.status,
            progress.challenge,
            progress.at,
            progress.records,
            progress.problem,
        ],
    )
}

/// The thumbprint comes from the same transaction: a key that changes later does not change what this validation
/// looks for. A deactivated account's validation is refused (RFC 8555 §7.3.6).
pub(super) fn set_processing(
    db: &Connection,
    id: AuthorizationId,
    challenge: ChallengeType,
    worker: WorkerId,
    at: Timestamp,
) -> Result<Thumbprint, DbError> {
    let values = params![id.as_bytes(), challenge.as_str(), at.unix(), worker.as_bytes()];
    query::change_or_refuse(db, SET_PROCESSING, values, EXISTS, [id.as_bytes()])?;
    let account = query::one(db, ACCOUNT, [id.as_bytes()], |row| row.get(0))?.ok_or(DbError::NotFound)?;
    accounts::valid_key(db, &account)?.ok_or(DbError::Conflict)
}

/// Guarded by its status: an authorization that was deactivated meanwhile stays so.
pub(super) fn finalize(
    db: &Connection,
    id: AuthorizationId,
    progress: &ProgressColumns,
    expires: Timestamp,
) -> Result<(), DbError> {
    let values = params![
        id.as_bytes(),
        progress.status,
        progress.challenge,
        progress.at,
        progress.records,
        progress.problem,
        expires.unix(),
    ];
    query::change_or_refuse(db, FINALIZE, values, EXISTS, [id.as_bytes()])
}

pub(super) fn deactivate(
    db: &Connection,
    id: AuthorizationId,
    at: Timestamp,
) -> Result<Authorization, DbError> {
    query::change_or_refuse(db, DEACTIVATE, params![id.as_bytes(), at.unix()], EXISTS, [id.as_bytes()])?;
    by_id(db, id)?.ok_or(DbError::NotFound)
}
