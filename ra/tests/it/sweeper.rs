//! What a killed process left undone is ended.

use cairn_core::api::RegistrationAuthority;
use cairn_core::api::sa::SubjectKey;
use cairn_core::{
    AccountId, AuthorizationProgress, AuthorizationStatus, ChallengeType, ErrorKind, OrderId, OrderProgress,
    OrderStatus, Period, ProblemType, WorkerId,
};
use cairn_ra::Orphans;

use crate::world::{DAY, Issuance, START, World, answer, csr, refused_connection};

/// A process that was killed.
const DEAD: WorkerId = WorkerId::from_bytes([0xde; 16]);

/// An order that a process marked as processing before it was killed.
async fn orphaned_order(world: &World, account: AccountId, name: &str) -> OrderId {
    let order = world.ready_order(account, &[name]).await;
    let key = SubjectKey { spki_sha256: [7; 32], thumbprint: None };
    world.deps.sa.set_order_processing(order, key, DEAD, world.deps.clock.now()).await.unwrap();
    order
}

#[tokio::test]
async fn an_orphaned_order_becomes_invalid() {
    let world = World::new();
    let account = world.account().await;
    let order = orphaned_order(&world, account, "a.test").await;
    world.ra.sweep(Orphans::All).await.unwrap();
    let ended = world.stored_order(order).await;
    assert_eq!(ended.status(START), OrderStatus::Invalid);
    let problem = ended.error(START).unwrap();
    assert_eq!(problem.kind, ProblemType::ServerInternal);
    assert!(problem.detail.contains("place a new order"), "{}", problem.detail);
}

#[tokio::test]
async fn what_another_process_works_on_is_left_until_it_has_been_silent_for_a_lease() {
    let world = World::new();
    let account = world.account().await;
    let order = orphaned_order(&world, account, "a.test").await;
    let status = async || world.stored_order(order).await.status(START);
    world.clock.advance(DAY);
    world.deps.sa.heartbeat(DEAD, world.deps.clock.now()).await.unwrap();
    world.clock.advance(30);
    world.ra.sweep(Orphans::Silent).await.unwrap();
    assert_eq!(status().await, OrderStatus::Processing);
    world.clock.advance(1);
    world.ra.sweep(Orphans::Silent).await.unwrap();
    assert_eq!(status().await, OrderStatus::Invalid);
}

#[tokio::test]
async fn what_this_process_works_on_is_never_touched() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let order = world.order(account, &["a.test"]).await;
    let id = order.authorizations[0].id;
    world.va.hold();
    world.ra.perform_validation(answer(account, id, ChallengeType::Http01)).await.unwrap();
    world.clock.advance(DAY);
    world.ra.sweep(Orphans::All).await.unwrap();
    world.va.release();
    world.quiet().await;
    assert_eq!(world.va.calls(), 1);

    world.ca.hold();
    world.finalize(account, order.order.id, csr(&["a.test"])).await.unwrap();
    world.clock.advance(DAY);
    world.ra.sweep(Orphans::All).await.unwrap();
    let now = world.deps.clock.now();
    assert_eq!(world.stored_order(order.order.id).await.status(now), OrderStatus::Processing);
    world.ca.release();
    world.quiet().await;
    assert_eq!(world.stored_order(order.order.id).await.status(now), OrderStatus::Valid);
}

#[tokio::test]
async fn an_issuance_that_died_within_this_process_is_ended_too() {
    let world = World::new();
    let account = world.account().await;
    for (death, expected) in
        [(Issuance::Dies, OrderStatus::Invalid), (Issuance::DiesAfterStoring, OrderStatus::Valid)]
    {
        let order = world.ready_order(account, &["a.test"]).await;
        world.ca.next(death);
        let answer = world.finalize(account, order, csr(&["a.test"])).await.unwrap();
        assert_eq!(answer.status(START), OrderStatus::Processing);
        world.clock.advance(60);
        world.ra.sweep(Orphans::Silent).await.unwrap();
        assert_eq!(world.stored_order(order).await.status(START), expected, "{death:?}");
    }
}

#[tokio::test]
async fn an_order_has_ended_with_its_certificate_though_nobody_heard_of_it() {
    let world = World::new();
    let account = world.account().await;
    for unknown in [ErrorKind::Conflict, ErrorKind::Internal].map(Issuance::BreaksAfterStoring) {
        let order = world.ready_order(account, &["a.test"]).await;
        world.ca.next(unknown);
        let answer = world.finalize(account, order, csr(&["a.test"])).await.unwrap();
        assert_eq!(answer.status(START), OrderStatus::Processing);
        let stored = world.stored_order(order).await;
        let OrderProgress::Issued { serial } = &stored.order.progress else {
            panic!("{unknown:?}: {stored:?}")
        };
        let certificate = world.deps.sa.certificate(serial).await.unwrap().unwrap();
        assert_eq!(certificate.der, world.ca.last_issued());
    }
}

#[tokio::test]
async fn an_orphaned_validation_is_done_again() {
    let world = World::new();
    let account = world.account().await;
    let authz = world.order(account, &["a.test"]).await.authorizations.remove(0);
    let thumbprint = world
        .deps
        .sa
        .set_authorization_processing(authz.id, ChallengeType::Dns01, DEAD, START)
        .await
        .unwrap();
    world.ra.sweep(Orphans::All).await.unwrap();
    world.quiet().await;
    let healed = world.stored_authorization(authz.id).await;
    assert!(matches!(healed.progress, AuthorizationProgress::Valid { challenge: ChallengeType::Dns01, .. }));
    let requests = world.va.requests.lock().unwrap();
    assert_eq!(requests[0].key_authorization, authz.token.key_authorization(thumbprint));
}

#[tokio::test]
async fn an_orphaned_validation_that_expired_is_not_done_again() {
    let world = World::new();
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.deps.sa.set_authorization_processing(id, ChallengeType::Http01, DEAD, START).await.unwrap();
    world.clock.advance(7 * DAY);
    world.ra.sweep(Orphans::Silent).await.unwrap();
    world.quiet().await;
    assert_eq!(world.va.calls(), 0);
    let now = world.deps.clock.now();
    assert_eq!(world.stored_authorization(id).await.status(now), AuthorizationStatus::Invalid);
}

#[tokio::test]
async fn a_sweep_begins_no_more_validations_than_may_run() {
    let world = World::with(|config| config.max_validations = 1);
    let account = world.account().await;
    for authz in world.order(account, &["a.test", "b.test"]).await.authorizations {
        world
            .deps
            .sa
            .set_authorization_processing(authz.id, ChallengeType::Http01, DEAD, START)
            .await
            .unwrap();
    }
    world.va.hold();
    world.ra.sweep(Orphans::All).await.unwrap();
    world.va.release();
    world.quiet().await;
    assert_eq!(world.va.calls(), 1);
    world.ra.sweep(Orphans::All).await.unwrap();
    world.quiet().await;
    assert_eq!(world.va.calls(), 2);
}

#[tokio::test]
async fn a_validation_cut_short_by_shutdown_is_done_by_the_next_process() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.va.hold();
    world.va.next_breaks(ErrorKind::Unavailable);
    world.ra.perform_validation(answer(account, id, ChallengeType::Http01)).await.unwrap();
    world.deps.shutdown.cancel();
    world.va.release();
    world.quiet().await;
    assert!(matches!(
        world.stored_authorization(id).await.progress,
        AuthorizationProgress::Validating { .. }
    ));

    let mut deps = world.deps.clone();
    deps.shutdown = tokio_util::sync::CancellationToken::new();
    let next = cairn_ra::Ra::new(cairn_ra::Config::default(), deps).unwrap();
    next.sweep(Orphans::All).await.unwrap();
    world.quiet().await;
    assert_eq!(world.stored_authorization(id).await.status(START), AuthorizationStatus::Valid);
}

#[tokio::test]
async fn a_process_that_was_stalled_for_a_lease_signs_nothing_for_the_orders_it_has_lost() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    world.ra.sweep(Orphans::Silent).await.unwrap();
    world.ca.hold();
    world.finalize(account, order, csr(&["a.test"])).await.unwrap();
    let other = world.another_ra();
    world.clock.advance(59);
    other.sweep(Orphans::Silent).await.unwrap();
    let status = world.stored_order(order).await.status(START);
    assert_eq!(status, OrderStatus::Processing, "a certificate may still come");
    world.clock.advance(1);
    other.sweep(Orphans::Silent).await.unwrap();
    assert_eq!(world.stored_order(order).await.status(START), OrderStatus::Invalid);
    world.ca.release();
    world.quiet().await;
    assert_eq!((world.ca.calls(), world.issued()), (1, 0));
    assert_eq!(world.stored_order(order).await.status(START), OrderStatus::Invalid);
}

#[tokio::test]
async fn of_a_stalled_process_and_the_one_that_took_its_validation_the_first_result_counts() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.ra.sweep(Orphans::Silent).await.unwrap();
    world.va.hold();
    world.ra.perform_validation(answer(account, id, ChallengeType::Http01)).await.unwrap();
    world.clock.advance(31);
    world.another_ra().sweep(Orphans::Silent).await.unwrap();
    // One of the two finds an answer and the other none.
    world.va.next_fails(refused_connection());
    world.va.release();
    world.quiet().await;
    assert_eq!(world.va.calls(), 2);
    let first = world.stored_authorization(id).await;
    let now = world.deps.clock.now();
    assert!(matches!(first.status(now), AuthorizationStatus::Valid | AuthorizationStatus::Invalid));
}

#[tokio::test]
async fn a_process_that_ends_in_order_keeps_its_lease_until_its_work_has_ended_and_leaves_none_behind() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.va.hold();
    world.ra.start_sweeper(Orphans::Silent);
    // It begins nothing before the others know of it, and whoever asks too early waits for that.
    world.ra.perform_validation(answer(account, id, ChallengeType::Http01)).await.unwrap();
    world.va.next_breaks(ErrorKind::Unavailable);
    world.deps.shutdown.cancel();
    let mut deps = world.deps.clone();
    deps.shutdown = tokio_util::sync::CancellationToken::new();
    let next = cairn_ra::Ra::new(cairn_ra::Config::default(), deps).unwrap();
    next.sweep(Orphans::Silent).await.unwrap();
    assert_eq!(world.va.calls(), 1, "it is still at work");
    world.va.release();
    world.quiet().await;
    next.sweep(Orphans::Silent).await.unwrap();
    world.quiet().await;
    assert_eq!(world.va.calls(), 2, "no lease was left");
    assert_eq!(world.stored_authorization(id).await.status(START), AuthorizationStatus::Valid);
}

#[tokio::test]
async fn the_sweeper_sweeps_when_it_starts_and_ends_with_shutdown() {
    let world = World::new();
    let account = world.account().await;
    let order = orphaned_order(&world, account, "a.test").await;
    world.ra.start_sweeper(Orphans::All);
    world.deps.shutdown.cancel();
    world.quiet().await;
    assert_eq!(world.stored_order(order).await.status(START), OrderStatus::Invalid);
}
