//! Intents and certificates.

use cairn_core::api::sa::{Intent, MAX_CERTIFICATE_STATUSES, NewRevocation};
use cairn_core::{CertificateRecord, CertificateStatus, ErrorKind, OrderId, Revocation, RevocationReason};

use crate::world::{NOW, World, certificate, kind};

/// A stored order that is being issued.
async fn order(world: &World) -> OrderId {
    let account = world.account().await.id;
    world.processing_order(account, NOW).await
}

pub(crate) async fn a_certificate_reads_back_with_what_its_intent_said(world: World) {
    for order in [Some(order(&world).await), None] {
        let intent = world.intent(order);
        world.storage.record_intent(intent.clone()).await.unwrap();
        let new = certificate(&intent.serial);
        assert_eq!(world.storage.add_certificate(new.clone()).await, Ok(order.is_some()));
        let record = CertificateRecord {
            serial: intent.serial.clone(),
            order,
            account: intent.account,
            issuer: intent.issuer,
            der: new.der,
            not_after: new.not_after,
            revocation: None,
        };
        assert_eq!(world.storage.certificate(&intent.serial).await, Ok(Some(record)));
    }
}

pub(crate) async fn an_intent_alone_is_no_certificate(world: World) {
    let intent = world.intent(Some(order(&world).await));
    world.storage.record_intent(intent.clone()).await.unwrap();
    assert_eq!(world.storage.certificate(&intent.serial).await, Ok(None));
}

pub(crate) async fn a_serial_and_an_order_are_used_once(world: World) {
    let order = order(&world).await;
    let first = world.intent(Some(order));
    world.storage.record_intent(first.clone()).await.unwrap();
    let same_serial = Intent { serial: first.serial.clone(), ..world.intent(None) };
    assert_eq!(kind(world.storage.record_intent(same_serial).await), Some(ErrorKind::Conflict));
    let same_order = world.intent(Some(order));
    assert_eq!(kind(world.storage.record_intent(same_order.clone()).await), Some(ErrorKind::Conflict));
    let never_intended = world.storage.add_certificate(certificate(&same_order.serial)).await;
    assert_eq!(kind(never_intended), Some(ErrorKind::Conflict), "the refused intent left nothing behind");
}

pub(crate) async fn certificates_without_orders_do_not_disturb_each_other(world: World) {
    let (first, second) = (world.certificate(None).await, world.certificate(None).await);
    assert_ne!(first, second);
}

pub(crate) async fn a_certificate_without_intent_is_refused(world: World) {
    let serial = world.serial();
    assert_eq!(kind(world.storage.add_certificate(certificate(&serial)).await), Some(ErrorKind::Conflict));
    assert_eq!(world.storage.certificate(&serial).await, Ok(None));
}

pub(crate) async fn a_second_certificate_for_an_intent_is_refused(world: World) {
    let serial = world.certificate(Some(order(&world).await)).await;
    let mut other = certificate(&serial);
    other.der = vec![1];
    assert_eq!(kind(world.storage.add_certificate(other).await), Some(ErrorKind::Conflict));
    let stored = world.storage.certificate(&serial).await.unwrap().unwrap();
    assert_eq!(stored.der, certificate(&serial).der);
}

pub(crate) async fn statuses_are_told_in_the_order_of_the_question_and_of_certificates_alone(world: World) {
    let (good, revoked) = (world.certificate(None).await, world.certificate(None).await);
    let intended = world.intent(None);
    world.storage.record_intent(intended.clone()).await.unwrap();
    let revocation = Revocation { at: NOW.plus(5), reason: Some(RevocationReason::Superseded) };
    let new = NewRevocation { serial: revoked.clone(), revocation, blocked_key: None };
    world.storage.revoke_certificate(new).await.unwrap();
    let asked = [revoked, intended.serial.clone(), good.clone(), good];
    let status = |revocation| Some(CertificateStatus { issuer: intended.issuer, revocation });
    let told = [status(Some(revocation)), None, status(None), status(None)];
    assert_eq!(world.storage.certificate_statuses(&asked).await, Ok(told.to_vec()));
    assert_eq!(world.storage.certificate_statuses(&[]).await, Ok(Vec::new()));
    let many = vec![intended.serial; MAX_CERTIFICATE_STATUSES + 1];
    assert_eq!(kind(world.storage.certificate_statuses(&many).await), Some(ErrorKind::Internal));
}
