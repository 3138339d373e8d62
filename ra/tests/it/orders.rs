//! RFC 8555 §7.4, placing orders.

use cairn_core::api::RegistrationAuthority;
use cairn_core::{AuthorizationProgress, ChallengeType, ErrorKind, OrderStatus, Period};

use crate::world::{DAY, START, World, answer, csr, identifier, kind, refused_connection};

#[tokio::test]
async fn an_order_has_one_pending_authorization_per_identifier() {
    let world = World::new();
    let account = world.account().await;
    let order = world.order(account, &["b.test", "*.a.test", "a.test"]).await;
    assert_eq!(order.status(START), OrderStatus::Pending);
    assert_eq!(order.order.identifiers, ["*.a.test", "a.test", "b.test"].map(identifier));
    for (identifier, authz) in order.order.identifiers.iter().zip(&order.authorizations) {
        assert!(authz.serves(identifier));
        assert_eq!(authz.progress, AuthorizationProgress::Pending);
    }
    assert_eq!(order.authorizations[0].challenges, [ChallengeType::Dns01]);
    assert_eq!(order.authorizations[1].challenges, ChallengeType::ALL);
    assert_eq!(world.stored_order(order.order.id).await, order);
}

#[tokio::test]
async fn duplicates_collapse() {
    let world = World::new();
    let account = world.account().await;
    let order = world.order(account, &["a.test", "b.test", "a.test"]).await;
    assert_eq!(order.order.identifiers, ["a.test", "b.test"].map(identifier));
}

#[tokio::test]
async fn an_order_of_nothing_or_of_too_much_is_malformed() {
    let world = World::with(|config| config.max_identifiers = 2);
    let account = world.account().await;
    assert_eq!(kind(world.try_order(account, &[]).await), ErrorKind::Malformed);
    let error = world.try_order(account, &["a.test", "b.test", "c.test"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed);
    assert!(error.detail.contains("at most 2"), "{}", error.detail);
    assert!(world.try_order(account, &["a.test", "b.test", "b.test"]).await.is_ok());
}

#[tokio::test]
async fn identifiers_against_policy_are_rejected_by_name() {
    let world = World::with_policy(|_| {}, |policy| policy.denied_names = vec!["secret.test".to_owned()]);
    let account = world.account().await;
    let error = world.try_order(account, &["a.test", "secret.test", "192.0.2.1"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RejectedIdentifier);
    assert_eq!(error.subproblems.len(), 2);
}

#[tokio::test]
async fn the_same_order_again_is_the_same_order() {
    let world = World::new();
    let account = world.account().await;
    let first = world.order(account, &["a.test", "b.test"]).await;
    assert_eq!(world.order(account, &["b.test", "a.test"]).await, first);
    world.ready_order(account, &["a.test", "b.test"]).await;
    assert_eq!(
        world.order(account, &["a.test", "b.test"]).await.order.id,
        first.order.id,
        "when it is ready, too"
    );

    let other = world.account().await;
    assert_ne!(world.order(other, &["a.test", "b.test"]).await.order.id, first.order.id);
    assert_ne!(world.order(account, &["a.test"]).await.order.id, first.order.id);
}

#[tokio::test]
async fn an_order_about_to_expire_is_not_given_back() {
    let world = World::new();
    let account = world.account().await;
    let first = world.order(account, &["a.test"]).await;
    world.clock.advance(6 * DAY - 1);
    assert_eq!(world.order(account, &["a.test"]).await.order.id, first.order.id);
    world.clock.advance(1);
    assert_ne!(world.order(account, &["a.test"]).await.order.id, first.order.id);
}

#[tokio::test]
async fn a_failed_or_finalized_order_is_not_given_back() {
    let world = World::with(|config| config.reuse_authorizations = false);
    let account = world.account().await;
    let first = world.order(account, &["a.test"]).await;
    world.va.next_fails(refused_connection());
    world
        .ra
        .perform_validation(answer(account, first.authorizations[0].id, ChallengeType::Http01))
        .await
        .unwrap();
    let second = world.ready_order(account, &["a.test"]).await;
    assert_ne!(second, first.order.id);
    world.finalize(account, second, csr(&["a.test"])).await.unwrap();
    let third = world.order(account, &["a.test"]).await;
    assert_ne!(third.order.id, second);
    assert_eq!(third.status(START), OrderStatus::Pending);
}

#[tokio::test]
async fn orders_are_new_each_time_when_reuse_is_off() {
    let world = World::with(|config| config.reuse_orders = false);
    let account = world.account().await;
    let first = world.order(account, &["a.test"]).await;
    assert_ne!(world.order(account, &["a.test"]).await.order.id, first.order.id);
}

#[tokio::test]
async fn a_valid_authorization_serves_the_next_order() {
    let world = World::new();
    let account = world.account().await;
    let first = world.ready_order(account, &["a.test"]).await;
    let proven = world.stored_order(first).await.order.authorizations[0];
    let second = world.order(account, &["a.test", "b.test"]).await;
    assert_eq!(second.order.authorizations[0], proven);
    assert_eq!(second.status(START), OrderStatus::Pending);

    let wildcard = world.order(account, &["*.a.test"]).await;
    assert_eq!(
        wildcard.authorizations[0].progress,
        AuthorizationProgress::Pending,
        "a name proves no wildcard"
    );
    let other = world.account().await;
    assert_ne!(world.order(other, &["a.test"]).await.order.authorizations[0], proven);
}

#[tokio::test]
async fn an_order_of_proven_names_is_ready_at_once() {
    let world = World::new();
    let account = world.account().await;
    world.ready_order(account, &["a.test", "b.test"]).await;
    assert_eq!(world.order(account, &["a.test"]).await.status(START), OrderStatus::Ready);
}

#[tokio::test]
async fn an_order_expires_with_the_first_of_its_authorizations() {
    let world = World::new();
    let account = world.account().await;
    world.ready_order(account, &["a.test"]).await;
    world.clock.advance(28 * DAY);
    let order = world.order(account, &["a.test", "b.test"]).await;
    assert_eq!(order.order.expires, START.plus(30 * DAY));
    assert_eq!(world.order(account, &["b.test"]).await.order.expires, START.plus(35 * DAY));
}

#[tokio::test]
async fn an_authorization_about_to_expire_is_not_taken_over() {
    let world = World::new();
    let account = world.account().await;
    let first = world.ready_order(account, &["a.test"]).await;
    let proven = world.stored_order(first).await.order.authorizations[0];
    world.clock.advance(29 * DAY);
    assert_ne!(world.order(account, &["a.test"]).await.order.authorizations[0], proven);
}

#[tokio::test]
async fn no_authorization_is_taken_over_when_reuse_is_off() {
    let world = World::with(|config| {
        config.reuse_authorizations = false;
        config.reuse_orders = false;
    });
    let account = world.account().await;
    world.ready_order(account, &["a.test"]).await;
    assert_eq!(world.order(account, &["a.test"]).await.status(START), OrderStatus::Pending);
}

#[tokio::test]
async fn no_authorization_is_taken_over_whose_challenge_was_switched_off() {
    let world = World::new();
    let account = world.account().await;
    let proven = world.order(account, &["a.test"]).await;
    let by_http = answer(account, proven.authorizations[0].id, ChallengeType::Http01);
    world.ra.perform_validation(by_http).await.unwrap();

    let policy = cairn_pa::Config { challenges: vec![ChallengeType::Dns01], ..cairn_pa::Config::default() };
    let mut deps = world.deps.clone();
    deps.pa = std::sync::Arc::new(cairn_pa::Pa::new(policy).unwrap());
    let config = cairn_ra::Config { reuse_orders: false, ..cairn_ra::Config::default() };
    let stricter = cairn_ra::Ra::new(config, deps).unwrap();
    let request = cairn_core::api::ra::NewOrderRequest {
        account,
        identifiers: proven.order.identifiers.clone(),
        replaces: None,
    };
    assert_eq!(stricter.new_order(request).await.unwrap().status(START), OrderStatus::Pending);
}

#[tokio::test]
async fn lifetimes_are_those_of_the_configuration() {
    let world = World::with(|config| {
        config.order_lifetime = Period::from_days(2);
        config.pending_authorization_lifetime = Period::from_days(3);
    });
    let account = world.account().await;
    let order = world.order(account, &["a.test"]).await;
    assert_eq!(order.order.expires, START.plus(2 * DAY));
    assert_eq!(order.authorizations[0].expires, START.plus(3 * DAY));
}
