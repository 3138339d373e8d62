//! CRLs: who makes them, what they must tell, and their octets.

use cairn_core::api::crl::{MAX_MEASURED, MAX_ROWS, RevokedLengths, ShardChange};
use cairn_core::api::pki::RevocationPosition;
use cairn_core::{
    CrlHead, CrlId, CrlKind, IssuerId, RevokedCertificate, Serial, ShardId, Timestamp, WorkerId,
};
use rusqlite::{Connection, Row, params};

use super::query::{self, statements};
use super::rows;
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
        "INSERT INTO crl_shards (id, holder, held_until) VALUES (?1, ?2, ?4) \
         ON CONFLICT (id) DO UPDATE SET holder = ?2, held_until = ?4 \
         WHERE holder IS NULL OR holder = ?2 OR held_until <= ?3";
    RELEASE = "UPDATE crl_shards SET holder = NULL, held_until = NULL WHERE id = ?1 AND holder = ?2";
    HELD = "SELECT 1 FROM crl_shards WHERE id = ?1 AND holder = ?2";
    OF_ISSUER =
        concat!("SELECT ", columns!(), " FROM crls WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3");
    LATEST =
        concat!("SELECT ", columns!(), " FROM crls WHERE id >= ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1");
    LATEST_CHANGE = "SELECT max(position) FROM revocations";
    CHANGES =
        "SELECT serial, not_after, at, reason, position, issuer, crl_shard FROM revocations \
         WHERE position > ?1 ORDER BY position LIMIT ?2";
    REVOKED =
        "SELECT serial, not_after, at, reason, position FROM revocations \
         WHERE issuer = ?1 AND crl_shard = ?2 AND serial > ?3 ORDER BY serial LIMIT ?4";
    /// Out of the index alone.
    SERIALS =
        "SELECT serial FROM revocations WHERE issuer = ?1 AND crl_shard = ?2 AND serial > ?3 ORDER BY serial LIMIT ?4";
    CHUNK = "SELECT octets FROM crl_chunks WHERE id = ?1";
    ADD_CHUNK =
        "INSERT INTO crl_chunks (id, octets) SELECT ?3, ?4 FROM crl_shards WHERE id = ?1 AND holder = ?2";
    /// Nothing is published that is not there as a whole, or whose number was used.
    PUBLISH =
        "INSERT INTO crls (id, this_update, next_update, base, position, entries, length, sha256) \
         SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM crl_shards WHERE id = ?1 AND holder = ?2 \
             AND (SELECT count(*) FROM crl_chunks WHERE id > ?3 AND id <= ?11) = ?12 \
             AND NOT EXISTS (SELECT 1 FROM crls WHERE id >= ?13 AND id <= ?14) \
             AND NOT EXISTS (SELECT 1 FROM crls WHERE id >= ?15 AND id <= ?16)";
    REMOVE = "DELETE FROM crls WHERE id >= ?1 AND id < ?2";
    CHUNKS = "SELECT id FROM crl_chunks WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
    REMOVE_CHUNK = "DELETE FROM crl_chunks WHERE id = ?1";
    FORGET =
        "DELETE FROM revocations WHERE serial = ?1 AND not_after < ?2 AND position < (SELECT max(position) FROM revocations)";
}

fn head(row: &Row<'_>) -> rusqlite::Result<CrlRow> {
    Ok(CrlRow {
        id: row.get(0)?,
        this_update: row.get(1)?,
        next_update: row.get(2)?,
        base: row.get(3)?,
        position: row.get(4)?,
        entries: row.get(5)?,
        length: row.get(6)?,
        sha256: row.get(7)?,
    })
}

fn revoked_row(row: &Row<'_>) -> rusqlite::Result<RevokedRow> {
    Ok(RevokedRow {
        serial: row.get(0)?,
        not_after: row.get(1)?,
        at: row.get(2)?,
        reason: row.get(3)?,
        position: row.get(4)?,
    })
}

/// What every serial is behind.
fn behind(after: Option<&Serial>) -> &[u8] {
    after.map_or(&[], Serial::as_bytes)
}

pub(super) fn hold(
    db: &Connection,
    shard: ShardId,
    holder: WorkerId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, DbError> {
    query::changes(db, HOLD, params![shard_key(shard), holder.as_bytes(), now.unix(), until.unix()])
}

pub(super) fn release(db: &Connection, shard: ShardId, holder: WorkerId) -> Result<(), DbError> {
    query::changes(db, RELEASE, params![shard_key(shard), holder.as_bytes()]).map(drop)
}

pub(super) fn of_issuer(
    db: &Connection,
    issuer: IssuerId,
    after: Option<CrlId>,
    limit: usize,
) -> Result<Vec<CrlHead>, DbError> {
    let first = after.map_or_else(|| issuer.as_bytes().to_vec(), |after| crl_key(after).to_vec());
    let last = [issuer.as_bytes().as_slice(), &[0xff; 13]].concat();
    let found = query::all(db, OF_ISSUER, params![first, last, rows(limit.min(MAX_ROWS))], head)?;
    Ok(found.into_iter().map(CrlHead::try_from).collect::<Result<_, _>>()?)
}

pub(super) fn latest(db: &Connection, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>, DbError> {
    let first = crl_key(CrlId { shard, kind, number: 0 });
    let found = query::one(db, LATEST, params![first, last_crl_key(shard, kind)], head)?;
    Ok(found.map(CrlHead::try_from).transpose()?)
}

pub(super) fn latest_change(db: &Connection) -> Result<RevocationPosition, DbError> {
    let latest: Option<Option<i64>> = query::one(db, LATEST_CHANGE, [], |row| row.get(0))?;
    Ok(latest.flatten().map(RevocationPosition::from_number).unwrap_or_default())
}

pub(super) fn changes_after(
    db: &Connection,
    position: RevocationPosition,
    limit: usize,
) -> Result<Vec<ShardChange>, DbError> {
    let found = query::all(db, CHANGES, params![position.number(), rows(limit.min(MAX_ROWS))], |row| {
        Ok((revoked_row(row)?, row.get::<_, [u8; 20]>(5)?, row.get::<_, i64>(6)?))
    })?;
    let changes = found.into_iter().map(|(row, issuer, shard)| {
        Ok(ShardChange { shard: shard_of(issuer, shard)?, certificate: row.try_into()? })
    });
    changes.collect()
}

pub(super) fn revoked(
    db: &Connection,
    shard: ShardId,
    after: Option<&Serial>,
    limit: usize,
) -> Result<Vec<RevokedCertificate>, DbError> {
    let ShardId { issuer, shard } = shard;
    let page = params![issuer.as_bytes(), shard.number(), behind(after), rows(limit.min(MAX_ROWS))];
    let found = query::all(db, REVOKED, page, revoked_row)?;
    Ok(found.into_iter().map(RevokedCertificate::try_from).collect::<Result<_, _>>()?)
}

pub(super) fn revoked_lengths(
    db: &Connection,
    shard: ShardId,
    after: Option<&Serial>,
) -> Result<RevokedLengths, DbError> {
    let ShardId { issuer, shard } = shard;
    let mut statement = db.prepare_cached(SERIALS)?;
    let page = params![issuer.as_bytes(), shard.number(), behind(after), rows(MAX_MEASURED)];
    let mut found = statement.query(page)?;
    let mut lengths = RevokedLengths::default();
    while let Some(row) = found.next()? {
        let serial = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        lengths.count += 1;
        lengths.serial_octets += serial.len() as u64;
        if lengths.count == MAX_MEASURED as u64 {
            lengths.next = Serial::from_bytes(serial);
        }
    }
    Ok(lengths)
}

pub(super) fn chunk(db: &Connection, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>, DbError> {
    query::one(db, CHUNK, [chunk_key(crl, place)], |row| row.get(0))
}

pub(super) fn add_chunk(
    db: &Connection,
    crl: CrlId,
    holder: WorkerId,
    place: u32,
    octets: &[u8],
) -> Result<(), DbError> {
    let values = params![shard_key(crl.shard), holder.as_bytes(), chunk_key(crl, place), octets];
    if query::changes(db, ADD_CHUNK, values)? { Ok(()) } else { Err(DbError::Conflict) }
}

pub(super) fn publish(db: &Connection, crl: &CrlHead, holder: WorkerId) -> Result<(), DbError> {
    let row = CrlRow::of(crl).ok_or(DbError::Misuse("a number of a CRL is too great"))?;
    let CrlId { shard, kind, number } = crl.id;
    let from = |kind, number| crl_key(CrlId { shard, kind, number });
    // The other kind's number may be the same only if that is the complete one's.
    let complete_from = if kind == CrlKind::Complete { number } else { number.saturating_add(1) };
    let values = params![
        shard_key(shard),
        holder.as_bytes(),
        row.id,
        row.this_update,
        row.next_update,
        row.base,
        row.position,
        row.entries,
        row.length,
        row.sha256,
        chunk_key(crl.id, u32::MAX),
        crl.chunks(),
        from(CrlKind::Complete, complete_from),
        last_crl_key(shard, CrlKind::Complete),
        from(CrlKind::Delta, number),
        last_crl_key(shard, CrlKind::Delta),
    ];
    if query::changes(db, PUBLISH, values)? { Ok(()) } else { Err(DbError::Conflict) }
}

pub(super) fn remove(db: &Connection, first: CrlId, end: u64, holder: WorkerId) -> Result<bool, DbError> {
    if !query::exists(db, HELD, params![shard_key(first.shard), holder.as_bytes()])? {
        return Err(DbError::Conflict);
    }
    let (from, to) = (crl_key(first), crl_key(CrlId { number: end, ..first }));
    query::change_any(db, REMOVE, params![from, to])?;
    let chunks: Vec<Vec<u8>> = query::all(db, CHUNKS, params![from, to, REMOVED_CHUNKS], |row| row.get(0))?;
    for chunk in &chunks {
        query::change(db, REMOVE_CHUNK, [chunk])?;
    }
    Ok(rows(chunks.len()) == REMOVED_CHUNKS)
}

pub(super) fn forget(db: &Connection, serials: &[Serial], ended: Timestamp) -> Result<(), DbError> {
    for serial in serials.iter().take(MAX_ROWS) {
        query::changes(db, FORGET, params![serial.as_bytes(), ended.unix()])?;
    }
    Ok(())
}
