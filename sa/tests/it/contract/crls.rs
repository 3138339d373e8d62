//! CRLs: who makes them, what they must tell, how they are published and removed.

use std::sync::Arc;

use cairn_core::api::crl::MAX_ROWS;
use cairn_core::api::pki::RevocationPosition;
use cairn_core::api::sa::{Intent, NewCertificate, NewRevocation};
use cairn_core::crl::CRL_CHUNK;
use cairn_core::{
    CrlHead, CrlId, CrlKind, CrlShard, ErrorKind, IssuerId, Result, Revocation, RevocationReason, Serial,
    ShardId, WorkerId,
};

use tokio::task::JoinSet;

use crate::world::{NOW, WORKER, World};

const OTHER: WorkerId = WorkerId::from_bytes([2; 16]);
const SHARD: ShardId = shard(3);

fn error<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

const fn shard(number: u16) -> ShardId {
    ShardId { issuer: IssuerId::from_bytes([7; 20]), shard: CrlShard::new(number) }
}

const fn complete(number: u64) -> CrlId {
    CrlId { shard: SHARD, kind: CrlKind::Complete, number }
}

const fn delta(number: u64) -> CrlId {
    CrlId { shard: SHARD, kind: CrlKind::Delta, number }
}

fn head(id: CrlId, length: usize) -> CrlHead {
    CrlHead {
        id,
        this_update: NOW,
        next_update: NOW.plus(3600),
        base: (id.kind == CrlKind::Delta).then_some(1),
        position: RevocationPosition::from_number(5),
        entries: 2,
        length: length as u64,
        sha256: [8; 32],
    }
}

async fn held(world: &World) {
    assert_eq!(world.storage.hold_crl_shard(SHARD, WORKER, NOW, NOW.plus(60)).await, Ok(true));
}

/// Stores and publishes a CRL of two pieces.
async fn publish(world: &World, id: CrlId) -> CrlHead {
    let head = head(id, CRL_CHUNK + 1);
    for (place, length) in [(0_u8, CRL_CHUNK), (1, 1)] {
        world.storage.add_crl_chunk(id, WORKER, place.into(), vec![place; length]).await.unwrap();
    }
    world.storage.publish_crl(head.clone(), WORKER).await.unwrap();
    head
}

/// A revoked certificate of the shard.
async fn revoked(world: &World, serial: &[u8], seconds: i64, of: ShardId) -> Serial {
    let serial = Serial::from_bytes(serial).unwrap();
    let intent = Intent {
        serial: serial.clone(),
        order: None,
        account: None,
        issuer: of.issuer,
        crl_shard: Some(of.shard),
        lint_certificate: Vec::new(),
        at: NOW,
    };
    world.storage.record_intent(intent).await.unwrap();
    let certificate = NewCertificate {
        serial: serial.clone(),
        der: Vec::new(),
        spki_sha256: None,
        not_after: NOW.plus(seconds),
        at: NOW,
    };
    world.storage.add_certificate(certificate).await.unwrap();
    let revocation = Revocation { at: NOW, reason: Some(RevocationReason::Superseded) };
    let new = NewRevocation { serial: serial.clone(), revocation, blocked_key: None };
    world.storage.revoke_certificate(new).await.unwrap();
    serial
}

pub(crate) async fn a_lease_has_one_holder_until_it_ends_or_is_given_back(world: World) {
    let storage = &world.storage;
    let hold = |holder, at: i64| storage.hold_crl_shard(SHARD, holder, NOW.plus(at), NOW.plus(at + 60));
    assert_eq!(hold(WORKER, 0).await, Ok(true));
    assert_eq!(hold(OTHER, 59).await, Ok(false));
    // Who has it keeps it.
    assert_eq!(hold(WORKER, 30).await, Ok(true));
    assert_eq!(hold(OTHER, 89).await, Ok(false));
    assert_eq!(hold(OTHER, 90).await, Ok(true));
    assert_eq!(hold(WORKER, 91).await, Ok(false));
    // Another's lease is not given back.
    storage.release_crl_shard(SHARD, WORKER).await.unwrap();
    assert_eq!(hold(WORKER, 92).await, Ok(false));
    storage.release_crl_shard(SHARD, OTHER).await.unwrap();
    assert_eq!(hold(WORKER, 93).await, Ok(true));
    // The others are not touched by that.
    assert_eq!(storage.hold_crl_shard(shard(4), OTHER, NOW, NOW.plus(60)).await, Ok(true));
}

pub(crate) async fn of_many_that_want_a_lease_one_has_it(world: World) {
    let world = Arc::new(world);
    let mut tries = JoinSet::new();
    for number in 1..=16_u8 {
        let world = Arc::clone(&world);
        let holder = WorkerId::from_bytes([number; 16]);
        tries.spawn(async move { world.storage.hold_crl_shard(SHARD, holder, NOW, NOW.plus(60)).await });
    }
    let held = tries.join_all().await.into_iter().filter(|held| *held.as_ref().unwrap()).count();
    assert_eq!(held, 1);
}

pub(crate) async fn a_crl_reads_back_once_it_is_published(world: World) {
    let storage = &world.storage;
    held(&world).await;
    let id = complete(u64::MAX >> 1);
    let published = head(id, CRL_CHUNK + 1);
    storage.add_crl_chunk(id, WORKER, 0, vec![1; CRL_CHUNK]).await.unwrap();
    // Half of it is not published.
    assert_eq!(error(storage.publish_crl(published.clone(), WORKER).await), ErrorKind::Conflict);
    assert_eq!(storage.crl(SHARD, CrlKind::Complete).await, Ok(None));
    assert_eq!(error(storage.add_crl_chunk(id, WORKER, 0, vec![2]).await), ErrorKind::Conflict);
    storage.add_crl_chunk(id, WORKER, 1, vec![2]).await.unwrap();
    assert_eq!(storage.latest_crl(SHARD, CrlKind::Complete).await, Ok(None));
    storage.publish_crl(published.clone(), WORKER).await.unwrap();
    assert_eq!(storage.crl(SHARD, CrlKind::Complete).await, Ok(Some(published.clone())));
    assert_eq!(storage.latest_crl(SHARD, CrlKind::Complete).await, Ok(Some(published.clone())));
    assert_eq!(storage.crl_chunk(id, 0).await, Ok(Some(vec![1; CRL_CHUNK])));
    assert_eq!(storage.crl_chunk(id, 1).await, Ok(Some(vec![2])));
    assert_eq!(storage.crl_chunk(id, 2).await, Ok(None));
    // Neither the other kind's, nor another shard's.
    assert_eq!(storage.crl(SHARD, CrlKind::Delta).await, Ok(None));
    assert_eq!(storage.crl(shard(2), CrlKind::Complete).await, Ok(None));
    assert_eq!(storage.crl(shard(4), CrlKind::Complete).await, Ok(None));
    assert_eq!(storage.crls(SHARD.issuer, None, 10).await, Ok(vec![published.clone()]));
    assert_eq!(storage.crls(SHARD.issuer, Some(id), 10).await, Ok(Vec::new()));
    assert_eq!(storage.crls(IssuerId::from_bytes([8; 20]), None, 10).await, Ok(Vec::new()));
    assert_eq!(storage.crls(IssuerId::from_bytes([6; 20]), None, 10).await, Ok(Vec::new()));
}

pub(crate) async fn numbers_rise_and_only_a_delta_of_the_same_moment_shares_one(world: World) {
    let storage = &world.storage;
    held(&world).await;
    let refused = async |id: CrlId| {
        storage.add_crl_chunk(id, WORKER, 0, vec![1]).await.unwrap();
        error(storage.publish_crl(head(id, 1), WORKER).await)
    };
    publish(&world, complete(10)).await;
    publish(&world, delta(10)).await;
    for id in [complete(9), delta(9)] {
        assert_eq!(refused(id).await, ErrorKind::Conflict, "{id:?}");
    }
    for id in [complete(10), delta(10)] {
        assert_eq!(error(storage.publish_crl(head(id, CRL_CHUNK + 1), WORKER).await), ErrorKind::Conflict);
    }
    publish(&world, delta(11)).await;
    // A complete one is not of the moment of a delta that was there before it.
    assert_eq!(refused(complete(11)).await, ErrorKind::Conflict);
    publish(&world, complete(12)).await;
    let latest = storage.latest_crl(SHARD, CrlKind::Complete).await.unwrap().unwrap();
    assert_eq!(latest.id, complete(12));
    let latest = storage.latest_crl(SHARD, CrlKind::Delta).await.unwrap().unwrap();
    assert_eq!((latest.id, latest.base), (delta(11), Some(1)));
    let all: Vec<_> = storage.crls(SHARD.issuer, None, 10).await.unwrap();
    let ids: Vec<_> = all.into_iter().map(|head| head.id).collect();
    assert_eq!(ids, [complete(10), complete(12), delta(10), delta(11)]);
    assert_eq!(storage.crls(SHARD.issuer, Some(complete(12)), 1).await.unwrap()[0].id, delta(10));
}

pub(crate) async fn who_lost_the_lease_stores_and_removes_nothing_any_more(world: World) {
    let storage = &world.storage;
    held(&world).await;
    publish(&world, complete(1)).await;
    storage.add_crl_chunk(complete(2), WORKER, 0, vec![1]).await.unwrap();
    assert_eq!(storage.hold_crl_shard(SHARD, OTHER, NOW.plus(60), NOW.plus(120)).await, Ok(true));
    let late = storage.publish_crl(head(complete(2), 1), WORKER).await;
    assert_eq!(error(late), ErrorKind::Conflict);
    let late = storage.add_crl_chunk(complete(2), WORKER, 1, vec![1]).await;
    assert_eq!(error(late), ErrorKind::Conflict);
    assert_eq!(error(storage.remove_crls(complete(1), 2, WORKER).await), ErrorKind::Conflict);
    assert!(storage.crl(SHARD, CrlKind::Complete).await.unwrap().is_some());
    // Its rest is the next one's to clean away.
    assert_eq!(storage.remove_crls(complete(2), u64::MAX, OTHER).await, Ok(false));
    assert_eq!(storage.crl_chunk(complete(2), 0).await, Ok(None));
    storage.add_crl_chunk(complete(3), OTHER, 0, vec![1]).await.unwrap();
    storage.publish_crl(head(complete(3), 1), OTHER).await.unwrap();
}

pub(crate) async fn old_crls_are_removed_piece_by_piece_and_the_others_stay(world: World) {
    let storage = &world.storage;
    held(&world).await;
    publish(&world, delta(1)).await;
    for place in 0..20 {
        storage.add_crl_chunk(complete(2), WORKER, place, vec![1]).await.unwrap();
    }
    publish(&world, complete(3)).await;
    publish(&world, complete(4)).await;
    assert_eq!(storage.remove_crls(complete(0), 4, WORKER).await, Ok(true));
    // What is being removed is found no more.
    assert_eq!(storage.crls(SHARD.issuer, None, 10).await.unwrap()[0].id, complete(4));
    assert_eq!(storage.remove_crls(complete(0), 4, WORKER).await, Ok(false));
    for (id, place) in [(complete(2), 19), (complete(3), 0), (complete(3), 1)] {
        assert_eq!(storage.crl_chunk(id, place).await, Ok(None));
    }
    for id in [complete(4), delta(1)] {
        assert!(storage.crl_chunk(id, 1).await.unwrap().is_some());
    }
}

pub(crate) async fn the_revoked_certificates_of_a_shard_come_in_pages_by_their_serials(world: World) {
    let storage = &world.storage;
    assert_eq!(storage.latest_change().await, Ok(RevocationPosition::default()));
    let serials = [&[5, 1, 1][..], &[6], &[5, 1], &[7; 16]];
    for serial in serials {
        revoked(&world, serial, 100, SHARD).await;
    }
    revoked(&world, &[1], 100, shard(2)).await;
    let foreign = ShardId { issuer: IssuerId::from_bytes([8; 20]), ..SHARD };
    revoked(&world, &[2], 100, foreign).await;

    let all = storage.revoked(SHARD, None, 10).await.unwrap();
    let found: Vec<_> = all.iter().map(|one| one.serial.as_bytes()).collect();
    // Octet by octet.
    assert_eq!(found, [&[5, 1][..], &[5, 1, 1], &[6], &[7; 16]]);
    let first = &all[0];
    assert_eq!(first.not_after, NOW.plus(100));
    assert_eq!(first.revocation, Revocation { at: NOW, reason: Some(RevocationReason::Superseded) });
    let page = storage.revoked(SHARD, Some(first.serial.clone()), 2).await.unwrap();
    assert_eq!(page, all[1..3]);
    assert_eq!(storage.revoked(SHARD, Some(all[3].serial.clone()), 2).await, Ok(Vec::new()));
    let lengths = storage.revoked_lengths(SHARD, None).await.unwrap();
    assert_eq!((lengths.count, lengths.serial_octets, lengths.next), (4, 22, None));
    let lengths = storage.revoked_lengths(SHARD, Some(all[1].serial.clone())).await.unwrap();
    assert_eq!((lengths.count, lengths.serial_octets), (2, 17));
    assert_eq!(storage.revoked_lengths(shard(9), None).await.unwrap().count, 0);

    let changes = storage.changes_after(RevocationPosition::default(), MAX_ROWS).await.unwrap();
    let shards: Vec<_> = changes.iter().map(|change| change.shard).collect();
    assert_eq!(shards, [SHARD, SHARD, SHARD, SHARD, shard(2), foreign]);
    let last = changes.last().unwrap().certificate.position;
    assert_eq!(storage.latest_change().await, Ok(last));
    assert_eq!(storage.changes_after(changes[3].certificate.position, 1).await.unwrap(), changes[4..5]);
}

pub(crate) async fn what_is_long_over_is_forgotten_but_never_the_latest(world: World) {
    let storage = &world.storage;
    let ended = revoked(&world, &[5], 100, SHARD).await;
    let lasting = revoked(&world, &[6], 200, SHARD).await;
    let latest = revoked(&world, &[7], 100, SHARD).await;
    let position = storage.latest_change().await.unwrap();
    let serials = vec![ended, lasting.clone(), latest.clone(), Serial::from_bytes(&[9]).unwrap()];
    storage.forget_revocations(serials.clone(), NOW.plus(100)).await.unwrap();
    assert_eq!(storage.revoked(SHARD, None, 10).await.unwrap().len(), 3);
    storage.forget_revocations(serials, NOW.plus(101)).await.unwrap();
    let left = storage.revoked(SHARD, None, 10).await.unwrap();
    assert_eq!(left.into_iter().map(|one| one.serial).collect::<Vec<_>>(), [lasting, latest.clone()]);
    assert_eq!(storage.latest_change().await, Ok(position));
    // The next one comes after it, and now it may go.
    revoked(&world, &[8], 100, SHARD).await;
    assert!(storage.latest_change().await.unwrap() > position);
    storage.forget_revocations(vec![latest], NOW.plus(101)).await.unwrap();
    assert_eq!(storage.revoked(SHARD, None, 10).await.unwrap().len(), 2);
}
