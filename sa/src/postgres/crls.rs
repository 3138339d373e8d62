//! CRLs: who makes them, what they must tell, and their octets.
//!
//! What is stored under a lease locks the lease's row: of two that believe that they have it, one waits for the other's end, and looks
//! again at whose it is.

use cairn_core::api::crl::{MAX_MEASURED, MAX_ROWS, RevokedLengths, ShardChange};
use cairn_core::api::pki::RevocationPosition;
use cairn_core::{
    CrlHead, CrlId, CrlKind, IssuerId, RevokedCertificate, Serial, ShardId, Timestamp, WorkerId,
};

use super::query::{Db, statements};
use super::rows;
use super::values::{Parameters, Row, arguments};
use crate::error::DbError;
use crate::rows::{
    CrlRow, REMOVED_CHUNKS, RevokedRow, chunk_key, crl_key, last_crl_key, shard_key, shard_of,
};

macro_rules! columns {
    () => {
        "id, this_update, next_update, base, position, entries, length, sha256"
    };
}

statements! {
    HOLD =
        "INSERT INTO crl_shards AS held (id, holder, held_until) VALUES ($1, $2, $4) \
         ON CONFLICT (id) DO UPDATE SET holder = $2, held_until = $4 \
         WHERE held.holder IS NULL OR held.holder = $2 OR held.held_until <= $3 RETURNING 1";
    RELEASE = "UPDATE crl_shards SET holder = NULL, held_until = NULL WHERE id = $1 AND holder = $2 RETURNING 1";
    OF_ISSUER =
        concat!("SELECT ", columns!(), " FROM crls WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3");
    LATEST =
        concat!("SELECT ", columns!(), " FROM crls WHERE id >= $1 AND id <= $2 ORDER BY id DESC LIMIT 1");
    LATEST_CHANGE = "SELECT max(position) FROM revocations";
    CHANGES =
        "SELECT serial, not_after, at, reason, position, issuer, crl_shard FROM revocations \
         WHERE position > $1 ORDER BY position LIMIT $2";
    REVOKED =
        "SELECT serial, not_after, at, reason, position FROM revocations \
         WHERE issuer = $1 AND crl_shard = $2 AND serial > $3 ORDER BY serial LIMIT $4";
    LENGTHS =
        "WITH page AS ( \
             SELECT serial FROM revocations \
             WHERE issuer = $1 AND crl_shard = $2 AND serial > $3 ORDER BY serial LIMIT $4 \
         ) \
         SELECT count(*), coalesce(sum(length(serial)), 0)::bigint, (SELECT serial FROM page OFFSET $4 - 1 LIMIT 1) \
         FROM page";
    CHUNK = "SELECT octets FROM crl_chunks WHERE id = $1";
    ADD_CHUNK =
        "WITH held AS (SELECT 1 FROM crl_shards WHERE id = $1 AND holder = $2 FOR UPDATE) \
         INSERT INTO crl_chunks (id, octets) SELECT $3::bytea, $4::bytea FROM held RETURNING 1";
    /// Nothing is published that is not there as a whole, or whose number was used.
    PUBLISH =
        "WITH held AS (SELECT 1 FROM crl_shards WHERE id = $1 AND holder = $2 FOR UPDATE) \
         INSERT INTO crls (id, this_update, next_update, base, position, entries, length, sha256) \
         SELECT $3::bytea, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bytea FROM held \
         WHERE (SELECT count(*) FROM crl_chunks WHERE id > $3::bytea AND id <= $11) = $12 \
             AND (SELECT 1 FROM crls WHERE id >= $13 AND id <= $14 LIMIT 1) IS NULL \
             AND (SELECT 1 FROM crls WHERE id >= $15 AND id <= $16 LIMIT 1) IS NULL \
         RETURNING 1";
    REMOVE =
        "WITH held AS ( \
             SELECT 1 FROM crl_shards WHERE id = $1 AND holder = $2 FOR UPDATE \
         ), removed AS ( \
             DELETE FROM crls WHERE id >= $3 AND id < $4 AND (SELECT count(*) FROM held) > 0 \
         ), chunks AS ( \
             DELETE FROM crl_chunks WHERE id = ANY(ARRAY( \
                 SELECT id FROM crl_chunks WHERE id >= $3 AND id < $4 ORDER BY id LIMIT $5 \
             )) AND (SELECT count(*) FROM held) > 0 RETURNING 1 \
         ) \
         SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM chunks)";
    FORGET =
        "DELETE FROM revocations WHERE serial = ANY($1::bytea[]) AND not_after < $2 \
             AND position < (SELECT max(position) FROM revocations) RETURNING 1";
}

fn head(row: &Row) -> Result<CrlHead, DbError> {
    let row = CrlRow {
        id: row.try_get(0)?,
        this_update: row.try_get(1)?,
        next_update: row.try_get(2)?,
        base: row.try_get(3)?,
        position: row.try_get(4)?,
        entries: row.try_get(5)?,
        length: row.try_get(6)?,
        sha256: row.try_get(7)?,
    };
    Ok(row.try_into()?)
}

fn certificate(row: &Row) -> Result<RevokedCertificate, DbError> {
    let row = RevokedRow {
        serial: row.try_get(0)?,
        not_after: row.try_get(1)?,
        at: row.try_get(2)?,
        reason: row.try_get(3)?,
        position: row.try_get(4)?,
    };
    Ok(row.try_into()?)
}

/// What every serial is behind.
fn behind(after: Option<&Serial>) -> &[u8] {
    after.map_or(&[], Serial::as_bytes)
}

pub(super) async fn hold(
    db: &Db,
    shard: ShardId,
    holder: WorkerId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, DbError> {
    let values = arguments!(shard_key(shard), *holder.as_bytes(), now.unix(), until.unix());
    Ok(db.change(HOLD, values).await?.is_some())
}

pub(super) async fn release(db: &Db, shard: ShardId, holder: WorkerId) -> Result<(), DbError> {
    db.change(RELEASE, arguments!(shard_key(shard), *holder.as_bytes())).await.map(drop)
}

pub(super) async fn of_issuer(
    db: &Db,
    issuer: IssuerId,
    after: Option<CrlId>,
    limit: usize,
) -> Result<Vec<CrlHead>, DbError> {
    let first = after.map_or_else(|| issuer.as_bytes().to_vec(), |after| crl_key(after).to_vec());
    let last = [issuer.as_bytes().as_slice(), &[0xff; 13]].concat();
    let found = db.find(OF_ISSUER, arguments!(first, last, rows(limit.min(MAX_ROWS)))).await?;
    found.iter().map(head).collect()
}

pub(super) async fn latest(db: &Db, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>, DbError> {
    let first = crl_key(CrlId { shard, kind, number: 0 });
    let found = db.one(LATEST, arguments!(first, last_crl_key(shard, kind))).await?;
    found.as_ref().map(head).transpose()
}

pub(super) async fn latest_change(db: &Db) -> Result<RevocationPosition, DbError> {
    let latest: Option<i64> = match db.one(LATEST_CHANGE, Parameters::NONE).await? {
        Some(row) => row.try_get(0)?,
        None => None,
    };
    Ok(latest.map(RevocationPosition::from_number).unwrap_or_default())
}

pub(super) async fn changes_after(
    db: &Db,
    position: RevocationPosition,
    limit: usize,
) -> Result<Vec<ShardChange>, DbError> {
    let found = db.find(CHANGES, arguments!(position.number(), rows(limit.min(MAX_ROWS)))).await?;
    let changes = found.iter().map(|row| {
        let shard = shard_of(row.try_get(5)?, row.try_get(6)?)?;
        Ok(ShardChange { shard, certificate: certificate(row)? })
    });
    changes.collect()
}

pub(super) async fn revoked(
    db: &Db,
    shard: ShardId,
    after: Option<&Serial>,
    limit: usize,
) -> Result<Vec<RevokedCertificate>, DbError> {
    let ShardId { issuer, shard } = shard;
    let number = i64::from(shard.number());
    let page = arguments!(*issuer.as_bytes(), number, behind(after), rows(limit.min(MAX_ROWS)));
    db.find(REVOKED, page).await?.iter().map(certificate).collect()
}

pub(super) async fn revoked_lengths(
    db: &Db,
    shard: ShardId,
    after: Option<&Serial>,
) -> Result<RevokedLengths, DbError> {
    let ShardId { issuer, shard } = shard;
    let page = arguments!(*issuer.as_bytes(), i64::from(shard.number()), behind(after), rows(MAX_MEASURED));
    let Some(row) = db.one(LENGTHS, page).await? else { return Ok(RevokedLengths::default()) };
    let (count, octets): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let next: Option<&[u8]> = row.try_get(2)?;
    Ok(RevokedLengths {
        count: u64::try_from(count).unwrap_or_default(),
        serial_octets: u64::try_from(octets).unwrap_or_default(),
        next: next.and_then(Serial::from_bytes),
    })
}

pub(super) async fn chunk(db: &Db, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>, DbError> {
    let found = db.one(CHUNK, arguments!(chunk_key(crl, place))).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?)
}

pub(super) async fn add_chunk(
    db: &Db,
    crl: CrlId,
    holder: WorkerId,
    place: u32,
    octets: &[u8],
) -> Result<(), DbError> {
    let values = arguments!(shard_key(crl.shard), *holder.as_bytes(), chunk_key(crl, place), octets);
    let added = db.change_many(ADD_CHUNK, values).await?;
    if added.is_empty() { Err(DbError::Conflict) } else { Ok(()) }
}

pub(super) async fn publish(db: &Db, crl: &CrlHead, holder: WorkerId) -> Result<(), DbError> {
    let row = CrlRow::of(crl).ok_or(DbError::Misuse("a number of a CRL is too great"))?;
    let CrlId { shard, kind, number } = crl.id;
    let from = |kind, number| crl_key(CrlId { shard, kind, number });
    // The other kind's number may be the same only if that is the complete one's.
    let complete_from = if kind == CrlKind::Complete { number } else { number.saturating_add(1) };
    let values = arguments!(
        shard_key(shard),
        *holder.as_bytes(),
        row.id,
        row.this_update,
        row.next_update,
        row.base,
        row.position,
        row.entries,
        row.length,
        row.sha256,
        chunk_key(crl.id, u32::MAX),
        i64::from(crl.chunks()),
        from(CrlKind::Complete, complete_from),
        last_crl_key(shard, CrlKind::Complete),
        from(CrlKind::Delta, number),
        last_crl_key(shard, CrlKind::Delta),
    );
    db.change(PUBLISH, values).await?.map(drop).ok_or(DbError::Conflict)
}

pub(super) async fn remove(db: &Db, first: CrlId, end: u64, holder: WorkerId) -> Result<bool, DbError> {
    let (from, to) = (crl_key(first), crl_key(CrlId { number: end, ..first }));
    let values = arguments!(shard_key(first.shard), *holder.as_bytes(), from, to, REMOVED_CHUNKS);
    let found = db.change_many(REMOVE, values).await?;
    let (held, chunks): (i64, i64) = match found.first() {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (0, 0),
    };
    if held == 0 { Err(DbError::Conflict) } else { Ok(chunks == REMOVED_CHUNKS) }
}

pub(super) async fn forget(db: &Db, serials: &[Serial], ended: Timestamp) -> Result<(), DbError> {
    let serials: Vec<Vec<u8>> =
        serials.iter().take(MAX_ROWS).map(|serial| serial.as_bytes().to_vec()).collect();
    db.change_many(FORGET, arguments!(serials, ended.unix())).await.map(drop)
}
