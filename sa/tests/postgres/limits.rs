//! Nothing waits without a bound, and a caller that goes away does not undo its change.

use cairn_core::api::StorageAuthority;
use cairn_core::{ErrorKind, Period};
use tokio::time::timeout;

use crate::database::{Database, PATIENCE, open, run};
use crate::world::{World, kind};

#[tokio::test]
async fn a_statement_that_waits_for_a_forgotten_lock_is_undone_and_refused() {
    let database = Database::new().await;
    let mut config = database.config();
    config.postgres.statement_timeout = Period::from_secs(2);
    let world = World::new(open(&config).await.unwrap(), ());
    let account = world.account().await;

    let mut other = database.other_hand().await;
    run(&mut other, "BEGIN; SELECT * FROM accounts FOR UPDATE").await;
    let refused = world.storage.set_contact(account.id, vec![]).await;
    assert_eq!(kind(refused), Some(ErrorKind::Unavailable));
    run(&mut other, "ROLLBACK").await;
    assert_eq!(world.storage.account(account.id).await, Ok(Some(account.clone())), "nothing was changed");
    world.storage.set_contact(account.id, vec![]).await.unwrap();
}

#[tokio::test]
async fn who_gets_no_connection_in_time_and_who_finds_too_many_waiting_is_refused() {
    let database = Database::new().await;
    let mut config = database.config();
    config.queue = 1;
    config.postgres.connections = 1;
    config.postgres.connect_timeout = Period::from_secs(2);
    let storage = open(&config).await.unwrap();
    let world = World::new(storage.clone(), ());
    let account = world.account().await;

    let mut other = database.other_hand().await;
    run(&mut other, "BEGIN; SELECT * FROM accounts FOR UPDATE").await;
    let first = storage.set_contact(account.id, vec!["mailto:first@a.test".to_owned()]);
    let second = storage.set_contact(account.id, vec!["mailto:second@a.test".to_owned()]);
    let third = storage.set_contact(account.id, vec!["mailto:third@a.test".to_owned()]);
    let release = async {
        // The third is refused at once, the second when it has waited; then the first may go on.
        assert_eq!(kind(third.await), Some(ErrorKind::Unavailable));
    };
    let waited = async {
        let refused = second.await;
        run(&mut other, "ROLLBACK").await;
        refused
    };
    let (first, second, ()) = tokio::join!(first, waited, release);
    assert_eq!(first.unwrap().contact, ["mailto:first@a.test"]);
    assert_eq!(kind(second), Some(ErrorKind::Unavailable));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_its_change() {
    let database = Database::new().await;
    let world = World::new(database.open().await, ());
    let account = world.unstored_account();

    let mut other = database.other_hand().await;
    run(&mut other, "BEGIN; LOCK TABLE accounts IN SHARE MODE").await;
    let caller = timeout(std::time::Duration::from_millis(50), world.storage.new_account(account.clone()));
    assert!(caller.await.is_err(), "it waits for the lock");
    run(&mut other, "ROLLBACK").await;
    let made = async {
        while world.storage.account(account.id).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, made).await.expect("the change was lost");
}
