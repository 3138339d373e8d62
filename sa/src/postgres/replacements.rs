//! Which order replaces a certificate, and when certificates shall be renewed (RFC 9773). The claim is part of the statement that stores the
//! order ([`super::orders`]).

use cairn_core::{IssuerId, OpenIncident, OrderId, Renewal, Serial, Timestamp};

use super::query::{Db, Lookup, statements};
use super::replica::following;
use super::values::{Row, arguments};
use crate::error::DbError;

macro_rules! renewal {
    () => {
        "SELECT certificates.issuer, certificates.at, certificates.not_after, certificates.revoked_at, \
             incidents.created, incidents.explanation, \
             (SELECT min(replace_by) FROM ca_certificates WHERE subject_key_id = certificates.issuer) \
         FROM certificates LEFT JOIN incidents ON incidents.id = ( \
             SELECT open.id FROM incident_certificates AS part JOIN incidents AS open ON open.id = part.incident_id \
             WHERE part.serial = certificates.serial AND open.status = 'open' LIMIT 1) \
         WHERE certificates.serial = $1"
    };
}

statements! {
    CLAIMED = "SELECT order_id FROM replacements WHERE serial = $1";
    /// Of several open incidents that a certificate is part of, the first one tells.
    RENEWAL = renewal!();
    RENEWAL_FOLLOWING = following!(renewal!());
    /// All certificates of an issuer's key have the same end.
    SET_REPLACE_BY = "UPDATE ca_certificates SET replace_by = $2 WHERE subject_key_id = $1 RETURNING 1";
}

pub(super) async fn claimed(db: &Db, serial: &Serial) -> Result<Option<OrderId>, DbError> {
    let found = db.one(CLAIMED, arguments!(serial.as_bytes())).await?;
    found.map(|row| Ok(OrderId::from_bytes(row.try_get(0)?))).transpose()
}

pub(super) async fn renewal(from: &impl Lookup, serial: &Serial) -> Result<Option<Renewal>, DbError> {
    let found = from.lookup(RENEWAL, RENEWAL_FOLLOWING, serial.as_bytes()).await?;
    found.first().map(read).transpose()
}

fn read(row: &Row) -> Result<Renewal, DbError> {
    let time = |column| row.try_get::<Option<i64>>(column).map(|at| at.map(Timestamp::from_unix));
    let explanation = row.try_get(5)?;
    Ok(Renewal {
        issuer: IssuerId::from_bytes(row.try_get(0)?),
        issued: Timestamp::from_unix(row.try_get(1)?),
        not_after: Timestamp::from_unix(row.try_get(2)?),
        revoked: time(3)?,
        incident: time(4)?.map(|since| OpenIncident { since, explanation }),
        replace_by: time(6)?,
    })
}

pub(super) async fn set_replace_by(
    db: &Db,
    issuer: IssuerId,
    by: Option<Timestamp>,
) -> Result<bool, DbError> {
    let values = arguments!(issuer.as_bytes(), by.map(Timestamp::unix));
    Ok(!db.change_many(SET_REPLACE_BY, values).await?.is_empty())
}
