//! RFC 8555 §7.5.1 and §7.5.2.

use cairn_core::api::RegistrationAuthority;
use cairn_core::{
    AuthorizationId, AuthorizationProgress, AuthorizationStatus, ChallengeType, ErrorKind, OrderStatus,
    Period, ProblemType,
};

use crate::world::{DAY, SIGNER, START, World, answer, kind, refused_connection};

use ChallengeType::{Dns01, Http01, TlsAlpn01};

fn problem_of(progress: &AuthorizationProgress) -> ProblemType {
    match progress {
        AuthorizationProgress::Invalid { problem, .. } => problem.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_quick_validation_is_final_in_the_first_answer() {
    let world = World::new();
    let account = world.account().await;
    let order = world.order(account, &["a.test"]).await;
    let id = order.authorizations[0].id;
    let authz = world.ra.perform_validation(answer(account, id, TlsAlpn01)).await.unwrap();
    assert!(matches!(authz.progress, AuthorizationProgress::Valid { challenge: TlsAlpn01, .. }));
    assert_eq!(authz.expires, START.plus(30 * DAY));
    assert_eq!(world.stored_authorization(id).await, authz);
    assert_eq!(world.stored_order(order.order.id).await.status(START), OrderStatus::Ready);
}

#[tokio::test]
async fn a_slow_validation_goes_on_behind_the_answer() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.va.hold();
    let authz = world.ra.perform_validation(answer(account, id, Http01)).await.unwrap();
    assert_eq!(authz.progress, AuthorizationProgress::Validating { challenge: Http01, since: START });
    assert_eq!(authz.status(START), AuthorizationStatus::Pending);
    world.va.release();
    world.quiet().await;
    assert_eq!(world.stored_authorization(id).await.status(START), AuthorizationStatus::Valid);
}

#[tokio::test]
async fn the_validation_authority_looks_for_the_authorization_by_the_key_that_signed() {
    let world = World::new();
    let account = world.account().await;
    let authz = world.order(account, &["*.a.test"]).await.authorizations.remove(0);
    world.ra.perform_validation(answer(account, authz.id, Dns01)).await.unwrap();
    let requests = world.va.requests.lock().unwrap();
    assert_eq!(requests[0].identifier.to_string(), "a.test");
    assert_eq!(requests[0].challenge, Dns01);
    assert_eq!(requests[0].key_authorization, authz.token.key_authorization(SIGNER));
}

#[tokio::test]
async fn a_failed_validation_makes_authorization_and_order_invalid() {
    let world = World::new();
    let account = world.account().await;
    let order = world.order(account, &["a.test", "b.test"]).await;
    world.va.next_fails(refused_connection());
    let authz = &order.authorizations[0];
    let failed = world.ra.perform_validation(answer(account, authz.id, Http01)).await.unwrap();
    assert_eq!(problem_of(&failed.progress), ProblemType::Connection);
    assert_eq!(failed.expires, authz.expires);
    let order = world.stored_order(order.order.id).await;
    assert_eq!(order.status(START), OrderStatus::Invalid);
    assert_eq!(order.error(START).unwrap().kind, ProblemType::Connection);
}

#[tokio::test]
async fn a_second_answer_changes_nothing() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.va.hold();
    let first = world.ra.perform_validation(answer(account, id, Http01)).await.unwrap();
    let second = world.ra.perform_validation(answer(account, id, Dns01)).await.unwrap();
    assert_eq!(second, first);
    world.va.release();
    world.quiet().await;
    let third = world.ra.perform_validation(answer(account, id, Dns01)).await.unwrap();
    assert!(matches!(third.progress, AuthorizationProgress::Valid { challenge: Http01, .. }));
    assert_eq!(world.va.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_answers_start_one_validation_in_each_process_at_most() {
    let world = World::new();
    let another = world.another_ra();
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    let request = answer(account, id, Http01);
    let (a, b, c) = tokio::join!(
        world.ra.perform_validation(request),
        another.perform_validation(request),
        world.ra.perform_validation(request)
    );
    assert!([a, b, c].iter().all(Result::is_ok));
    world.quiet().await;
    assert!((1..=2).contains(&world.va.calls()), "{}", world.va.calls());
    assert_eq!(world.stored_authorization(id).await.status(START), AuthorizationStatus::Valid);
}

#[tokio::test]
async fn anothers_authorization_looks_like_none() {
    let world = World::new();
    let (owner, stranger) = (world.account().await, world.account().await);
    let id = world.order(owner, &["a.test"]).await.authorizations[0].id;
    let anothers = world.ra.perform_validation(answer(stranger, id, Http01)).await.unwrap_err();
    let unknown = AuthorizationId::from_bytes([9; 16]);
    let none = world.ra.perform_validation(answer(stranger, unknown, Http01)).await.unwrap_err();
    assert_eq!(anothers.kind, ErrorKind::NotFound);
    assert_eq!(anothers, none);
    assert_eq!(kind(world.ra.deactivate_authorization(stranger, id).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_challenge_that_is_not_offered_is_not_found() {
    let world = World::new();
    let account = world.account().await;
    let id = world.order(account, &["*.a.test"]).await.authorizations[0].id;
    assert_eq!(kind(world.ra.perform_validation(answer(account, id, Http01)).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_expired_authorization_cannot_be_attempted() {
    let world = World::new();
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.clock.advance(7 * DAY);
    let error = world.ra.perform_validation(answer(account, id, Http01)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed);
    assert!(error.detail.contains("expired"), "{}", error.detail);
    assert_eq!(world.va.calls(), 0);
}

#[tokio::test]
async fn a_challenge_that_was_switched_off_cannot_be_attempted() {
    let world = World::new();
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    let policy = cairn_pa::Config { challenges: vec![Dns01], ..cairn_pa::Config::default() };
    let mut deps = world.deps.clone();
    deps.pa = std::sync::Arc::new(cairn_pa::Pa::new(policy).unwrap());
    let stricter = cairn_ra::Ra::new(cairn_ra::Config::default(), deps).unwrap();
    let error = stricter.perform_validation(answer(account, id, Http01)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed);
    assert!(error.detail.contains("http-01"), "{}", error.detail);
}

#[tokio::test]
async fn beyond_the_bound_nothing_is_begun() {
    let world = World::with(|config| {
        config.answer_grace = Period::from_millis(1);
        config.max_validations = 1;
    });
    let account = world.account().await;
    let order = world.order(account, &["a.test", "b.test"]).await;
    let [first, second] = [order.authorizations[0].id, order.authorizations[1].id];
    world.va.hold();
    world.ra.perform_validation(answer(account, first, Http01)).await.unwrap();
    assert_eq!(
        kind(world.ra.perform_validation(answer(account, second, Http01)).await),
        ErrorKind::Unavailable
    );
    assert_eq!(world.stored_authorization(second).await.progress, AuthorizationProgress::Pending);
    world.va.release();
    world.quiet().await;
    assert!(world.ra.perform_validation(answer(account, second, Http01)).await.is_ok());
}

#[tokio::test]
async fn a_fault_of_ours_is_tried_again() {
    let world = World::new();
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.va.next_breaks(ErrorKind::Internal);
    world.va.next_breaks(ErrorKind::Unavailable);
    let authz = world.ra.perform_validation(answer(account, id, Http01)).await.unwrap();
    assert_eq!(authz.status(START), AuthorizationStatus::Valid);
    assert_eq!(world.va.calls(), 3);
}

#[tokio::test]
async fn a_lasting_fault_of_ours_fails_the_challenge_and_says_whose_fault_it_is() {
    let world = World::new();
    let account = world.account().await;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    (0..4).for_each(|_| world.va.next_breaks(ErrorKind::Internal));
    let authz = world.ra.perform_validation(answer(account, id, Http01)).await.unwrap();
    assert_eq!(problem_of(&authz.progress), ProblemType::ServerInternal);
    assert_eq!(world.va.calls(), 4);
}

#[tokio::test]
async fn shutdown_finishes_running_validations_and_those_that_were_asked_for_when_it_began() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let order = world.order(account, &["a.test", "b.test"]).await;
    let [first, second] = [order.authorizations[0].id, order.authorizations[1].id];
    world.va.hold();
    world.ra.perform_validation(answer(account, first, Http01)).await.unwrap();
    world.deps.shutdown.cancel();
    world.ra.perform_validation(answer(account, second, Http01)).await.unwrap();
    world.va.release();
    world.quiet().await;
    assert_eq!(world.stored_authorization(first).await.status(START), AuthorizationStatus::Valid);
    assert_eq!(world.stored_authorization(second).await.status(START), AuthorizationStatus::Valid);
}

#[tokio::test]
async fn an_authorization_that_is_given_up_stays_so() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let order = world.order(account, &["a.test"]).await;
    let id = order.authorizations[0].id;
    world.va.hold();
    world.ra.perform_validation(answer(account, id, Http01)).await.unwrap();
    let given_up = world.ra.deactivate_authorization(account, id).await.unwrap();
    assert_eq!(given_up.status(START), AuthorizationStatus::Deactivated);
    world.va.release();
    world.quiet().await;
    assert_eq!(world.stored_authorization(id).await, given_up);
    assert_eq!(
        world.ra.deactivate_authorization(account, id).await.unwrap(),
        given_up,
        "also the second time"
    );
    assert_eq!(world.ra.perform_validation(answer(account, id, Http01)).await.unwrap(), given_up);
    assert_eq!(world.stored_order(order.order.id).await.status(START), OrderStatus::Invalid);
}
