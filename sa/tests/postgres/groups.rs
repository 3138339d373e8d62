//! Changes that come at the same time are committed together, and nobody notices but the disk.

use std::sync::Arc;

use cairn_core::api::{CertificateStore, StorageAuthority};
use cairn_core::{ErrorKind, Period};
use cairn_sa::PostgresStorage;
use cairn_test_env::postgres::Server;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;

use crate::database::{Database, PATIENCE, config, open, run};
use crate::world::{World, kind};

/// Counts how often an account was inserted, whether that was undone or not: a sequence forgets nothing.
const TRIES: &str = "
    CREATE SEQUENCE tries;
    CREATE FUNCTION try() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''tries''); RETURN NEW; END';
    CREATE TRIGGER try BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION try()";

async fn world(database: &Database) -> (Arc<PostgresStorage>, World) {
    let storage = database.open().await;
    (storage.clone(), World::new(storage, ()))
}

#[tokio::test]
async fn what_comes_at_the_same_time_is_one_transaction() {
    let database = Database::new().await;
    let (storage, world) = world(&database).await;
    let [first, second, third] = [(); 3].map(|()| world.unstored_account());
    let stored = tokio::join!(
        storage.new_account(first),
        storage.new_account(second.clone()),
        // With the key of another one of the group: it sees that one.
        storage.new_account(second.clone()),
        storage.new_account(third),
    );
    assert_eq!(stored, (Ok(None), Ok(None), Ok(Some(second)), Ok(None)));
    assert_eq!(database.sql("SELECT count(*), count(DISTINCT xmin::text) FROM accounts"), "3|1");
}

#[tokio::test]
async fn what_fails_in_a_group_fails_alone() {
    let database = Database::new().await;
    let (storage, world) = world(&database).await;
    database.sql(TRIES);
    let intent = world.intent(None);
    storage.record_intent(intent.clone()).await.unwrap();
    let [first, second] = [(); 2].map(|()| world.unstored_account());
    let another = world.intent(None);
    let (first, second, again, other) = tokio::join!(
        storage.new_account(first),
        storage.new_account(second),
        storage.record_intent(intent),
        storage.record_intent(another),
    );
    assert_eq!((first, second, other), (Ok(None), Ok(None), Ok(())));
    assert_eq!(kind(again), Some(ErrorKind::Conflict));
    assert_eq!(database.sql("SELECT count(*) FROM accounts"), "2");
    assert_eq!(database.sql("SELECT count(*) FROM intents"), "2");
    assert_eq!(database.sql("SELECT last_value FROM tries"), "4", "each with the group, and alone");
}

#[tokio::test]
async fn a_group_does_not_wait_for_a_row_that_one_of_them_waits_for() {
    let database = Database::new().await;
    let mut config = database.config();
    config.postgres.connections = 2;
    let storage = open(&config).await.unwrap();
    let world = World::new(storage.clone(), ());
    let held = world.account().await;

    let mut other = database.other_hand().await;
    run(&mut other, "BEGIN; SELECT * FROM accounts FOR UPDATE").await;
    let waiting = storage.set_contact(held.id, vec![]);
    let company = async {
        let [first, second] = [(); 2].map(|()| world.unstored_account());
        let stored = tokio::join!(storage.new_account(first), storage.new_account(second));
        // Only now the one that waits may go on.
        run(&mut other, "ROLLBACK").await;
        stored
    };
    let (waited, stored) = tokio::join!(waiting, company);
    assert_eq!(stored, (Ok(None), Ok(None)));
    assert_eq!(waited.unwrap().contact, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn groups_that_meet_each_other_crosswise_are_all_stored() {
    let database = Database::new().await;
    let (one, world) = world(&database).await;
    let two = database.open().await;
    let mut accounts = Vec::new();
    for _ in 0..8 {
        accounts.push(world.account().await.id);
    }
    for round in 0..5 {
        let mut changes = JoinSet::new();
        for account in &accounts {
            let (one, account) = (one.clone(), *account);
            changes.spawn(
                async move { one.set_contact(account, vec![format!("mailto:{round}@one.test")]).await },
            );
        }
        for account in accounts.iter().rev() {
            let (two, account) = (two.clone(), *account);
            changes.spawn(
                async move { two.set_contact(account, vec![format!("mailto:{round}@two.test")]).await },
            );
        }
        for changed in timeout(PATIENCE, changes.join_all()).await.expect("they wait for each other for ever")
        {
            changed.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_answered_before_the_commit_and_all_are_told_when_it_is_unknown() {
    let mut server = block_in_place(|| Server::start(&["max_connections=50"])).unwrap();
    block_in_place(|| server.create_database("cairn")).unwrap();
    let before = open(&config(&server, "cairn")).await.unwrap();
    before.close().await;
    // After a restart a commit is made, and then waits for a standby that does not exist before it is answered.
    block_in_place(|| server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"))
        .unwrap();
    block_in_place(|| server.kill().and_then(|()| server.restart())).unwrap();
    let mut config = config(&server, "cairn");
    config.postgres.connections = 1;
    config.postgres.connect_timeout = Period::from_secs(60);
    let storage = open(&config).await.unwrap();
    let world = World::new(storage.clone(), ());

    let mut callers = JoinSet::new();
    for account in [(); 5].map(|()| world.unstored_account()) {
        let storage = storage.clone();
        callers.spawn(async move { storage.new_account(account).await });
    }
    let mut told = Vec::new();
    let ended = async {
        while told.len() < 5 {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            if block_in_place(|| server.sql("postgres", waiting)).unwrap() == "1" {
                // Its statements have ended long ago, and others are not even begun.
                assert!(callers.try_join_next().is_none(), "one was answered before the commit was");
                let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
                block_in_place(|| server.sql("postgres", end)).unwrap();
                told.push(callers.join_next().await.unwrap().unwrap());
            }
            while let Some(answer) = callers.try_join_next() {
                told.push(answer.unwrap());
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("somebody waits for ever");
    for answer in told {
        assert_eq!(kind(answer), Some(ErrorKind::Internal), "whether it is stored cannot be known");
    }
}
