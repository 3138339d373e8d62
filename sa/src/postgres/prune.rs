//! Lets go of what ended long ago; [`crate::prune`] says what may go, and why no read misses it.
//!
//! Each statement looks at the oldest rows alone, however many there are behind them, locks those that nobody else has in hand, and
//! deletes those of them that may go. So it ends soon and nobody waits for it.

use super::query::{Db, statements};
use super::values::{Parameters, arguments};
use crate::error::DbError;
use crate::prune::{BATCH, Ends, Pruned, first_id};

statements! {
    /// What came to nothing gives back its claim to replace a certificate: an order that is not kept any more counts as issued.
    ORDERS =
        "WITH gone AS ( \
             DELETE FROM orders WHERE id = ANY(ARRAY( \
                 SELECT id FROM ( \
                     SELECT id, expires, status FROM orders WHERE id < $1 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED \
                 ) AS oldest WHERE expires < $2 AND status <> 'processing' \
             )) RETURNING id, status, replaces \
         ), given_back AS ( \
             DELETE FROM replacements USING gone WHERE gone.status <> 'issued' \
                 AND replacements.serial = substr(gone.replaces, 21) AND replacements.order_id = gone.id \
         ) \
         SELECT 1 FROM gone";
    /// The oldest order by its id is the one that was placed first. One that comes at the same moment names nothing that ended
    /// long ago.
    AUTHORIZATIONS =
        "DELETE FROM authorizations WHERE id = ANY(ARRAY( \
             SELECT id FROM ( \
                 SELECT id, expires, status FROM authorizations WHERE id < $1 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED \
             ) AS oldest \
             WHERE expires < least($2, (SELECT created FROM orders ORDER BY id LIMIT 1)) AND status <> 'validating' \
         )) RETURNING 1";
    CERTIFICATES =
        "WITH gone AS ( \
             DELETE FROM certificates WHERE serial = ANY(ARRAY( \
                 SELECT serial FROM ( \
                     SELECT serial, order_id FROM certificates WHERE not_after < $1 ORDER BY not_after LIMIT $2 \
                     FOR UPDATE SKIP LOCKED \
                 ) AS oldest WHERE (SELECT 1 FROM orders WHERE orders.id = oldest.order_id) IS NULL \
             )) RETURNING serial \
         ), intended AS ( \
             DELETE FROM intents WHERE serial = ANY(ARRAY(SELECT serial FROM gone)) \
         ), replaced AS ( \
             DELETE FROM replacements WHERE serial = ANY(ARRAY(SELECT serial FROM gone)) \
         ), part AS ( \
             DELETE FROM incident_certificates WHERE serial = ANY(ARRAY(SELECT serial FROM gone)) \
         ) \
         SELECT 1 FROM gone";
}

pub(super) async fn prune(db: &Db, ends: Ends) -> Result<Pruned, DbError> {
    let mut pruned = Pruned::default();
    if let Some(end) = ends.orders {
        let oldest = arguments!(&first_id(end)[..], end.unix(), BATCH);
        pruned.orders = rows(db, ORDERS, oldest.clone()).await?;
        pruned.authorizations = rows(db, AUTHORIZATIONS, oldest).await?;
    }
    if let Some(end) = ends.certificates {
        pruned.certificates = rows(db, CERTIFICATES, arguments!(end.unix(), BATCH)).await?;
    }
    Ok(pruned)
}

async fn rows(db: &Db, sql: &'static str, values: Parameters) -> Result<u64, DbError> {
    Ok(db.change_many(sql, values).await?.len() as u64)
}
