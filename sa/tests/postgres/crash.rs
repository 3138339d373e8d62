//! The database server is killed while it works.

use std::sync::{Arc, Mutex};

use cairn_core::api::{CertificateStore, StorageRead};
use cairn_core::{AccountId, ErrorKind, Period};
use cairn_test_env::postgres::Server;
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;

use crate::database::{PATIENCE, config, open};
use crate::world::{NOW, World, certificate, kind};

const CALLERS: usize = 8;
const ROUNDS: u64 = 3;
/// So many changes are acknowledged before the server is killed.
const CHANGES: u64 = 200;

async fn until_ready(world: &World) {
    let ready = async {
        while world.storage.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, ready).await.expect("it did not recover");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_server_is_killed_callers_are_told_and_nothing_acknowledged_is_lost() {
    let mut server = block_in_place(|| Server::start(&["max_connections=50"])).unwrap();
    block_in_place(|| server.create_database("cairn")).unwrap();
    let mut config = config(&server, "cairn");
    config.postgres.connect_timeout = Period::from_secs(2);
    let storage = open(&config).await.unwrap();
    let world = Arc::new(World::new(storage.clone(), ()));
    let acknowledged = Arc::new(Mutex::new(Vec::<AccountId>::new()));
    let count = watch::Sender::new(0_u64);

    for round in 1..=ROUNDS {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (world, acknowledged, count) = (world.clone(), acknowledged.clone(), count.clone());
            // Each goes on until it is told of a failure.
            callers.spawn(async move {
                loop {
                    let account = world.unstored_account();
                    let id = account.id;
                    match world.storage.new_account(account).await {
                        Ok(_) => acknowledged.lock().unwrap().push(id),
                        Err(error) => return error.kind,
                    }
                    count.send_modify(|count| *count += 1);
                }
            });
        }
        let mut counted = count.subscribe();
        let enough = timeout(PATIENCE, counted.wait_for(|count| *count >= round * CHANGES)).await;
        assert!(enough.is_ok(), "there was hardly any load");
        drop(enough);
        block_in_place(|| server.kill()).unwrap();
        for kind in timeout(PATIENCE, callers.join_all()).await.expect("somebody waits for ever") {
            assert!(matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable), "{kind:?}");
        }
        assert!(kind(storage.ping().await).is_some(), "it is not ready");

        block_in_place(|| server.restart()).unwrap();
        until_ready(&world).await;
        let acknowledged = acknowledged.lock().unwrap().clone();
        for id in acknowledged {
            assert!(storage.account(id).await.unwrap().is_some(), "{id} was acknowledged and is lost");
        }
        world.account().await;
    }
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_stored_when_the_connection_breaks_counts_as_stored() {
    let mut server = block_in_place(|| Server::start(&["max_connections=50"])).unwrap();
    server.create_database("cairn").unwrap();
    let before = open(&config(&server, "cairn")).await.unwrap();
    let world = World::new(before.clone(), ());
    let order = world.processing_order(world.account().await.id, NOW).await;
    let intent = world.intent(Some(order));
    world.storage.record_intent(intent.clone()).await.unwrap();
    before.close().await;

    // After a restart (a mere reload takes effect at some later moment) a commit is made, and then waits for a standby that
    // does not exist before it is answered.
    server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'").unwrap();
    block_in_place(|| server.kill().and_then(|()| server.restart())).unwrap();
    let storage = open(&config(&server, "cairn")).await.unwrap();
    let end = async {
        let waiting =
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while block_in_place(|| server.sql("postgres", waiting)).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let new = certificate(&intent.serial);
    let (stored, ended) = tokio::join!(storage.add_certificate(new), timeout(PATIENCE, end));
    ended.expect("the server answered before anything could break");
    assert_eq!(stored, Ok(true));
}
