//! Revocations and blocked keys.

use cairn_core::api::sa::NewRevocation;
use cairn_core::{ErrorKind, Revocation, RevocationReason, Serial};

use crate::world::{NOW, World, kind};

const KEY: [u8; 32] = [8; 32];

fn revocation(
    serial: &Serial,
    reason: Option<RevocationReason>,
    blocked_key: Option<[u8; 32]>,
) -> NewRevocation {
    NewRevocation { serial: serial.clone(), revocation: Revocation { at: NOW, reason }, blocked_key }
}

pub(crate) async fn a_revocation_is_remembered_with_its_reason(world: World) {
    for reason in RevocationReason::ALL.map(Some).into_iter().chain([None]) {
        let serial = world.certificate(None).await;
        world.storage.revoke_certificate(revocation(&serial, reason, None)).await.unwrap();
        let stored = world.storage.certificate(&serial).await.unwrap().unwrap();
        assert_eq!(stored.revocation, Some(Revocation { at: NOW, reason }));
    }
}

pub(crate) async fn a_second_revocation_is_refused_and_changes_nothing(world: World) {
    let serial = world.certificate(None).await;
    world.storage.revoke_certificate(revocation(&serial, None, None)).await.unwrap();
    let again = revocation(&serial, Some(RevocationReason::KeyCompromise), None);
    assert_eq!(kind(world.storage.revoke_certificate(again).await), Some(ErrorKind::AlreadyRevoked));
    let stored = world.storage.certificate(&serial).await.unwrap().unwrap();
    assert_eq!(stored.revocation, Some(Revocation { at: NOW, reason: None }));
}

pub(crate) async fn what_was_never_issued_cannot_be_revoked(world: World) {
    let intent = world.intent(None);
    world.storage.record_intent(intent.clone()).await.unwrap();
    for serial in [intent.serial, world.serial()] {
        let revoked = world.storage.revoke_certificate(revocation(&serial, None, Some(KEY))).await;
        assert_eq!(kind(revoked), Some(ErrorKind::NotFound));
    }
    assert_eq!(world.storage.key_blocked(KEY).await, Ok(false));
}

pub(crate) async fn a_revocation_blocks_a_key_once_and_for_all(world: World) {
    assert_eq!(world.storage.key_blocked(KEY).await, Ok(false));
    // Two certificates for one key, each revoked.
    for _ in 0..2 {
        let serial = world.certificate(None).await;
        let reason = Some(RevocationReason::KeyCompromise);
        world.storage.revoke_certificate(revocation(&serial, reason, Some(KEY))).await.unwrap();
        assert_eq!(world.storage.key_blocked(KEY).await, Ok(true));
    }
    assert_eq!(world.storage.key_blocked([9; 32]).await, Ok(false));
}

pub(crate) async fn a_refused_revocation_blocks_no_key(world: World) {
    let serial = world.certificate(None).await;
    world.storage.revoke_certificate(revocation(&serial, None, None)).await.unwrap();
    let again = revocation(&serial, Some(RevocationReason::KeyCompromise), Some(KEY));
    assert_eq!(kind(world.storage.revoke_certificate(again).await), Some(ErrorKind::AlreadyRevoked));
    assert_eq!(world.storage.key_blocked(KEY).await, Ok(false));
}

pub(crate) async fn a_key_is_blocked_without_a_revocation_too(world: World) {
    assert_eq!(world.storage.block_key(KEY, NOW).await, Ok(true));
    assert_eq!(world.storage.key_blocked(KEY).await, Ok(true));
    assert_eq!(world.storage.block_key(KEY, NOW).await, Ok(false), "it was");
    // A revocation that would block it as well is a revocation all the same.
    let serial = world.certificate(None).await;
    world.storage.revoke_certificate(revocation(&serial, None, Some(KEY))).await.unwrap();
}
