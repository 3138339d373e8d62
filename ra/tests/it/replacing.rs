//! Orders that replace certificates, RFC 9773 §5.

use cairn_core::api::RegistrationAuthority;
use cairn_core::api::ra::NewOrderRequest;
use cairn_core::{
    AccountId, CertificateId, ErrorKind, IssuerId, OrderStatus, OrderWithAuthorizations, Result, Serial,
};
use cairn_x509::Certificate;

use crate::world::{Issuance, START, World, csr, identifier, kind};

fn id(certificate: &[u8]) -> CertificateId {
    let serial = Serial::from_bytes(Certificate::from_der(certificate).unwrap().serial()).unwrap();
    CertificateId { issuer: IssuerId::from_bytes([7; 20]), serial }
}

async fn order(
    world: &World,
    account: AccountId,
    names: &[&str],
    replaces: &CertificateId,
) -> Result<OrderWithAuthorizations> {
    let identifiers = names.iter().copied().map(identifier).collect();
    world.ra.new_order(NewOrderRequest { account, identifiers, replaces: Some(replaces.clone()) }).await
}

#[tokio::test]
async fn a_renewal_says_what_it_replaces_and_no_other_order_can() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test", "b.test"]).await;
    let replaced = id(&certificate);
    let renewal = order(&world, account, &["b.test", "c.test"], &replaced).await.unwrap();
    assert_eq!(renewal.order.replaces, Some(replaced.clone()));
    assert_eq!(world.stored_order(renewal.order.id).await.order.replaces, Some(replaced.clone()));
    let second = order(&world, account, &["a.test"], &replaced).await;
    assert_eq!(kind(second), ErrorKind::AlreadyReplaced);
    assert_eq!(world.order(account, &["a.test"]).await.order.replaces, None, "without it, it may be placed");
}

#[tokio::test]
async fn a_client_that_lost_the_answer_gets_the_same_order_again() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    let replaced = id(&certificate);
    let first = order(&world, account, &["a.test"], &replaced).await.unwrap();
    assert_eq!(order(&world, account, &["a.test"], &replaced).await.unwrap(), first);
    // One that replaces nothing is another order, and the first is found behind it.
    let plain = world.order(account, &["a.test"]).await;
    assert_ne!(plain.order.id, first.order.id);
    world.clock.advance(1);
    assert_eq!(order(&world, account, &["a.test"], &replaced).await.unwrap().order.id, first.order.id);
}

#[tokio::test]
async fn what_does_not_correspond_to_the_order_cannot_be_replaced_by_it() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    let replaced = id(&certificate);
    let stranger = world.account().await;
    assert_eq!(kind(order(&world, stranger, &["a.test"], &replaced).await), ErrorKind::Unauthorized);
    assert_eq!(kind(order(&world, account, &["b.test"], &replaced).await), ErrorKind::Malformed);
    let elsewhere = CertificateId { issuer: IssuerId::from_bytes([8; 20]), ..replaced.clone() };
    assert_eq!(kind(order(&world, account, &["a.test"], &elsewhere).await), ErrorKind::Malformed);
    let unknown = CertificateId { serial: Serial::from_bytes(&[1]).unwrap(), ..replaced.clone() };
    assert_eq!(kind(order(&world, account, &["a.test"], &unknown).await), ErrorKind::Malformed);
    order(&world, account, &["a.test"], &replaced).await.unwrap();
}

#[tokio::test]
async fn the_claim_is_given_back_when_the_order_fails() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    let replaced = id(&certificate);
    let failing = order(&world, account, &["a.test"], &replaced).await.unwrap();
    assert_eq!(failing.status(START), OrderStatus::Ready, "by the authorization that there is");
    world.ca.next(Issuance::Breaks(ErrorKind::RejectedIdentifier));
    world.finalize(account, failing.order.id, csr(&["a.test"])).await.unwrap();
    let renewal = order(&world, account, &["a.test"], &replaced).await.unwrap();
    world.finalize(account, renewal.order.id, csr(&["a.test"])).await.unwrap();
    assert_eq!(kind(order(&world, account, &["a.test"], &replaced).await), ErrorKind::AlreadyReplaced);
}

#[tokio::test]
async fn of_racing_renewals_one_is_placed() {
    let world = World::with(|config| config.reuse_orders = false);
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    let replaced = id(&certificate);
    let outcomes = tokio::join!(
        order(&world, account, &["a.test"], &replaced),
        order(&world, account, &["a.test"], &replaced),
        order(&world, account, &["a.test"], &replaced),
    );
    let outcomes = [outcomes.0, outcomes.1, outcomes.2];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(
        outcomes.into_iter().filter_map(Result::err).all(|error| error.kind == ErrorKind::AlreadyReplaced)
    );
}
