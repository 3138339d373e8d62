//! Orders, RFC 8555 §7.1.3.

use cairn_core::api::sa::{ProcessingOrder, SubjectKey};
use cairn_core::{AccountId, Identifier, Order, OrderId, OrderWithAuthorizations, Timestamp, WorkerId};
use rusqlite::{Connection, Row, params};

use super::query::{self, statements};
use super::workers::abandoned;
use super::{accounts, authorizations, replacements, revocations};
use crate::error::{DbError, Inconsistency};
use crate::rows::{NewOrderRows, OrderRow, authorization_ids, request_hash};

macro_rules! columns {
    () => {
        "id, account_id, identifiers, authorization_ids, profile, created, expires, status, processing_since, \
         serial, problem, replaces"
    };
}

statements! {
    BY_ID = concat!("SELECT ", columns!(), " FROM orders WHERE id = ?1");
    EXISTS = "SELECT 1 FROM orders WHERE id = ?1";
    /// The newest is taken to be the one that expires last: so the index alone finds it, and of the many that an
    /// account may have let expire none is looked at.
    OPEN_FOR = concat!(
        "SELECT ", columns!(), " FROM orders \
         WHERE status = 'open' AND account_id = ?1 AND request_hash = ?2 AND expires > ?3 \
         ORDER BY expires DESC, id DESC LIMIT 1"
    );
    ABANDONED = concat!(
        "SELECT id, processing_since, worker IS ?1 \
         FROM orders WHERE status = 'processing' AND ", abandoned!("orders"), " ORDER BY processing_since LIMIT ?3"
    );
    TAKE = "UPDATE orders SET worker = ?2 WHERE id = ?1 AND status = 'processing'";
    IS_PROCESSING = "SELECT 1 FROM orders WHERE id = ?1 AND status = 'processing'";
    INSERT = concat!(
        "INSERT INTO orders (", columns!(), ", request_hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    OPEN_AT =
        "SELECT authorization_ids FROM orders WHERE id = ?1 AND status = 'open' AND expires > ?2";
    SET_PROCESSING =
        "UPDATE orders SET status = 'processing', processing_since = ?2, worker = ?3 WHERE id = ?1 AND status = 'open'";
    SET_ERROR =
        "UPDATE orders SET status = 'failed', processing_since = NULL, worker = NULL, problem = ?2 \
         WHERE id = ?1 AND status = 'processing'";
}

fn row(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    Ok(OrderRow {
        id: row.get(0)?,
        account_id: row.get(1)?,
        identifiers: row.get(2)?,
        authorization_ids: row.get(3)?,
        profile: row.get(4)?,
        created: row.get(5)?,
        expires: row.get(6)?,
        status: row.get(7)?,
        processing_since: row.get(8)?,
        serial: row.get(9)?,
        problem: row.get(10)?,
        replaces: row.get(11)?,
    })
}

pub(super) fn by_id(db: &Connection, id: OrderId) -> Result<Option<OrderWithAuthorizations>, DbError> {
    match query::one(db, BY_ID, [id.as_bytes()], row)? {
        Some(row) => with_authorizations(db, Order::try_from(row)?).map(Some),
        None => Ok(None),
    }
}

pub(super) fn for_identifiers(
    db: &Connection,
    account: AccountId,
    identifiers: &[Identifier],
    profile: &str,
    until: Timestamp,
) -> Result<Option<OrderWithAuthorizations>, DbError> {
    let hash = request_hash(profile, identifiers);
    let Some(row) = query::one(db, OPEN_FOR, params![account.as_bytes(), hash, until.unix()], row)? else {
        return Ok(None);
    };
    let order = Order::try_from(row)?;
    if order.identifiers != identifiers || order.profile != profile {
        return Ok(None);
    }
    with_authorizations(db, order).map(Some)
}

/// One lookup for each authorization: as many as the order has names.
fn with_authorizations(db: &Connection, order: Order) -> Result<OrderWithAuthorizations, DbError> {
    let missing = || Inconsistency::on("orders", "authorization_ids").row(order.id);
    let lookup = |id| Ok(authorizations::of_order(db, id)?.ok_or_else(missing)?);
    let authorizations = order.authorizations.iter().copied().map(lookup).collect::<Result<_, DbError>>()?;
    Ok(OrderWithAuthorizations { order, authorizations })
}

/// Whether the order is being issued.
pub(super) fn is_processing(db: &Connection, id: OrderId) -> Result<bool, DbError> {
    query::exists(db, IS_PROCESSING, [id.as_bytes()])
}

/// Finds and hands over in one transaction; nobody else writes meanwhile.
pub(super) fn take_abandoned(
    db: &Connection,
    worker: WorkerId,
    silent_since: Timestamp,
    limit: i64,
) -> Result<Vec<ProcessingOrder>, DbError> {
    type Columns = ([u8; 16], i64, bool);
    let key = params![worker.as_bytes(), silent_since.unix(), limit];
    let rows: Vec<Columns> =
        query::all(db, ABANDONED, key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let order = |(id, since, taken): Columns| {
        if !taken {
            query::change(db, TAKE, params![id, worker.as_bytes()])?;
        }
        Ok(ProcessingOrder { id: OrderId::from_bytes(id), since: Timestamp::from_unix(since) })
    };
    rows.into_iter().map(order).collect()
}

/// Stores an order of a valid account. Its authorizations must all be there then, and the account's.
pub(super) fn insert(db: &Connection, new: &NewOrderRows) -> Result<(), DbError> {
    let order = &new.order;
    if accounts::valid_key(db, &order.account_id)?.is_none() {
        return Err(DbError::Conflict);
    }
    new.authorizations.iter().try_for_each(|row| authorizations::insert(db, row))?;
    for id in new.existing_authorizations()? {
        if !authorizations::is_owned(db, &id, &order.account_id)? {
            return Err(DbError::Conflict);
        }
    }
    if let Some(serial) = &new.claims {
        replacements::claim(db, serial, order)?;
    }
    query::change(
        db,
        INSERT,
        params![
            order.id,
            order.account_id,
            order.identifiers,
            order.authorization_ids,
            order.profile,
            order.created,
            order.expires,
            order.status,
            order.processing_since,
            order.serial,
            order.problem,
            order.replaces,
            new.request_hash,
        ],
    )
}

/// Looks at the order and each of its authorizations in the transaction that changes it: what another request does to
/// them comes before this or after it, never between.
pub(super) fn set_processing(
    db: &Connection,
    id: OrderId,
    key: SubjectKey,
    worker: WorkerId,
    at: Timestamp,
) -> Result<(), DbError> {
    let open = params![id.as_bytes(), at.unix()];
    let Some(ids) = query::one(db, OPEN_AT, open, |row| row.get::<_, Vec<u8>>(0))? else {
        return Err(if query::exists(db, EXISTS, [id.as_bytes()])? {
            DbError::Conflict
        } else {
            DbError::NotFound
        });
    };
    let wrong = || Inconsistency::on("orders", "authorization_ids").row(id);
    for authorization in authorization_ids(&ids).ok_or_else(wrong)? {
        if !authorizations::is_valid(db, authorization, at)? {
            return Err(DbError::Conflict);
        }
    }
    let of_account = key.thumbprint.map(|key| accounts::by_key(db, key)).transpose()?.flatten().is_some();
    if of_account || revocations::key_blocked(db, key.spki_sha256)? {
        return Err(DbError::Conflict);
    }
    query::change(db, SET_PROCESSING, params![id.as_bytes(), at.unix(), worker.as_bytes()])
}

pub(super) fn set_error(db: &Connection, id: OrderId, problem: &str) -> Result<(), DbError> {
    query::change_or_refuse(db, SET_ERROR, params![id.as_bytes(), problem], EXISTS, [id.as_bytes()])
}
