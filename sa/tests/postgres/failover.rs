//! The primary is lost and a standby takes over.

use std::sync::Arc;

use cairn_core::ErrorKind;
use cairn_core::api::{StorageAuthority, StorageRead};
use cairn_sa::config::Tls;
use cairn_sa::{Config, Credentials, OpenError, PostgresStorage};
use cairn_test_env::postgres::{PASSWORD, Server};
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::database::{Database, PATIENCE, config, run};
use crate::world::{World, kind};

async fn open(config: &Config) -> Result<Arc<PostgresStorage>, OpenError> {
    let credentials = Credentials { password: Some(PASSWORD.to_owned().into()), root_certificate: None };
    PostgresStorage::open(config, &credentials).await.map(Arc::new)
}

async fn until_ready(storage: &PostgresStorage) {
    let ready = async {
        while storage.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, ready).await.expect("it did not find the new primary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_follow_the_primary_and_nothing_acknowledged_is_lost() {
    let mut primary = block_in_place(|| Server::start(&["max_connections=50"])).unwrap();
    block_in_place(|| primary.create_database("cairn")).unwrap();
    let standby = block_in_place(|| primary.standby()).unwrap();
    let mut config = config(&primary, "cairn");
    config.postgres.tls = Tls::Disable;
    // The standby comes first and is passed over.
    config.postgres.host = format!("127.0.0.1:{}, 127.0.0.1:{}", standby.port(), primary.port());
    let (one, two) = (open(&config).await.unwrap(), open(&config).await.unwrap());
    let world = World::new(one.clone(), ());
    let mut accounts = vec![world.account().await, world.account().await];
    assert_eq!(block_in_place(|| standby.sql("cairn", "SELECT pg_is_in_recovery()")).unwrap(), "t");

    block_in_place(|| primary.kill()).unwrap();
    let refused = two.set_contact(accounts[0].id, vec![]).await;
    assert!(matches!(kind(refused), Some(ErrorKind::Internal | ErrorKind::Unavailable)));
    block_in_place(|| standby.promote()).unwrap();
    for storage in [&one, &two] {
        until_ready(storage).await;
        for account in &accounts {
            assert_eq!(storage.account(account.id).await, Ok(Some(account.clone())));
        }
    }
    accounts.push(world.account().await);
    assert_eq!(two.account(accounts[2].id).await, Ok(Some(accounts[2].clone())));

    // Also a server that starts now.
    let three = open(&config).await.unwrap();
    assert_eq!(three.account(accounts[2].id).await, Ok(Some(accounts[2].clone())));
    for storage in [one, two, three] {
        storage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_alone_is_refused_in_words() {
    let primary = block_in_place(|| Server::start(&["max_connections=50"])).unwrap();
    block_in_place(|| primary.create_database("cairn")).unwrap();
    let standby = block_in_place(|| primary.standby()).unwrap();
    let error = open(&config(&standby, "cairn")).await.err().unwrap();
    assert!(error.to_string().contains("can only be read"), "{error}");
}

#[tokio::test]
async fn a_connection_that_can_only_read_is_dropped_and_the_change_can_be_tried_again() {
    let database = Database::new().await;
    let storage = database.open().await;
    let world = World::new(storage.clone(), ());
    let name = database.config().postgres.database;
    let mut hand = database.other_hand().await;
    run(&mut hand, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let refused = storage.new_account(world.unstored_account()).await;
    assert_eq!(kind(refused), Some(ErrorKind::Unavailable));
    run(&mut hand, &format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
    world.account().await;
}
