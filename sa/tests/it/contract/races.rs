//! Many callers at once: of changes that exclude each other one is made, and those that do not are all made.

use std::sync::Arc;

use cairn_core::api::sa::NewRevocation;
use cairn_core::{
    Account, AuthorizationProgress, ChallengeType, ErrorKind, OrderProgress, Result, Revocation, Timestamp,
    WorkerId,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::world::{AUTHORIZATION_END, KEY, NOW, WORKER, World, kind, problem, valid};

const CALLERS: usize = 16;

/// What all callers got, when each makes its call at the same moment.
async fn all_at_once<T, F>(call: impl Fn(usize) -> F) -> Vec<Result<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(CALLERS));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (call, barrier) = (call(caller), barrier.clone());
        callers.spawn(async move {
            barrier.wait().await;
            call.await
        });
    }
    callers.join_all().await
}

/// Exactly one caller succeeded, and the others were told why not.
fn one_won<T>(results: Vec<Result<T>>, others: ErrorKind) {
    let kinds: Vec<_> = results.into_iter().map(kind).collect();
    assert_eq!(kinds.iter().filter(|kind| kind.is_none()).count(), 1, "{kinds:?}");
    assert!(kinds.iter().flatten().all(|kind| *kind == others), "{kinds:?}");
}

pub(crate) async fn of_many_accounts_with_one_key_one_is_stored(world: World) {
    let key = world.unstored_account().key;
    let accounts: Vec<_> =
        (0..CALLERS).map(|_| Account { key: key.clone(), ..world.unstored_account() }).collect();
    let results = all_at_once(|caller| {
        let (storage, account) = (world.storage.clone(), accounts[caller].clone());
        async move { storage.new_account(account).await }
    })
    .await;
    let stored = world.storage.account_by_key(key.thumbprint()).await.unwrap().unwrap();
    let mut others = 0;
    for result in results {
        if let Some(existing) = result.unwrap() {
            assert_eq!(existing, stored);
            others += 1;
        }
    }
    assert_eq!(others, CALLERS - 1);
}

pub(crate) async fn one_validation_wins(world: World) {
    let account = world.account().await.id;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    let results = all_at_once(|_| {
        let storage = world.storage.clone();
        async move { storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, NOW).await }
    })
    .await;
    one_won(results, ErrorKind::Conflict);
}

pub(crate) async fn one_result_of_a_validation_wins(world: World) {
    let account = world.account().await.id;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, NOW).await.unwrap();
    let results = all_at_once(|_| {
        let storage = world.storage.clone();
        async move { storage.finalize_authorization(id, valid(), AUTHORIZATION_END).await }
    })
    .await;
    one_won(results, ErrorKind::Conflict);
}

pub(crate) async fn one_finalization_of_an_order_wins(world: World) {
    let account = world.account().await.id;
    let id = world.ready_order(account, &["a.test"]).await;
    let results = all_at_once(|_| {
        let storage = world.storage.clone();
        async move { storage.set_order_processing(id, KEY, WORKER, NOW).await }
    })
    .await;
    one_won(results, ErrorKind::Conflict);
    let serial = world.certificate(Some(id)).await;
    let stored = world.storage.order(id).await.unwrap().unwrap().order.progress;
    assert_eq!(stored, OrderProgress::Issued { serial });
}

pub(crate) async fn one_intent_for_an_order_wins(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let results = all_at_once(|_| {
        let (storage, intent) = (world.storage.clone(), world.intent(Some(order)));
        async move { storage.record_intent(intent).await }
    })
    .await;
    one_won(results, ErrorKind::Conflict);
}

pub(crate) async fn of_many_that_take_what_was_abandoned_each_gets_others(world: World) {
    let account = world.account().await.id;
    let mut expected = Vec::new();
    for age in 0..40 {
        expected.push(world.processing_order(account, NOW.plus(-age)).await);
    }
    let results = all_at_once(|caller| {
        let storage = world.storage.clone();
        async move {
            let worker = WorkerId::from_bytes([0x40 + u8::try_from(caller).unwrap(); 16]);
            storage.heartbeat(worker, NOW).await?;
            storage.take_abandoned_orders(worker, NOW, 10).await
        }
    })
    .await;
    let mut taken: Vec<_> = results.into_iter().flat_map(Result::unwrap).map(|order| order.id).collect();
    // Those that pass over what others have in hand may leave some: the next sweep takes them.
    let last = WorkerId::from_bytes([0x7f; 16]);
    taken.extend(
        world.storage.take_abandoned_orders(last, NOW, 40).await.unwrap().into_iter().map(|order| order.id),
    );
    taken.sort();
    expected.sort();
    assert_eq!(taken, expected, "each is taken, by one");
}

pub(crate) async fn of_intents_for_an_order_and_its_ends_one_of_each_wins_at_most(world: World) {
    let account = world.account().await.id;
    let order = world.processing_order(account, NOW).await;
    let results = all_at_once(|caller| {
        let (storage, intent) = (world.storage.clone(), world.intent(Some(order)));
        async move {
            if caller % 2 == 0 {
                storage.record_intent(intent).await.map(|()| "intent")
            } else {
                storage.set_order_error(order, problem()).await.map(|()| "end")
            }
        }
    })
    .await;
    let mut won: Vec<_> = results.into_iter().flatten().collect();
    won.sort_unstable();
    assert!(won == ["end"] || won == ["end", "intent"], "{won:?}");
    // Whatever came first, nothing more is signed.
    assert_eq!(kind(world.storage.record_intent(world.intent(Some(order))).await), Some(ErrorKind::Conflict));
}

pub(crate) async fn one_revocation_wins(world: World) {
    let serial = world.certificate(None).await;
    let results =
        all_at_once(|_| {
            let (storage, serial) = (world.storage.clone(), serial.clone());
            let revocation = Revocation { at: NOW, reason: None };
            async move {
                storage.revoke_certificate(NewRevocation { serial, revocation, blocked_key: None }).await
            }
        })
        .await;
    one_won(results, ErrorKind::AlreadyRevoked);
}

pub(crate) async fn of_deactivations_one_wins_and_has_the_last_word(world: World) {
    let account = world.account().await.id;
    let id = world.order(account, &["a.test"]).await.authorizations[0].id;
    let results = all_at_once(|caller| {
        let storage = world.storage.clone();
        async move {
            if caller % 2 == 0 {
                storage.finalize_authorization(id, valid(), AUTHORIZATION_END).await.map(|()| "end")
            } else {
                storage.deactivate_authorization(id, NOW).await.map(|_| "deactivation")
            }
        }
    })
    .await;
    let mut won: Vec<_> = results.into_iter().flatten().collect();
    won.sort_unstable();
    assert!(won == ["deactivation"] || won == ["deactivation", "end"], "{won:?}");
    let stored = world.storage.authorization(id).await.unwrap().unwrap().progress;
    assert_eq!(stored, AuthorizationProgress::Deactivated { at: NOW });
}

pub(crate) async fn changes_that_fail_do_not_disturb_those_beside_them(world: World) {
    let account = world.account().await.id;
    let existing = world.order(account, &["a.test"]).await;
    let orders: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let mut order = world.unstored_order(account, &["a.test", "b.test"]);
            if caller % 2 == 1 {
                // Fails at its last statement, when the authorizations are already inserted.
                order.order.id = existing.order.id;
            }
            order.order.created = Timestamp::from_unix(i64::try_from(caller).unwrap());
            order
        })
        .collect();
    let world = Arc::new(world);
    let results = all_at_once(|caller| {
        let (world, order) = (world.clone(), orders[caller].clone());
        async move { world.store(&order).await.map(|()| order.order.id) }
    })
    .await;
    let stored = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(stored, CALLERS / 2, "{results:?}");
    for order in orders {
        let kept = order.order.id != existing.order.id;
        let found = world.storage.order(order.order.id).await.unwrap();
        assert_eq!(found.as_ref() == Some(&order), kept);
        for authorization in order.authorizations {
            assert_eq!(world.storage.authorization(authorization.id).await.unwrap().is_some(), kept);
        }
    }
}
