//! Authorizations, RFC 8555 §7.1.4.

use cairn_core::api::sa::RunningValidation;
use cairn_core::{
    AccountId, Authorization, AuthorizationId, AuthorizationProgress, ChallengeType, Identifier, Thumbprint,
    Timestamp, WorkerId,
};

use super::query::{Db, Lookup, statements};
use super::replica::following;
use super::values::{Row, arguments};
use super::workers::abandoned;
use crate::error::DbError;
use crate::rows::{AuthorizationRow, ProgressColumns, identifier_text};

/// The columns that [`row`] reads, with the records as `$records` gives them. Queries for orders join them to an order's.
macro_rules! columns_with {
    ($records:literal) => {
        concat!(
            "authorizations.id, authorizations.account_id, authorizations.identifier, authorizations.wildcard, \
             authorizations.created, authorizations.expires, authorizations.token, authorizations.challenges, \
             authorizations.status, authorizations.challenge, authorizations.at, ",
            $records,
            ", authorizations.problem"
        )
    };
}
pub(super) use columns_with;

macro_rules! columns {
    () => {
        columns_with!("authorizations.records")
    };
}

/// How many columns those are: what a query adds comes behind.
pub(super) const COLUMNS: usize = 13;

macro_rules! by_id {
    () => {
        concat!("SELECT ", columns!(), " FROM authorizations WHERE id = $1")
    };
}

statements! {
    BY_ID = by_id!();
    BY_ID_FOLLOWING = following!(by_id!());
    EXISTS = "SELECT 1 FROM authorizations WHERE id = $1";
    /// One lookup for each identifier. `status = 'valid'` stands here as it does in the index `valid_authorizations`:
    /// only so is the index used.
    VALID_FOR = concat!(
        "SELECT ", columns!(), ", wanted.n \
         FROM unnest($2::text[], $3::boolean[]) WITH ORDINALITY AS wanted (identifier, wildcard, n) \
         CROSS JOIN LATERAL ( \
             SELECT * FROM authorizations \
             WHERE status = 'valid' AND account_id = $1 AND identifier = wanted.identifier \
                 AND wildcard = wanted.wildcard AND expires > $4 \
             ORDER BY expires DESC LIMIT 1 \
         ) AS authorizations"
    );
    /// As with orders.
    TAKE_ABANDONED = concat!(
        "UPDATE authorizations SET worker = $1 WHERE id = ANY(ARRAY( \
             SELECT id FROM authorizations WHERE status = 'validating' AND ", abandoned!("authorizations"), " \
             ORDER BY at LIMIT $3 FOR UPDATE SKIP LOCKED \
         )) RETURNING ", columns!(), ", \
         (SELECT key_thumbprint FROM accounts WHERE accounts.id = authorizations.account_id)"
    );
    SET_PROCESSING =
        "UPDATE authorizations SET status = 'validating', challenge = $2, at = $3, worker = $4 FROM accounts \
         WHERE authorizations.id = $1 AND authorizations.status = 'pending' AND authorizations.expires > $3 \
             AND accounts.id = authorizations.account_id AND accounts.status = 'valid' \
         RETURNING accounts.key_thumbprint";
    FINALIZE =
        "UPDATE authorizations SET status = $2, challenge = $3, at = $4, records = $5, problem = $6, expires = $7, \
             worker = NULL \
         WHERE id = $1 AND status IN ('pending', 'validating') RETURNING 1";
    DEACTIVATE = concat!(
        "UPDATE authorizations SET status = 'deactivated', challenge = NULL, at = $2, records = NULL, worker = NULL \
         WHERE id = $1 AND status IN ('pending', 'validating', 'valid') RETURNING ", columns!()
    );
}

/// The authorization in the columns from `first` on.
pub(super) fn authorization(row: &Row, first: usize) -> Result<Authorization, DbError> {
    let row = AuthorizationRow {
        id: row.try_get(first)?,
        account_id: row.try_get(first + 1)?,
        identifier: row.try_get(first + 2)?,
        wildcard: row.try_get(first + 3)?,
        created: row.try_get(first + 4)?,
        expires: row.try_get(first + 5)?,
        token: row.try_get(first + 6)?,
        challenges: row.try_get(first + 7)?,
        progress: ProgressColumns {
            status: row.try_get(first + 8)?,
            challenge: row.try_get(first + 9)?,
            at: row.try_get(first + 10)?,
            records: row.try_get(first + 11)?,
            problem: row.try_get(first + 12)?,
        },
    };
    Ok(Authorization::try_from(row)?)
}

pub(super) async fn by_id(from: &impl Lookup, id: AuthorizationId) -> Result<Option<Authorization>, DbError> {
    let found = from.lookup(BY_ID, BY_ID_FOLLOWING, id.as_bytes()).await?;
    found.first().map(|row| authorization(row, 0)).transpose()
}

pub(super) async fn valid_for(
    db: &Db,
    account: AccountId,
    identifiers: &[Identifier],
    until: Timestamp,
) -> Result<Vec<Option<Authorization>>, DbError> {
    let bases: Vec<String> = identifiers.iter().map(|it| identifier_text(&it.base())).collect();
    let wildcards: Vec<bool> = identifiers.iter().map(Identifier::is_wildcard).collect();
    let key = arguments!(account.as_bytes(), bases, wildcards, until.unix());
    let mut answers = vec![None; identifiers.len()];
    for row in db.find(VALID_FOR, key).await? {
        let n: i64 = row.try_get(COLUMNS)?;
        let place = usize::try_from(n - 1).ok().and_then(|place| answers.get_mut(place));
        *place.ok_or(DbError::Misuse("an answer for an identifier that was not asked for"))? =
            Some(authorization(&row, 0)?);
    }
    Ok(answers)
}

/// The server may give the rows in any order.
pub(super) async fn take_abandoned(
    db: &Db,
    worker: WorkerId,
    silent_since: Timestamp,
    limit: i64,
) -> Result<Vec<RunningValidation>, DbError> {
    let rows =
        db.change_many(TAKE_ABANDONED, arguments!(worker.as_bytes(), silent_since.unix(), limit)).await?;
    let validation = |row: &Row| {
        let thumbprint = row.try_get(COLUMNS).map(Thumbprint::from_bytes)?;
        Ok(RunningValidation { authorization: authorization(row, 0)?, thumbprint })
    };
    let mut validations = rows.iter().map(validation).collect::<Result<Vec<_>, DbError>>()?;
    validations.sort_by_key(|running| match running.authorization.progress {
        AuthorizationProgress::Validating { since, .. } => Some(since),
        _ => None,
    });
    Ok(validations)
}

/// The thumbprint comes from the same statement: a key that changes later does not change what this validation looks
/// for. A deactivated account's validation is refused (RFC 8555 §7.3.6).
pub(super) async fn set_processing(
    db: &Db,
    id: AuthorizationId,
    challenge: ChallengeType,
    worker: WorkerId,
    at: Timestamp,
) -> Result<Thumbprint, DbError> {
    let values = arguments!(id.as_bytes(), challenge.as_str(), at.unix(), worker.as_bytes());
    let row = db.change_or_refuse(SET_PROCESSING, values, EXISTS, id.as_bytes()).await?;
    Ok(row.try_get(0).map(Thumbprint::from_bytes)?)
}

/// Guarded by its status: an authorization that was deactivated meanwhile stays so.
pub(super) async fn finalize(
    db: &Db,
    id: AuthorizationId,
    progress: &ProgressColumns,
    expires: Timestamp,
) -> Result<(), DbError> {
    let values = arguments!(
        id.as_bytes(),
        &progress.status,
        &progress.challenge,
        progress.at,
        &progress.records,
        &progress.problem,
        expires.unix(),
    );
    db.change_or_refuse(FINALIZE, values, EXISTS, id.as_bytes()).await?;
    Ok(())
}

pub(super) async fn deactivate(
    db: &Db,
    id: AuthorizationId,
    at: Timestamp,
) -> Result<Authorization, DbError> {
    let values = arguments!(id.as_bytes(), at.unix());
    authorization(&db.change_or_refuse(DEACTIVATE, values, EXISTS, id.as_bytes()).await?, 0)
}
