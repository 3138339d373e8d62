//! Orders, RFC 8555 §7.1.3.

use cairn_core::api::sa::{ProcessingOrder, SubjectKey};
use cairn_core::{AccountId, Identifier, Order, OrderId, OrderWithAuthorizations, Timestamp, WorkerId};

use super::authorizations::{self, columns_with as authorization_columns_with};
use super::query::{Db, Lookup, statements};
use super::replica::following;
use super::values::{Parameters, Row, Unreadable, arguments};
use super::workers::abandoned;
use crate::error::{DbError, Inconsistency};
use crate::rows::{AuthorizationRow, NewOrderRows, OrderRow, request_hash};

/// Reads an order together with its authorizations in one statement, which sees one state of them: a row for each
/// authorization, with its place. What may be long stands in the first row alone, and what was seen of each host in none.
macro_rules! with_authorizations {
    ($orders:expr) => {
        concat!(
            "SELECT ",
            authorization_columns_with!("CASE WHEN authorizations.records IS NULL THEN NULL ELSE '[]' END"),
            ", place.n, orders.id, orders.account_id, \
             CASE WHEN place.n > 1 THEN NULL ELSE orders.identifiers END, \
             CASE WHEN place.n > 1 THEN NULL ELSE orders.authorization_ids END, \
             orders.profile, orders.created, orders.expires, orders.status, orders.processing_since, orders.serial, \
             CASE WHEN place.n > 1 THEN NULL ELSE orders.problem END, orders.replaces \
             FROM ",
            $orders,
            " LEFT JOIN LATERAL unnest(orders.authorization_ids) WITH ORDINALITY AS place (id, n) ON true \
             LEFT JOIN authorizations ON authorizations.id = place.id"
        )
    };
}

macro_rules! by_id {
    () => {
        with_authorizations!("(SELECT * FROM orders WHERE id = $1) AS orders")
    };
}

statements! {
    BY_ID = by_id!();
    BY_ID_FOLLOWING = following!(by_id!());
    EXISTS = "SELECT 1 FROM orders WHERE id = $1";
    /// The newest is taken to be the one that expires last: so the index alone finds it, and of the many that an
    /// account may have let expire none is looked at.
    OPEN_FOR = with_authorizations!(
        "(SELECT * FROM orders \
          WHERE status = 'open' AND account_id = $1 AND request_hash = $2 AND expires > $3 \
          ORDER BY expires DESC, id DESC LIMIT 1) AS orders"
    );
    /// Of two that take at the same moment, the second passes over what the first has in hand. No order is worth a wait.
    TAKE_ABANDONED = concat!(
        "UPDATE orders SET worker = $1 WHERE id = ANY(ARRAY( \
             SELECT id FROM orders WHERE status = 'processing' AND ", abandoned!("orders"), " \
             ORDER BY processing_since LIMIT $3 FOR UPDATE SKIP LOCKED \
         )) RETURNING id, processing_since"
    );
    /// Nothing is inserted unless the account is valid and those authorizations that must exist do, and are its. An
    /// authorization's account never changes, and it goes only long after the end before which orders can name it; an account
    /// that is closed at the same moment was closed after the order came.
    ///
    /// A certificate that it replaces is claimed for it, or nothing is inserted. An order that has claimed it before gives it back when it
    /// came to nothing. One that is not found has claimed it at this very moment; or it is not kept any more, and was issued: what came to
    /// nothing gives its claim back before it goes.
    INSERT =
        "WITH owner AS ( \
             SELECT id FROM accounts WHERE id = $2 AND status = 'valid' AND cardinality($13::bytea[]) = ( \
                 SELECT count(*) FROM authorizations WHERE id = ANY($13::bytea[]) AND account_id = $2 \
             ) \
         ), claimed AS ( \
             INSERT INTO replacements (serial, order_id) SELECT $27::bytea, $1::bytea FROM owner WHERE $27::bytea IS NOT NULL \
             ON CONFLICT (serial) DO UPDATE SET order_id = excluded.order_id WHERE ( \
                 SELECT before.status = 'failed' OR before.status = 'open' AND (before.expires <= $6 OR EXISTS ( \
                     SELECT 1 FROM unnest(before.authorization_ids) AS needed (id) WHERE ( \
                         SELECT authorizations.status IN ('invalid', 'deactivated') OR authorizations.expires <= $6 \
                         FROM authorizations WHERE authorizations.id = needed.id))) \
                 FROM orders AS before WHERE before.id = replacements.order_id) \
             RETURNING 1 \
         ), allowed AS ( \
             SELECT id FROM owner WHERE $27::bytea IS NULL OR EXISTS (SELECT 1 FROM claimed) \
         ), added AS ( \
             INSERT INTO authorizations (id, account_id, identifier, wildcard, created, expires, token, challenges, \
                 status, challenge, at, records, problem) \
             SELECT added.* FROM allowed CROSS JOIN unnest($14::bytea[], $15::bytea[], $16::text[], $17::boolean[], \
                 $18::bigint[], $19::bigint[], $20::bytea[], $21::text[], $22::text[], $23::text[], $24::bigint[], \
                 $25::text[], $26::text[]) AS added \
         ) \
         INSERT INTO orders (id, account_id, identifiers, authorization_ids, profile, created, expires, status, \
             processing_since, serial, problem, request_hash, replaces) \
         SELECT $1::bytea, allowed.id, $3::text, $4::bytea[], $5::text, $6::bigint, $7::bigint, $8::text, $9::bigint, \
             $10::bytea, $11::text, $12::bytea, $28::bytea FROM allowed RETURNING 1";
    /// Each authorization is looked up by its id: a question for a value, unlike one for existence, is never made a join, for
    /// which all that are valid could be read. The order and all its authorizations are looked at in the state in which this
    /// statement begins; an authorization that is deactivated at the same moment was deactivated after the order began, and so
    /// with a key that is blocked.
    SET_PROCESSING =
        "UPDATE orders SET status = 'processing', processing_since = $2, worker = $3 \
         WHERE id = $1 AND status = 'open' AND expires > $2 AND NOT EXISTS ( \
             SELECT 1 FROM unnest(orders.authorization_ids) AS needed (id) WHERE ( \
                 SELECT authorizations.status = 'valid' AND authorizations.expires > $2 FROM authorizations \
                 WHERE authorizations.id = needed.id) IS NOT TRUE) \
             AND NOT EXISTS (SELECT 1 FROM blocked_keys WHERE spki_sha256 = $4) \
             AND NOT EXISTS (SELECT 1 FROM accounts WHERE key_thumbprint = $5) \
         RETURNING 1";
    SET_ERROR =
        "UPDATE orders SET status = 'failed', processing_since = NULL, worker = NULL, problem = $2 \
         WHERE id = $1 AND status = 'processing' RETURNING 1";
}

/// The place of the authorization's number, behind its columns, and of the order's columns behind that.
const PLACE: usize = authorizations::COLUMNS;
const ORDER: usize = PLACE + 1;

fn order(row: &Row) -> Result<Order, DbError> {
    let authorization_ids: Vec<[u8; 16]> = row.try_get(ORDER + 3)?;
    let row = OrderRow {
        id: row.try_get(ORDER)?,
        account_id: row.try_get(ORDER + 1)?,
        identifiers: row.try_get(ORDER + 2)?,
        authorization_ids: authorization_ids.as_flattened().to_vec(),
        profile: row.try_get(ORDER + 4)?,
        created: row.try_get(ORDER + 5)?,
        expires: row.try_get(ORDER + 6)?,
        status: row.try_get(ORDER + 7)?,
        processing_since: row.try_get(ORDER + 8)?,
        serial: row.try_get(ORDER + 9)?,
        problem: row.try_get(ORDER + 10)?,
        replaces: row.try_get(ORDER + 11)?,
    };
    Ok(Order::try_from(row)?)
}

/// What [`with_authorizations`] has found. The server may give the rows in any order.
fn order_with_authorizations(rows: Vec<Row>) -> Result<Option<OrderWithAuthorizations>, DbError> {
    let place = |row: Row| Ok((row.try_get::<Option<i64>>(PLACE)?, row));
    let mut rows = rows.into_iter().map(place).collect::<Result<Vec<_>, Unreadable>>()?;
    rows.sort_by_key(|(place, _)| *place);
    let Some((_, first)) = rows.first() else { return Ok(None) };
    let order = order(first)?;
    let missing = || Inconsistency::on("orders", "authorization_ids").row(order.id);
    let authorization = |(place, row): &(Option<i64>, Row)| {
        place.map(|_| {
            row.try_get::<Option<&[u8]>>(0)?.ok_or_else(missing)?;
            authorizations::authorization(row, 0)
        })
    };
    let authorizations = rows.iter().filter_map(authorization).collect::<Result<_, DbError>>()?;
    Ok(Some(OrderWithAuthorizations { order, authorizations }))
}

pub(super) async fn by_id(
    from: &impl Lookup,
    id: OrderId,
) -> Result<Option<OrderWithAuthorizations>, DbError> {
    order_with_authorizations(from.lookup(BY_ID, BY_ID_FOLLOWING, id.as_bytes()).await?)
}

pub(super) async fn for_identifiers(
    db: &Db,
    account: AccountId,
    identifiers: &[Identifier],
    profile: &str,
    until: Timestamp,
) -> Result<Option<OrderWithAuthorizations>, DbError> {
    let hash = request_hash(profile, identifiers);
    let key = arguments!(account.as_bytes(), hash, until.unix());
    let found = order_with_authorizations(db.find(OPEN_FOR, key).await?)?;
    Ok(found.filter(|found| found.order.identifiers == identifiers && found.order.profile == profile))
}

/// The server may give the rows in any order.
pub(super) async fn take_abandoned(
    db: &Db,
    worker: WorkerId,
    silent_since: Timestamp,
    limit: i64,
) -> Result<Vec<ProcessingOrder>, DbError> {
    let rows =
        db.change_many(TAKE_ABANDONED, arguments!(worker.as_bytes(), silent_since.unix(), limit)).await?;
    let order = |row: &Row| {
        Ok(ProcessingOrder {
            id: OrderId::from_bytes(row.try_get(0)?),
            since: Timestamp::from_unix(row.try_get(1)?),
        })
    };
    let mut orders = rows.iter().map(order).collect::<Result<Vec<_>, DbError>>()?;
    orders.sort_by_key(|order| order.since);
    Ok(orders)
}

/// Stores an order of a valid account with its new authorizations. All its authorizations must be there then, and the
/// account's.
pub(super) async fn insert(db: &Db, new: NewOrderRows) -> Result<(), DbError> {
    let (ids, existing) = (new.authorization_ids()?, new.existing_authorizations()?);
    let order = new.order;
    let mut values = arguments!(
        order.id,
        order.account_id,
        order.identifiers,
        ids,
        order.profile,
        order.created,
        order.expires,
        order.status,
        order.processing_since,
        order.serial,
        order.problem,
        new.request_hash,
        existing,
    );
    add_columns(&mut values, &new.authorizations)?;
    values.add(new.claims.as_ref())?;
    values.add(order.replaces.as_ref())?;
    db.change(INSERT, values).await?.map(|_| ()).ok_or(DbError::Conflict)
}

/// The new authorizations' columns, each as an array: one statement for any number of rows.
fn add_columns(values: &mut Parameters, rows: &[AuthorizationRow]) -> Result<(), DbError> {
    fn column<'a, T>(rows: &'a [AuthorizationRow], value: impl Fn(&'a AuthorizationRow) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    values.add(column(rows, |row| &row.id))?;
    values.add(column(rows, |row| &row.account_id))?;
    values.add(column(rows, |row| &row.identifier))?;
    values.add(column(rows, |row| row.wildcard))?;
    values.add(column(rows, |row| row.created))?;
    values.add(column(rows, |row| row.expires))?;
    values.add(column(rows, |row| &row.token))?;
    values.add(column(rows, |row| &row.challenges))?;
    values.add(column(rows, |row| &row.progress.status))?;
    values.add(column(rows, |row| &row.progress.challenge))?;
    values.add(column(rows, |row| row.progress.at))?;
    values.add(column(rows, |row| &row.progress.records))?;
    values.add(column(rows, |row| &row.progress.problem))
}

pub(super) async fn set_processing(
    db: &Db,
    id: OrderId,
    key: SubjectKey,
    worker: WorkerId,
    at: Timestamp,
) -> Result<(), DbError> {
    let thumbprint = key.thumbprint.map(|key| *key.as_bytes());
    let values = arguments!(id.as_bytes(), at.unix(), worker.as_bytes(), key.spki_sha256, thumbprint);
    db.change_or_refuse(SET_PROCESSING, values, EXISTS, id.as_bytes()).await?;
    Ok(())
}

pub(super) async fn set_error(db: &Db, id: OrderId, problem: &str) -> Result<(), DbError> {
    let values = arguments!(id.as_bytes(), problem);
    db.change_or_refuse(SET_ERROR, values, EXISTS, id.as_bytes()).await?;
    Ok(())
}
