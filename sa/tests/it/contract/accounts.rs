//! Accounts.

use cairn_core::{Account, AccountId, AccountStatus, ErrorKind};

use crate::world::{World, kind};

pub(crate) async fn an_account_is_found_by_its_id_and_by_its_key(world: World) {
    let account = world.account().await;
    let other = world.unstored_account();
    let storage = &world.storage;
    storage.ping().await.unwrap();
    assert_eq!(storage.account(account.id).await.unwrap(), Some(account.clone()));
    assert_eq!(storage.account_by_key(account.thumbprint()).await.unwrap(), Some(account));
    assert_eq!(storage.account(other.id).await.unwrap(), None);
    assert_eq!(storage.account_by_key(other.thumbprint()).await.unwrap(), None);
}

pub(crate) async fn a_second_account_with_the_same_key_is_not_stored_and_the_first_comes_back(world: World) {
    let first = world.account().await;
    let second = Account { key: first.key.clone(), contact: vec![], ..world.unstored_account() };
    assert_eq!(world.storage.new_account(second.clone()).await, Ok(Some(first)));
    assert_eq!(world.storage.account(second.id).await, Ok(None));
}

pub(crate) async fn an_account_with_the_id_of_another_is_a_conflict(world: World) {
    let first = world.account().await;
    let second = Account { id: first.id, ..world.unstored_account() };
    assert_eq!(kind(world.storage.new_account(second).await), Some(ErrorKind::Conflict));
    assert_eq!(world.storage.account(first.id).await, Ok(Some(first)));
}

pub(crate) async fn contacts_are_replaced_and_cleared(world: World) {
    let account = world.account().await;
    for contact in [vec!["mailto:a@a.test".to_owned(), "mailto:b@b.test".to_owned()], vec![]] {
        let changed = world.storage.set_contact(account.id, contact.clone()).await.unwrap();
        assert_eq!(changed, Account { contact, ..account.clone() });
        assert_eq!(world.storage.account(account.id).await, Ok(Some(changed)));
    }
}

pub(crate) async fn a_deactivated_account_cannot_change_any_more(world: World) {
    let account = world.account().await;
    let closed = world.storage.deactivate_account(account.id).await.unwrap();
    assert_eq!(closed, Account { status: AccountStatus::Deactivated, ..account.clone() });
    assert_eq!(kind(world.storage.deactivate_account(account.id).await), Some(ErrorKind::Conflict));
    assert_eq!(kind(world.storage.set_contact(account.id, vec![]).await), Some(ErrorKind::Conflict));
    assert_eq!(world.storage.account(account.id).await, Ok(Some(closed.clone())));
    assert_eq!(world.storage.new_account(account).await, Ok(Some(closed)), "its key is not free again");
}

pub(crate) async fn an_account_that_does_not_exist_cannot_change(world: World) {
    let nobody = AccountId::from_bytes([1; 16]);
    assert_eq!(kind(world.storage.deactivate_account(nobody).await), Some(ErrorKind::NotFound));
    assert_eq!(kind(world.storage.set_contact(nobody, vec![]).await), Some(ErrorKind::NotFound));
}

pub(crate) async fn an_account_that_the_ca_has_closed_is_revoked_and_cannot_change_any_more(world: World) {
    let account = world.account().await;
    let closed = world.storage.revoke_account(account.id).await.unwrap();
    assert_eq!(closed, Account { status: AccountStatus::Revoked, ..account.clone() });
    assert_eq!(kind(world.storage.revoke_account(account.id).await), Some(ErrorKind::Conflict));
    assert_eq!(kind(world.storage.deactivate_account(account.id).await), Some(ErrorKind::Conflict));
    assert_eq!(world.storage.account(account.id).await, Ok(Some(closed)));
    let nobody = AccountId::from_bytes([1; 16]);
    assert_eq!(kind(world.storage.revoke_account(nobody).await), Some(ErrorKind::NotFound));
}
