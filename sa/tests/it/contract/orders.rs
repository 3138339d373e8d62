//! Orders.

use cairn_core::api::sa::{NewOrder, SubjectKey};
use cairn_core::{
    AccountId, AuthorizationId, AuthorizationProgress, ErrorKind, Order, OrderId, OrderProgress,
    OrderWithAuthorizations, Thumbprint,
};

use crate::world::{
    AUTHORIZATION_END, KEY, NOW, ORDER_END, WORKER, World, identifiers, invalid, kind, problem, valid,
};

async fn progress(world: &World, id: OrderId) -> OrderProgress {
    world.storage.order(id).await.unwrap().unwrap().order.progress
}

pub(crate) async fn an_order_reads_back_with_its_authorizations_in_order(world: World) {
    let account = world.account().await;
    let order = world.order(account.id, &["b.test", "*.a.test", "a.test", "192.0.2.1"]).await;
    assert_eq!(world.storage.order(order.order.id).await, Ok(Some(order)));
    assert_eq!(world.storage.order(OrderId::from_bytes([0; 16])).await, Ok(None));
}

pub(crate) async fn an_order_can_share_an_authorization_that_exists(world: World) {
    let account = world.account().await;
    let first = world.order(account.id, &["a.test"]).await;
    let mut second = world.unstored_order(account.id, &["a.test", "b.test"]);
    second.order.authorizations[0] = first.authorizations[0].id;
    second.authorizations[0] = first.authorizations[0].clone();
    let new =
        NewOrder { order: second.order.clone(), new_authorizations: vec![second.authorizations[1].clone()] };
    world.storage.new_order_and_authorizations(new).await.unwrap();
    assert_eq!(world.storage.order(second.order.id).await, Ok(Some(second)));
}

pub(crate) async fn an_order_with_a_missing_or_foreign_authorization_leaves_nothing_behind(world: World) {
    let (account, other) = (world.account().await, world.account().await);
    let foreign = world.order(other.id, &["a.test"]).await.authorizations[0].id;
    for bad in [foreign, AuthorizationId::from_bytes([0; 16])] {
        let mut order = world.unstored_order(account.id, &["a.test", "b.test"]);
        order.order.authorizations[0] = bad;
        order.authorizations.remove(0);
        assert_eq!(kind(world.store(&order).await), Some(ErrorKind::Conflict));
        assert_eq!(world.storage.order(order.order.id).await, Ok(None));
        assert_eq!(world.storage.authorization(order.authorizations[0].id).await, Ok(None));
    }
}

pub(crate) async fn an_order_of_a_deactivated_or_unknown_account_is_refused(world: World) {
    let account = world.account().await;
    world.storage.deactivate_account(account.id).await.unwrap();
    for account in [account.id, AccountId::from_bytes([0; 16])] {
        let order = world.unstored_order(account, &["a.test"]);
        assert_eq!(kind(world.store(&order).await), Some(ErrorKind::Conflict));
        assert_eq!(world.storage.order(order.order.id).await, Ok(None));
    }
}

pub(crate) async fn an_order_is_stored_once(world: World) {
    let account = world.account().await;
    let order = world.order(account.id, &["a.test"]).await;
    assert_eq!(kind(world.store(&order).await), Some(ErrorKind::Conflict));
    let new = world.unstored_order(account.id, &["b.test"]);
    let same_id = OrderWithAuthorizations { order: Order { id: order.order.id, ..new.order }, ..new };
    assert_eq!(kind(world.store(&same_id).await), Some(ErrorKind::Conflict));
    assert_eq!(world.storage.authorization(same_id.authorizations[0].id).await, Ok(None));
    assert_eq!(world.storage.order(order.order.id).await, Ok(Some(order)));
}

pub(crate) async fn an_open_order_is_found_by_exactly_its_identifiers_and_profile(world: World) {
    let account = world.account().await.id;
    let other = world.account().await.id;
    let order = world.order(account, &["a.test", "b.test"]).await;
    let find = async |account, names: &[&str], profile: &str, until| {
        world.storage.order_for_identifiers(account, &identifiers(names), profile, until).await.unwrap()
    };
    let names = ["a.test", "b.test"];
    assert_eq!(find(account, &names, "default", NOW).await, Some(order.clone()));
    assert_eq!(find(account, &names, "default", ORDER_END.plus(-1)).await, Some(order));
    assert_eq!(find(account, &names, "default", ORDER_END).await, None);
    assert_eq!(find(account, &names, "short", NOW).await, None);
    assert_eq!(find(account, &["a.test"], "default", NOW).await, None);
    assert_eq!(find(account, &["a.test", "*.b.test"], "default", NOW).await, None);
    assert_eq!(find(other, &names, "default", NOW).await, None);
}

pub(crate) async fn an_order_comes_without_what_was_seen_of_its_hosts(world: World) {
    let account = world.account().await.id;
    let stored = world.order(account, &["a.test", "b.test"]).await;
    world.validate(stored.authorizations[0].id, valid()).await;
    let AuthorizationProgress::Valid { challenge, at, records } = valid() else { panic!("it is valid") };
    assert!(!records.is_empty());
    let mut expected = stored.clone();
    expected.authorizations[0] =
        world.storage.authorization(stored.authorizations[0].id).await.unwrap().unwrap();
    assert_eq!(expected.authorizations[0].progress, valid());
    expected.authorizations[0].progress = AuthorizationProgress::Valid { challenge, at, records: Vec::new() };
    assert_eq!(world.storage.order(stored.order.id).await, Ok(Some(expected.clone())));
    let asked = identifiers(&["a.test", "b.test"]);
    let found = world.storage.order_for_identifiers(account, &asked, "default", NOW).await;
    assert_eq!(found, Ok(Some(expected)));
}

pub(crate) async fn the_newest_of_several_open_orders_is_found(world: World) {
    let account = world.account().await.id;
    let mut newest = None;
    for age in [20, 10, 30] {
        let mut order = world.unstored_order(account, &["a.test"]);
        order.order.created = NOW.plus(-age);
        order.order.expires = ORDER_END.plus(-age);
        world.store(&order).await.unwrap();
        if age == 10 {
            newest = Some(order);
        }
    }
    let found = world.storage.order_for_identifiers(account, &identifiers(&["a.test"]), "default", NOW).await;
    assert_eq!(found, Ok(newest));
}

pub(crate) async fn an_order_that_is_no_longer_open_is_not_found_for_its_identifiers(world: World) {
    let account = world.account().await.id;
    let order = world.ready_order(account, &["a.test"]).await;
    let find = async || {
        let asked = identifiers(&["a.test"]);
        let found = world.storage.order_for_identifiers(account, &asked, "default", NOW).await;
        found.unwrap().map(|found| found.order.id)
    };
    assert_eq!(find().await, Some(order));
    world.storage.set_order_processing(order, KEY, WORKER, NOW).await.unwrap();
    assert_eq!(find().await, None);
    world.storage.set_order_error(order, problem()).await.unwrap();
    assert_eq!(find().await, None);
}

pub(crate) async fn only_a_ready_order_begins_to_be_issued(world: World) {
    let account = world.account().await.id;
    let order = world.order(account, &["a.test", "b.test"]).await.order;
    let begin = |at| world.storage.set_order_processing(order.id, KEY, WORKER, at);
    assert_eq!(kind(begin(NOW).await), Some(ErrorKind::Conflict), "both are pending");
    world.validate(order.authorizations[0], valid()).await;
    assert_eq!(kind(begin(NOW).await), Some(ErrorKind::Conflict), "one is pending");
    world.validate(order.authorizations[1], valid()).await;
    assert_eq!(kind(begin(ORDER_END).await), Some(ErrorKind::Conflict), "the order has expired");
    assert_eq!(progress(&world, order.id).await, OrderProgress::Open);
    begin(NOW).await.unwrap();
    assert_eq!(progress(&world, order.id).await, OrderProgress::Processing { since: NOW });
    assert_eq!(kind(begin(NOW).await), Some(ErrorKind::Conflict), "it has begun");
}

pub(crate) async fn an_order_with_an_expired_or_deactivated_authorization_is_not_ready(world: World) {
    let account = world.account().await.id;
    let mut long = world.unstored_order(account, &["a.test"]);
    long.order.expires = AUTHORIZATION_END.plus(1);
    world.store(&long).await.unwrap();
    let (order, authorization) = (long.order.id, long.authorizations[0].id);
    world.validate(authorization, valid()).await;
    let expired = world.storage.set_order_processing(order, KEY, WORKER, AUTHORIZATION_END).await;
    assert_eq!(kind(expired), Some(ErrorKind::Conflict));
    world.storage.deactivate_authorization(authorization, NOW).await.unwrap();
    assert_eq!(
        kind(world.storage.set_order_processing(order, KEY, WORKER, NOW).await),
        Some(ErrorKind::Conflict)
    );

    let failed = world.order(account, &["b.test"]).await.order;
    world.validate(failed.authorizations[0], invalid()).await;
    assert_eq!(
        kind(world.storage.set_order_processing(failed.id, KEY, WORKER, NOW).await),
        Some(ErrorKind::Conflict)
    );
}

pub(crate) async fn an_order_ends_with_its_certificate_or_its_problem_and_only_once(world: World) {
    let account = world.account().await.id;
    let open = world.ready_order(account, &["open.test"]).await;
    let (good, bad) =
        (world.processing_order(account, NOW).await, world.processing_order(account, NOW).await);
    let serial = world.certificate(Some(good)).await;
    world.storage.set_order_error(bad, problem()).await.unwrap();
    for order in [open, good, bad] {
        assert_eq!(kind(world.storage.set_order_error(order, problem()).await), Some(ErrorKind::Conflict));
    }
    assert_eq!(progress(&world, open).await, OrderProgress::Open);
    assert_eq!(progress(&world, good).await, OrderProgress::Issued { serial });
    assert_eq!(progress(&world, bad).await, OrderProgress::Failed { problem: problem() });
}

pub(crate) async fn what_does_not_exist_cannot_change(world: World) {
    let nothing = OrderId::from_bytes([0; 16]);
    assert_eq!(
        kind(world.storage.set_order_processing(nothing, KEY, WORKER, NOW).await),
        Some(ErrorKind::NotFound)
    );
    assert_eq!(kind(world.storage.set_order_error(nothing, problem()).await), Some(ErrorKind::NotFound));
}

pub(crate) async fn an_order_is_not_begun_for_a_key_that_is_blocked_or_an_accounts(world: World) {
    let account = world.account().await;
    let order = world.ready_order(account.id, &["a.test"]).await;
    world.storage.block_key([9; 32], NOW).await.unwrap();
    let blocked = SubjectKey { spki_sha256: [9; 32], ..KEY };
    let of_account = SubjectKey { thumbprint: Some(account.thumbprint()), ..KEY };
    let of_none = SubjectKey { thumbprint: Some(Thumbprint::from_bytes([9; 32])), ..KEY };
    let begin = |key| world.storage.set_order_processing(order, key, WORKER, NOW);
    assert_eq!(kind(begin(blocked).await), Some(ErrorKind::Conflict));
    assert_eq!(kind(begin(of_account).await), Some(ErrorKind::Conflict));
    assert_eq!(progress(&world, order).await, OrderProgress::Open);
    begin(of_none).await.unwrap();
}
