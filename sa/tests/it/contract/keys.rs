//! Keys that are blocked and their certificates; certificates as they are looked through.

use cairn_core::api::revocations::{KEY_SWEPT_FOR, KeyToSweep};
use cairn_core::api::sa::{NewCertificate, NewRevocation};
use cairn_core::{ErrorKind, OrderId, Revocation, RevocationReason, Serial, Timestamp};

use crate::world::{KEY as CERTIFIED, NOW, WORKER, World, certificate, kind};

const KEY: [u8; 32] = [8; 32];
const COMPROMISED: Option<RevocationReason> = Some(RevocationReason::KeyCompromise);
const SUPERSEDED: Option<RevocationReason> = Some(RevocationReason::Superseded);

async fn revoke(
    world: &World,
    serial: &Serial,
    at: Timestamp,
    reason: Option<RevocationReason>,
    blocked_key: Option<[u8; 32]>,
) {
    let revocation = Revocation { at, reason };
    let new = NewRevocation { serial: serial.clone(), revocation, blocked_key };
    world.storage.revoke_certificate(new).await.unwrap();
}

/// A certificate with this key, the next one in the order of serials.
async fn with_key(world: &World, number: u8, key: [u8; 32], order: Option<OrderId>) -> Serial {
    let serial = Serial::from_bytes(&[1, number, 7]).unwrap();
    let intent = cairn_core::api::sa::Intent { serial: serial.clone(), ..world.intent(order) };
    world.storage.record_intent(intent).await.unwrap();
    let new = NewCertificate { spki_sha256: key.into(), ..certificate(&serial) };
    world.storage.add_certificate(new).await.unwrap();
    serial
}

async fn reason(world: &World, serial: &Serial) -> Option<Revocation> {
    world.storage.certificate(serial).await.unwrap().unwrap().revocation
}

pub(crate) async fn a_revocation_is_corrected_once_and_keeps_its_time(world: World) {
    let serial = world.certificate(None).await;
    let early = world.storage.correct_revocation(&serial, Some(KEY), NOW).await;
    assert_eq!(kind(early), Some(ErrorKind::NotFound), "it is not revoked");
    let unknown = world.storage.correct_revocation(&world.serial(), Some(KEY), NOW).await;
    assert_eq!(kind(unknown), Some(ErrorKind::NotFound));
    assert_eq!(world.storage.key_blocked(KEY).await, Ok(false));

    revoke(&world, &serial, NOW, SUPERSEDED, None).await;
    let position = world.storage.revocation_position().await.unwrap();
    let later = NOW.plus(100);
    assert_eq!(world.storage.correct_revocation(&serial, Some(KEY), later).await, Ok(true));
    assert_eq!(reason(&world, &serial).await, Some(Revocation { at: NOW, reason: COMPROMISED }));
    assert_eq!(world.storage.key_blocked(KEY).await, Ok(true));
    let events = world.storage.revocations_after(position, 10).await.unwrap();
    assert_eq!(events.len(), 1, "those who follow hear of it");
    assert_eq!(world.storage.correct_revocation(&serial, Some([9; 32]), later).await, Ok(false));
    assert_eq!(world.storage.key_blocked([9; 32]).await, Ok(true), "the key is blocked in any case");
}

pub(crate) async fn a_compromised_keys_certificates_are_looked_for_until_that_is_ended(world: World) {
    let due = |at: Timestamp| KeyToSweep { spki_sha256: KEY, until: at.plus(KEY_SWEPT_FOR) };
    let [first, second, third] =
        [world.certificate(None).await, world.certificate(None).await, world.certificate(None).await];
    // Who only blocks a key does not say that it is compromised.
    revoke(&world, &first, NOW, SUPERSEDED, Some(KEY)).await;
    world.storage.block_key([1; 32], NOW).await.unwrap();
    assert_eq!(world.storage.keys_to_sweep(None, 10).await.unwrap(), []);
    revoke(&world, &second, NOW, COMPROMISED, Some(KEY)).await;
    assert_eq!(world.storage.keys_to_sweep(None, 10).await.unwrap(), [due(NOW)]);
    assert_eq!(world.storage.keys_to_sweep(Some(KEY), 10).await.unwrap(), []);
    // It is said again: what ends the first time does not end the second.
    let later = NOW.plus(1);
    world.storage.correct_revocation(&first, Some(KEY), later).await.unwrap();
    world.storage.end_sweep(due(NOW)).await.unwrap();
    assert_eq!(world.storage.keys_to_sweep(None, 10).await.unwrap(), [due(later)]);
    world.storage.end_sweep(due(later)).await.unwrap();
    assert_eq!(world.storage.keys_to_sweep(None, 10).await.unwrap(), []);
    // A revocation for another reason does not begin it anew, one for this does.
    revoke(&world, &third, NOW, SUPERSEDED, Some(KEY)).await;
    assert_eq!(world.storage.keys_to_sweep(None, 10).await.unwrap(), []);
    let fourth = world.certificate(None).await;
    revoke(&world, &fourth, later, COMPROMISED, Some(KEY)).await;
    assert_eq!(world.storage.keys_to_sweep(None, 10).await.unwrap(), [due(later)]);
    assert_eq!(world.storage.key_blocked(KEY).await, Ok(true), "it stays blocked");
}

pub(crate) async fn certificates_are_looked_through_by_serial_and_by_key(world: World) {
    let account = world.account().await.id;
    let order = world.ready_order(account, &["a.test"]).await;
    world.storage.set_order_processing(order, CERTIFIED, WORKER, NOW).await.unwrap();
    let first = with_key(&world, 1, KEY, Some(order)).await;
    let second = with_key(&world, 2, [9; 32], None).await;
    let third = with_key(&world, 3, KEY, None).await;

    let serials = async |after: &[u8], limit| {
        let found = world.storage.certificates_after(after, limit).await.unwrap();
        found.into_iter().map(|it| it.record.serial).collect::<Vec<_>>()
    };
    assert_eq!(serials(&[], 10).await, [first.clone(), second.clone(), third.clone()]);
    assert_eq!(serials(&[], 2).await, [first.clone(), second.clone()]);
    assert_eq!(serials(first.as_bytes(), 10).await, [second.clone(), third.clone()]);
    assert_eq!(serials(&[1, 3], 10).await, std::slice::from_ref(&third), "from any octets on");
    assert_eq!(serials(third.as_bytes(), 10).await, []);

    let of_key = async |after: &[u8], limit| {
        let found = world.storage.certificates_of_key(KEY, after, limit).await.unwrap();
        found.into_iter().map(|it| it.record.serial).collect::<Vec<_>>()
    };
    assert_eq!(of_key(&[], 10).await, [first.clone(), third.clone()]);
    assert_eq!(of_key(&[], 1).await, std::slice::from_ref(&first));
    assert_eq!(of_key(first.as_bytes(), 10).await, std::slice::from_ref(&third));

    let named =
        world.storage.certificates_with_serials(&[third, world.serial(), first.clone()]).await.unwrap();
    let mut named: Vec<_> = named.into_iter().map(|it| (it.record.serial.clone(), it)).collect();
    named.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(named.len(), 2, "what there is not is left out");
    let found = &named[0].1;
    assert_eq!(found.record, world.storage.certificate(&first).await.unwrap().unwrap());
    assert_eq!((found.issued, found.profile.as_deref()), (NOW, Some("default")));
    assert_eq!(named[1].1.profile, None);
    assert_eq!(world.storage.certificates_with_serials(&[]).await.unwrap(), []);
    assert_eq!(world.storage.certificates_without_key(10).await.unwrap(), []);
}
