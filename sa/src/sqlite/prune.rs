//! Lets go of what ended long ago; [`crate::prune`] says what may go, and why no read misses it.
//!
//! Only the oldest rows are looked at, however many there are behind them. It is one transaction of the writer, who is alone.

use rusqlite::{Connection, Params, params};

use super::query::{self, statements};
use crate::error::DbError;
use crate::prune::{BATCH, Ends, Pruned, first_id};

statements! {
    ORDERS =
        "SELECT id, expires < ?2 AND status <> 'processing' FROM orders WHERE id < ?1 ORDER BY id LIMIT ?3";
    /// What came to nothing gives back its claim to replace a certificate: an order that is not kept any more counts as issued.
    CLAIM =
        "DELETE FROM replacements \
         WHERE serial = (SELECT substr(replaces, 21) FROM orders WHERE id = ?1 AND status <> 'issued') AND order_id = ?1";
    ORDER = "DELETE FROM orders WHERE id = ?1";
    /// The oldest order by its id is the one that was placed first.
    AUTHORIZATIONS =
        "SELECT id, status <> 'validating' AND expires < min(?2, \
             coalesce((SELECT created FROM orders WHERE id > x'' ORDER BY id LIMIT 1), ?2)) \
         FROM authorizations WHERE id < ?1 ORDER BY id LIMIT ?3";
    AUTHORIZATION = "DELETE FROM authorizations WHERE id = ?1";
    CERTIFICATES =
        "SELECT serial, (SELECT 1 FROM orders WHERE orders.id = certificates.order_id) IS NULL \
         FROM certificates WHERE not_after < ?1 ORDER BY not_after LIMIT ?2";
    INTENT = "DELETE FROM intents WHERE serial = ?1";
    REPLACEMENT = "DELETE FROM replacements WHERE serial = ?1";
    INCIDENT = "DELETE FROM incident_certificates WHERE serial = ?1";
    CERTIFICATE = "DELETE FROM certificates WHERE serial = ?1";
}

pub(super) fn prune(db: &Connection, ends: Ends) -> Result<Pruned, DbError> {
    let mut pruned = Pruned::default();
    if let Some(end) = ends.orders {
        let oldest = params![first_id(end), end.unix(), BATCH];
        pruned.orders = delete(db, ORDERS, oldest, &[CLAIM], &[ORDER])?;
        pruned.authorizations = delete(db, AUTHORIZATIONS, oldest, &[], &[AUTHORIZATION])?;
    }
    if let Some(end) = ends.certificates {
        let oldest = params![end.unix(), BATCH];
        pruned.certificates =
            delete(db, CERTIFICATES, oldest, &[REPLACEMENT, INCIDENT], &[INTENT, CERTIFICATE])?;
    }
    Ok(pruned)
}

/// Deletes, by each of `deletions`, what `sql` finds and says may go; and before that, by each of `besides`, what there may be of it
/// elsewhere.
fn delete(
    db: &Connection,
    sql: &str,
    params: impl Params,
    besides: &[&str],
    deletions: &[&str],
) -> Result<u64, DbError> {
    let found: Vec<(Vec<u8>, bool)> = query::all(db, sql, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut gone = 0;
    for (key, _) in found.iter().filter(|(_, may_go)| *may_go) {
        for deletion in besides {
            query::change_any(db, deletion, [key])?;
        }
        for deletion in deletions {
            query::change(db, deletion, [key])?;
        }
        gone += 1;
    }
    Ok(gone)
}
