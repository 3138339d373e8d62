//! Letting go of what ended long ago.

use cairn_core::api::sa::{NewOrder, NewRevocation};
use cairn_core::{AuthorizationId, ErrorKind, OrderId, Revocation, Timestamp};
use cairn_sa::prune::{Ends, Pruned};

use crate::world::{AUTHORIZATION_END, KEY, NOW, ORDER_END, WORKER, World, kind, problem, valid};

/// Ends before which orders go.
fn orders(end: Timestamp) -> Ends {
    Ends { orders: Some(end), certificates: None }
}

/// Later than any end.
const END_OF_TIME: Timestamp = Timestamp::from_unix(i64::from_be_bytes([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
const ALL: Ends = Ends { orders: Some(END_OF_TIME), certificates: Some(END_OF_TIME) };

/// Prunes until nothing is left to do.
async fn prune(world: &World, ends: Ends) -> Pruned {
    let mut all = Pruned::default();
    loop {
        let pruned = world.storage.prune(ends).await.unwrap();
        if pruned == Pruned::default() {
            return all;
        }
        all.orders += pruned.orders;
        all.authorizations += pruned.authorizations;
        all.certificates += pruned.certificates;
    }
}

async fn has_order(world: &World, id: OrderId) -> bool {
    world.storage.order(id).await.unwrap().is_some()
}

async fn has_authorization(world: &World, id: AuthorizationId) -> bool {
    world.storage.authorization(id).await.unwrap().is_some()
}

pub(crate) async fn an_order_goes_some_time_after_its_end_whatever_became_of_it(world: World) {
    let account = world.account().await.id;
    let open = world.order(account, &["a.test"]).await.order.id;
    let ready = world.ready_order(account, &["b.test"]).await;
    let failed = world.processing_order(account, NOW).await;
    world.storage.set_order_error(failed, problem()).await.unwrap();
    let issued = world.processing_order(account, NOW).await;
    let serial = world.certificate(Some(issued)).await;

    assert_eq!(prune(&world, orders(ORDER_END)).await, Pruned::default());
    for order in [open, ready, failed, issued] {
        assert!(has_order(&world, order).await);
    }
    assert_eq!(prune(&world, orders(ORDER_END.plus(1))).await, Pruned { orders: 4, ..Pruned::default() });
    for order in [open, ready, failed, issued] {
        assert!(!has_order(&world, order).await);
    }
    assert!(world.storage.certificate(&serial).await.unwrap().is_some());
}

pub(crate) async fn an_order_that_is_being_issued_stays(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    assert_eq!(prune(&world, ALL).await, Pruned::default());
    world.certificate(Some(order)).await;
    assert_eq!(prune(&world, ALL).await, Pruned { orders: 1, authorizations: 1, certificates: 1 });
}

pub(crate) async fn an_authorization_stays_as_long_as_an_order_that_is_kept_could_name_it(world: World) {
    let account = world.account().await.id;
    let first = world.order(account, &["a.test"]).await;
    let shared = first.authorizations[0].id;
    world.validate(shared, valid()).await;
    // The last moment at which an order can name it; and this order is kept for long.
    let mut second = world.unstored_order_at(AUTHORIZATION_END.plus(-1), account, &["a.test"]);
    second.order.authorizations = vec![shared];
    second.order.expires = AUTHORIZATION_END.plus(1000);
    let new = NewOrder { order: second.order.clone(), new_authorizations: vec![] };
    world.storage.new_order_and_authorizations(new).await.unwrap();

    let gone = prune(&world, orders(second.order.expires)).await;
    assert_eq!(gone, Pruned { orders: 1, ..Pruned::default() });
    let kept = world.storage.order(second.order.id).await.unwrap().unwrap();
    assert_eq!(kept.authorizations[0].id, shared);

    let gone = prune(&world, orders(second.order.expires.plus(1))).await;
    assert_eq!(gone, Pruned { orders: 1, authorizations: 1, certificates: 0 });
    assert!(!has_authorization(&world, shared).await);

    // An order that could not name it does not keep it; one at its very end does.
    for (placed, authorizations) in [(AUTHORIZATION_END, 0), (AUTHORIZATION_END.plus(1), 1)] {
        let old = world.order(account, &["b.test"]).await.order;
        let mut young = world.unstored_order_at(placed, account, &["c.test"]);
        young.order.expires = END_OF_TIME.plus(-1);
        young.authorizations[0].expires = END_OF_TIME.plus(-1);
        world.store(&young).await.unwrap();
        let gone = prune(&world, orders(AUTHORIZATION_END.plus(1))).await;
        assert_eq!(gone, Pruned { orders: 1, authorizations, certificates: 0 }, "{placed}");
        assert_eq!(has_authorization(&world, old.authorizations[0]).await, authorizations == 0);
        prune(&world, ALL).await;
    }
}

pub(crate) async fn a_validation_that_runs_stays(world: World) {
    let account = world.account().await.id;
    let authorization = world.order(account, &["a.test"]).await.authorizations[0].id;
    let http = cairn_core::ChallengeType::Http01;
    world.storage.set_authorization_processing(authorization, http, WORKER, NOW).await.unwrap();
    assert_eq!(prune(&world, ALL).await, Pruned { orders: 1, ..Pruned::default() });
    world.storage.finalize_authorization(authorization, valid(), AUTHORIZATION_END).await.unwrap();
    assert_eq!(prune(&world, ALL).await, Pruned { authorizations: 1, ..Pruned::default() });
}

pub(crate) async fn a_certificate_goes_with_its_intent_and_after_its_order(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let serial = world.certificate(Some(order)).await;
    let listener = world.certificate(None).await;
    let end = crate::world::certificate(&serial).not_after;
    let certificates = |end| Ends { orders: None, certificates: Some(end) };

    assert_eq!(prune(&world, certificates(end)).await, Pruned::default());
    let gone = prune(&world, certificates(end.plus(1))).await;
    assert_eq!(gone, Pruned { certificates: 1, ..Pruned::default() }, "one has an order");
    assert!(world.storage.certificate(&serial).await.unwrap().is_some());
    assert_eq!(world.storage.certificate(&listener).await, Ok(None));

    prune(&world, orders(ORDER_END.plus(1))).await;
    let gone = prune(&world, certificates(end.plus(1))).await;
    assert_eq!(gone, Pruned { certificates: 1, ..Pruned::default() });
    assert_eq!(world.storage.certificate(&serial).await, Ok(None));
    // The intents are gone too: nothing could be stored for them a second time.
    for serial in [serial, listener] {
        let again = world.storage.add_certificate(crate::world::certificate(&serial)).await;
        assert_eq!(kind(again), Some(ErrorKind::Conflict));
    }
}

pub(crate) async fn an_intent_without_a_certificate_stays(world: World) {
    let intent = world.intent(None);
    world.storage.record_intent(intent.clone()).await.unwrap();
    assert_eq!(prune(&world, ALL).await, Pruned::default());
    assert_eq!(kind(world.storage.record_intent(intent.clone()).await), Some(ErrorKind::Conflict));
    world.storage.add_certificate(crate::world::certificate(&intent.serial)).await.unwrap();
}

pub(crate) async fn what_is_kept_for_ever_stays(world: World) {
    let account = world.account().await;
    let order = world.order(account.id, &["a.test"]).await;
    let serial = world.certificate(None).await;
    let revocation = Revocation { at: NOW, reason: None };
    let new = NewRevocation { serial: serial.clone(), revocation, blocked_key: Some([7; 32]) };
    world.storage.revoke_certificate(new).await.unwrap();
    assert_eq!(prune(&world, Ends { orders: None, certificates: None }).await, Pruned::default());
    assert_eq!(world.storage.order(order.order.id).await, Ok(Some(order)));
    assert!(world.storage.certificate(&serial).await.unwrap().is_some());

    prune(&world, ALL).await;
    assert_eq!(world.storage.certificate(&serial).await, Ok(None));
    assert_eq!(world.storage.key_blocked([7; 32]).await, Ok(true));
    assert_eq!(world.storage.account(account.id).await, Ok(Some(account.clone())));
    assert_eq!(world.storage.account_by_key(account.thumbprint()).await, Ok(Some(account)));
}

/// How many a batch takes of a table at most.
const BATCH: u64 = 100;

async fn place(world: &World, count: u64) -> Vec<OrderId> {
    let account = world.account().await.id;
    let mut placed = Vec::new();
    for age in (0..i64::try_from(count).unwrap()).rev() {
        let order = world.unstored_order_at(NOW.plus(-age), account, &["a.test"]);
        world.store(&order).await.unwrap();
        placed.push(order.order.id);
    }
    placed
}

pub(crate) async fn a_batch_is_small_and_the_oldest_go_first(world: World) {
    let placed = place(&world, BATCH + 1).await;
    world.certificate(None).await;
    let gone = world.storage.prune(ALL).await.unwrap();
    assert_eq!((gone.orders, gone.certificates), (BATCH, 1));
    for (number, order) in placed.iter().enumerate() {
        assert_eq!(has_order(&world, *order).await, number == placed.len() - 1);
    }
    let gone = world.storage.prune(ALL).await.unwrap();
    assert_eq!((gone.orders, gone.certificates), (1, 0));
}

pub(crate) async fn of_several_that_prune_at_once_each_row_goes_once_and_nobody_waits(world: World) {
    place(&world, 2 * BATCH).await;
    let both = || async { tokio::join!(prune(&world, ALL), prune(&world, ALL)) };
    let (one, other) = both().await;
    let (three, four) = both().await;
    let sum = |count: fn(&Pruned) -> u64| [one, other, three, four].iter().map(count).sum::<u64>();
    assert_eq!(sum(|pruned| pruned.orders), 2 * BATCH);
    assert_eq!(sum(|pruned| pruned.authorizations), 2 * BATCH);
}

pub(crate) async fn what_was_pruned_is_as_what_never_was(world: World) {
    let account = world.account().await.id;
    let order = world.ready_order(account, &["a.test"]).await;
    let authorization = world.storage.order(order).await.unwrap().unwrap().authorizations[0].id;
    let serial = world.certificate(None).await;
    prune(&world, ALL).await;
    assert_eq!(world.storage.order(order).await, Ok(None));
    assert_eq!(world.storage.authorization(authorization).await, Ok(None));
    let storage = &world.storage;
    assert_eq!(kind(storage.set_order_processing(order, KEY, WORKER, NOW).await), Some(ErrorKind::NotFound));
    assert_eq!(kind(storage.deactivate_authorization(authorization, NOW).await), Some(ErrorKind::NotFound));
    let revocation = Revocation { at: NOW, reason: None };
    let revoked = storage.revoke_certificate(NewRevocation { serial, revocation, blocked_key: None }).await;
    assert_eq!(kind(revoked), Some(ErrorKind::NotFound));
    let mut late = world.unstored_order(account, &["a.test"]);
    late.order.authorizations = vec![authorization];
    late.authorizations = vec![];
    assert_eq!(kind(world.store(&late).await), Some(ErrorKind::Conflict));
}

pub(crate) async fn what_says_who_replaces_a_certificate_goes_with_it_and_a_claim_that_came_to_nothing_with_its_order(
    world: World,
) {
    let account = world.account().await.id;
    let claimed = async |serial: &cairn_core::Serial| {
        let mut order = world.unstored_order(account, &["a.test"]);
        let issuer = cairn_core::IssuerId::from_bytes([5; 20]);
        order.order.replaces = Some(cairn_core::CertificateId { issuer, serial: serial.clone() });
        world.store(&order).await.unwrap();
        order
    };
    let [given_up, replaced] = [world.certificate(None).await, world.certificate(None).await];
    claimed(&given_up).await;
    let issued = claimed(&replaced).await;
    world.validate(issued.authorizations[0].id, valid()).await;
    world.storage.set_order_processing(issued.order.id, KEY, WORKER, NOW).await.unwrap();
    world.certificate(Some(issued.order.id)).await;
    let incident = crate::contract::incidents::incident(1);
    world.storage.new_incident(incident.clone()).await.unwrap();
    let entries = vec![crate::contract::incidents::entry(&replaced, 1)];
    world.storage.add_incident_certificates(incident.id, entries).await.unwrap();

    assert_eq!(prune(&world, orders(ORDER_END.plus(1))).await.orders, 2);
    assert_eq!(world.storage.replacement(&given_up).await, Ok(None), "it came to nothing");
    assert_eq!(world.storage.replacement(&replaced).await, Ok(Some(issued.order.id)));
    let mut again = world.unstored_order(account, &["a.test"]);
    again.order.replaces = issued.order.replaces.clone();
    assert_eq!(kind(world.store(&again).await), Some(ErrorKind::Conflict), "it was replaced once");

    assert_eq!(prune(&world, ALL).await.certificates, 3);
    assert_eq!(world.storage.replacement(&replaced).await, Ok(None));
    assert_eq!(world.storage.incident_certificates(incident.id, &[], 10).await, Ok(Vec::new()));
    assert!(
        world.storage.stored_incident(incident.id).await.unwrap().is_some(),
        "what happened is remembered"
    );
}
