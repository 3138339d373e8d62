//! Workers and their leases: what one works on is left alone while it lives, and taken over by another when not.

use cairn_core::api::sa::{ProcessingOrder, RunningValidation};
use cairn_core::{AuthorizationId, ChallengeType, ErrorKind, OrderId, OrderProgress, Timestamp, WorkerId};

use crate::world::{AUTHORIZATION_END, NOW, WORKER, World, certificate, invalid, kind, problem, valid};

/// Whoever takes things in these stories.
const TAKER: WorkerId = WorkerId::from_bytes([2; 16]);
/// Later than any sign of life.
const END_OF_TIME: Timestamp = Timestamp::from_unix(i64::MAX);

async fn take_orders(world: &World, worker: WorkerId, silent_since: Timestamp) -> Vec<OrderId> {
    let taken = world.storage.take_abandoned_orders(worker, silent_since, 10).await.unwrap();
    taken.into_iter().map(|order| order.id).collect()
}

async fn take_validations(world: &World, worker: WorkerId, silent_since: Timestamp) -> Vec<AuthorizationId> {
    let taken = world.storage.take_abandoned_validations(worker, silent_since, 10).await.unwrap();
    taken.into_iter().map(|running| running.authorization.id).collect()
}

/// A stored authorization that [`WORKER`] is validating.
async fn validating(world: &World, since: Timestamp) -> AuthorizationId {
    let account = world.account().await.id;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, since).await.unwrap();
    id
}

pub(crate) async fn abandoned_orders_are_taken_oldest_first(world: World) {
    let account = world.account().await.id;
    let mut expected = Vec::new();
    for age in [5, 30, 10] {
        let since = NOW.plus(-age);
        expected.push(ProcessingOrder { id: world.processing_order(account, since).await, since });
    }
    // An intent alone is no certificate.
    world.storage.record_intent(world.intent(Some(expected[1].id))).await.unwrap();
    world.order(account, &["open.test"]).await;
    world.ready_order(account, &["ready.test"]).await;
    expected.sort_by_key(|order| order.since);
    let take = |limit| world.storage.take_abandoned_orders(TAKER, NOW, limit);
    assert_eq!(take(2).await.unwrap(), expected[..2]);
    assert_eq!(take(usize::MAX).await, Ok(expected.clone()), "what was taken comes again, to who has it");
    world.certificate(Some(expected[2].id)).await;
    assert_eq!(take(10).await.unwrap(), expected[..2]);
    world.storage.set_order_error(expected[0].id, problem()).await.unwrap();
    assert_eq!(take(10).await.unwrap(), expected[1..2]);
}

pub(crate) async fn abandoned_validations_are_taken_oldest_first_with_their_thumbprints(world: World) {
    let mut expected = Vec::new();
    for age in [5, 30, 10] {
        let account = world.account().await;
        let id = world.order(account.id, &["a.test"]).await.authorizations[0].id;
        let begun =
            world.storage.set_authorization_processing(id, ChallengeType::Dns01, WORKER, NOW.plus(-age));
        let thumbprint = begun.await.unwrap();
        let authorization = world.storage.authorization(id).await.unwrap().unwrap();
        expected.push((age, RunningValidation { authorization, thumbprint }));
    }
    expected.sort_by_key(|(age, _)| -age);
    let expected: Vec<_> = expected.into_iter().map(|(_, running)| running).collect();
    let take = |limit| world.storage.take_abandoned_validations(TAKER, NOW, limit);
    assert_eq!(take(2).await.unwrap(), expected[..2]);
    assert_eq!(take(usize::MAX).await, Ok(expected.clone()), "what was taken comes again, to who has it");
    world
        .storage
        .finalize_authorization(expected[0].authorization.id, valid(), AUTHORIZATION_END)
        .await
        .unwrap();
    world.storage.deactivate_authorization(expected[1].authorization.id, NOW).await.unwrap();
    assert_eq!(take(10).await.unwrap(), expected[2..]);
}

pub(crate) async fn what_a_living_worker_has_is_left_alone_until_it_falls_silent(world: World) {
    let account = world.account().await.id;
    // Begun long ago: only the sign of life counts.
    let order = world.processing_order(account, NOW.plus(-1000)).await;
    let authorization = validating(&world, NOW.plus(-1000)).await;
    world.storage.heartbeat(WORKER, NOW.plus(-50)).await.unwrap();
    world.storage.heartbeat(WORKER, NOW).await.unwrap();
    assert_eq!(take_orders(&world, TAKER, NOW).await, []);
    assert_eq!(take_validations(&world, TAKER, NOW).await, []);
    assert_eq!(take_orders(&world, TAKER, NOW.plus(1)).await, [order]);
    assert_eq!(take_validations(&world, TAKER, NOW.plus(1)).await, [authorization]);
}

pub(crate) async fn what_was_taken_is_the_takers_as_long_as_it_lives(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let authorization = validating(&world, NOW).await;
    world.storage.heartbeat(TAKER, NOW.plus(100)).await.unwrap();
    assert_eq!(take_orders(&world, TAKER, NOW.plus(50)).await, [order]);
    assert_eq!(take_validations(&world, TAKER, NOW.plus(50)).await, [authorization]);
    // The one that was silent is back, and a third comes.
    world.storage.heartbeat(WORKER, NOW.plus(100)).await.unwrap();
    for other in [WORKER, WorkerId::from_bytes([3; 16])] {
        assert_eq!(take_orders(&world, other, NOW.plus(100)).await, []);
        assert_eq!(take_validations(&world, other, NOW.plus(100)).await, []);
    }
}

pub(crate) async fn what_a_worker_has_itself_comes_to_it_though_it_lives(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let authorization = validating(&world, NOW).await;
    world.storage.heartbeat(WORKER, NOW).await.unwrap();
    assert_eq!(take_orders(&world, WORKER, NOW.plus(-30)).await, [order]);
    assert_eq!(take_validations(&world, WORKER, NOW.plus(-30)).await, [authorization]);
}

pub(crate) async fn a_worker_that_ends_leaves_what_it_has_at_once(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let authorization = validating(&world, NOW).await;
    world.storage.heartbeat(WORKER, NOW).await.unwrap();
    world.storage.heartbeat(TAKER, NOW).await.unwrap();
    world.storage.retire(WORKER).await.unwrap();
    world.storage.retire(WORKER).await.unwrap();
    assert_eq!(take_orders(&world, TAKER, NOW.plus(-30)).await, [order]);
    assert_eq!(take_validations(&world, TAKER, NOW.plus(-30)).await, [authorization]);
}

pub(crate) async fn an_order_that_was_given_up_gets_no_certificate(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let late = world.intent(Some(order));
    assert_eq!(take_orders(&world, TAKER, END_OF_TIME).await, [order]);
    world.storage.set_order_error(order, problem()).await.unwrap();
    // The first worker was only stalled, and goes on.
    assert_eq!(kind(world.storage.record_intent(late.clone()).await), Some(ErrorKind::Conflict));
    assert_eq!(
        kind(world.storage.add_certificate(certificate(&late.serial)).await),
        Some(ErrorKind::Conflict)
    );
    assert_eq!(world.storage.certificate(&late.serial).await, Ok(None));
}

pub(crate) async fn only_an_order_that_is_being_issued_gets_an_intent(world: World) {
    let account = world.account().await.id;
    let open = world.order(account, &["a.test"]).await.order.id;
    let ready = world.ready_order(account, &["a.test"]).await;
    let issued = world.processing_order(account, NOW).await;
    world.certificate(Some(issued)).await;
    for order in [open, ready, issued, OrderId::from_bytes([0; 16])] {
        let refused = world.storage.record_intent(world.intent(Some(order))).await;
        assert_eq!(kind(refused), Some(ErrorKind::Conflict));
    }
}

pub(crate) async fn a_certificate_that_was_signed_is_stored_even_for_an_order_that_was_given_up(
    world: World,
) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let intent = world.intent(Some(order));
    world.storage.record_intent(intent.clone()).await.unwrap();
    world.storage.set_order_error(order, problem()).await.unwrap();
    assert_eq!(world.storage.add_certificate(certificate(&intent.serial)).await, Ok(false));
    let given_up = world.storage.order(order).await.unwrap().unwrap().order.progress;
    assert_eq!(given_up, OrderProgress::Failed { problem: problem() });
}

pub(crate) async fn of_two_workers_with_the_same_validation_the_first_result_counts(world: World) {
    let id = validating(&world, NOW).await;
    assert_eq!(take_validations(&world, TAKER, END_OF_TIME).await, [id]);
    // It makes no difference whose result it is.
    world.storage.finalize_authorization(id, valid(), AUTHORIZATION_END).await.unwrap();
    let second = world.storage.finalize_authorization(id, invalid(), AUTHORIZATION_END).await;
    assert_eq!(kind(second), Some(ErrorKind::Conflict));
    let stored = world.storage.authorization(id).await.unwrap().unwrap();
    assert_eq!(stored.progress, valid());
}
