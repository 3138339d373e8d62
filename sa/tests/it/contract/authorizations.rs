//! Authorizations and their validation.

use cairn_core::{
    Authorization, AuthorizationId, AuthorizationProgress, ChallengeType, ErrorKind, Timestamp,
};

use crate::world::{AUTHORIZATION_END, NOW, WORKER, World, identifier, identifiers, invalid, kind, valid};

/// A stored account and its stored, pending authorization for `a.test`.
async fn pending(world: &World) -> Authorization {
    let account = world.account().await;
    world.order(account.id, &["a.test"]).await.authorizations.remove(0)
}

async fn progress(world: &World, id: AuthorizationId) -> AuthorizationProgress {
    world.storage.authorization(id).await.unwrap().unwrap().progress
}

pub(crate) async fn an_authorization_reads_back_as_it_was_stored(world: World) {
    let account = world.account().await;
    let order = world.order(account.id, &["*.a.test", "a.test", "192.0.2.1", "2001:db8::1"]).await;
    for authorization in order.authorizations {
        assert_eq!(world.storage.authorization(authorization.id).await, Ok(Some(authorization)));
    }
    assert_eq!(world.storage.authorization(AuthorizationId::from_bytes([0; 16])).await, Ok(None));
}

pub(crate) async fn a_validation_gives_the_thumbprint_of_the_accounts_key(world: World) {
    let authorization = pending(&world).await;
    let account = world.storage.account(authorization.account).await.unwrap().unwrap();
    let begun =
        world.storage.set_authorization_processing(authorization.id, ChallengeType::Dns01, WORKER, NOW).await;
    assert_eq!(begun, Ok(account.thumbprint()));
    let validating = AuthorizationProgress::Validating { challenge: ChallengeType::Dns01, since: NOW };
    assert_eq!(progress(&world, authorization.id).await, validating);
}

pub(crate) async fn a_validation_begins_only_once(world: World) {
    let id = pending(&world).await.id;
    let nothing = AuthorizationId::from_bytes([0; 16]);
    let begin = |id| world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, NOW);
    begin(id).await.unwrap();
    assert_eq!(kind(begin(id).await), Some(ErrorKind::Conflict));
    assert_eq!(kind(begin(nothing).await), Some(ErrorKind::NotFound));
    world.storage.finalize_authorization(id, valid(), AUTHORIZATION_END).await.unwrap();
    assert_eq!(kind(begin(id).await), Some(ErrorKind::Conflict));
    assert_eq!(progress(&world, id).await, valid());
}

pub(crate) async fn an_expired_authorization_is_not_validated(world: World) {
    let id = pending(&world).await.id;
    let begin = |at| world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, at);
    assert_eq!(kind(begin(AUTHORIZATION_END).await), Some(ErrorKind::Conflict));
    assert_eq!(progress(&world, id).await, AuthorizationProgress::Pending);
    assert!(begin(AUTHORIZATION_END.plus(-1)).await.is_ok());
}

pub(crate) async fn a_validation_for_a_deactivated_account_is_refused_and_leaves_the_authorization_pending(
    world: World,
) {
    let authorization = pending(&world).await;
    world.storage.deactivate_account(authorization.account).await.unwrap();
    let begun = world
        .storage
        .set_authorization_processing(authorization.id, ChallengeType::Http01, WORKER, NOW)
        .await;
    assert_eq!(kind(begun), Some(ErrorKind::Conflict));
    assert_eq!(progress(&world, authorization.id).await, AuthorizationProgress::Pending);
}

pub(crate) async fn a_validation_ends_as_valid_or_invalid_with_its_facts(world: World) {
    for result in [valid(), invalid()] {
        let authorization = pending(&world).await;
        let (id, expires) = (authorization.id, NOW.plus(77));
        world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, NOW).await.unwrap();
        world.storage.finalize_authorization(id, result.clone(), expires).await.unwrap();
        let expected = Authorization { progress: result, expires, ..authorization };
        assert_eq!(world.storage.authorization(id).await, Ok(Some(expected)));
    }
}

pub(crate) async fn a_validation_that_has_ended_cannot_end_again(world: World) {
    let id = pending(&world).await.id;
    let end = |id, progress| world.storage.finalize_authorization(id, progress, AUTHORIZATION_END);
    assert_eq!(kind(end(AuthorizationId::from_bytes([0; 16]), valid()).await), Some(ErrorKind::NotFound));
    world.validate(id, invalid()).await;
    assert_eq!(kind(end(id, valid()).await), Some(ErrorKind::Conflict));
    assert_eq!(progress(&world, id).await, invalid());
}

pub(crate) async fn a_validation_may_end_before_anybody_was_told_that_it_had_begun(world: World) {
    let id = pending(&world).await.id;
    world.storage.finalize_authorization(id, valid(), AUTHORIZATION_END).await.unwrap();
    assert_eq!(progress(&world, id).await, valid());
    let late = world.storage.set_authorization_processing(id, ChallengeType::Dns01, WORKER, NOW).await;
    assert_eq!(kind(late.map(drop)), Some(ErrorKind::Conflict));
}

pub(crate) async fn a_validation_cannot_end_as_anything_else(world: World) {
    let id = pending(&world).await.id;
    world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, NOW).await.unwrap();
    let validating = progress(&world, id).await;
    for other in
        [AuthorizationProgress::Pending, validating.clone(), AuthorizationProgress::Deactivated { at: NOW }]
    {
        let ended = world.storage.finalize_authorization(id, other, AUTHORIZATION_END).await;
        assert_eq!(kind(ended), Some(ErrorKind::Internal));
    }
    assert_eq!(progress(&world, id).await, validating);
}

pub(crate) async fn an_authorization_deactivated_during_validation_stays_deactivated(world: World) {
    let id = pending(&world).await.id;
    world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, NOW).await.unwrap();
    world.storage.deactivate_authorization(id, NOW).await.unwrap();
    let ended = world.storage.finalize_authorization(id, valid(), AUTHORIZATION_END).await;
    assert_eq!(kind(ended), Some(ErrorKind::Conflict));
    assert_eq!(progress(&world, id).await, AuthorizationProgress::Deactivated { at: NOW });
    let taken = world.storage.take_abandoned_validations(WORKER, NOW, 10).await;
    assert_eq!(taken, Ok(vec![]));
}

pub(crate) async fn an_open_or_valid_authorization_can_be_deactivated_and_a_final_one_not(world: World) {
    let (open, done, failed) = (pending(&world).await, pending(&world).await, pending(&world).await);
    world.validate(done.id, valid()).await;
    world.validate(failed.id, invalid()).await;
    for authorization in [open, done] {
        let expected =
            Authorization { progress: AuthorizationProgress::Deactivated { at: NOW }, ..authorization };
        let deactivated = world.storage.deactivate_authorization(expected.id, NOW).await;
        assert_eq!(deactivated, Ok(expected.clone()));
        assert_eq!(world.storage.authorization(expected.id).await, Ok(Some(expected.clone())));
        let again = world.storage.deactivate_authorization(expected.id, NOW).await;
        assert_eq!(kind(again), Some(ErrorKind::Conflict));
    }
    assert_eq!(kind(world.storage.deactivate_authorization(failed.id, NOW).await), Some(ErrorKind::Conflict));
    assert_eq!(progress(&world, failed.id).await, invalid());
    let nothing = AuthorizationId::from_bytes([0; 16]);
    assert_eq!(kind(world.storage.deactivate_authorization(nothing, NOW).await), Some(ErrorKind::NotFound));
}

pub(crate) async fn valid_authorizations_answer_each_identifier_in_its_place(world: World) {
    let account = world.account().await.id;
    let order = world.order(account, &["*.a.test", "a.test", "b.test"]).await;
    for authorization in &order.authorizations {
        if authorization.identifier == identifier("a.test") {
            world.validate(authorization.id, valid()).await;
        }
    }
    let asked = identifiers(&["c.test", "a.test", "*.a.test", "b.test", "*.b.test"]);
    let found = world.storage.valid_authorizations(account, &asked, NOW).await.unwrap();
    assert_eq!(found.len(), asked.len());
    for (identifier, found) in asked.iter().zip(found) {
        let serves = order.authorizations.iter().find(|authorization| authorization.serves(identifier));
        let expected = serves.filter(|authorization| authorization.identifier != self::identifier("b.test"));
        assert_eq!(found.map(|found| found.id), expected.map(|expected| expected.id), "{identifier}");
    }
    assert_eq!(world.storage.valid_authorizations(account, &[], NOW).await, Ok(vec![]));
}

pub(crate) async fn the_valid_authorization_that_expires_last_is_given(world: World) {
    let account = world.account().await.id;
    let mut ids = Vec::new();
    for end in [100, 300, 200] {
        let id = world.order(account, &["a.test"]).await.order.authorizations[0];
        world.storage.set_authorization_processing(id, ChallengeType::Http01, WORKER, NOW).await.unwrap();
        world.storage.finalize_authorization(id, valid(), NOW.plus(end)).await.unwrap();
        ids.push(id);
    }
    let asked = identifiers(&["a.test"]);
    let best = async |until: Timestamp| {
        let mut found = world.storage.valid_authorizations(account, &asked, until).await.unwrap();
        found.remove(0).map(|authorization| authorization.id)
    };
    assert_eq!(best(NOW).await, Some(ids[1]));
    assert_eq!(best(NOW.plus(299)).await, Some(ids[1]));
    assert_eq!(best(NOW.plus(300)).await, None, "one that ends then does not last until after it");
    world.storage.deactivate_authorization(ids[1], NOW).await.unwrap();
    assert_eq!(best(NOW).await, Some(ids[2]));
}

pub(crate) async fn another_accounts_authorizations_are_not_given(world: World) {
    let authorization = pending(&world).await;
    world.validate(authorization.id, valid()).await;
    let other = world.account().await.id;
    let found = world.storage.valid_authorizations(other, &identifiers(&["a.test"]), NOW).await;
    assert_eq!(found, Ok(vec![None]));
}
