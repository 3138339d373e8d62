//! Reads on a standby: they are made there, nobody misses what was acknowledged, and the primary answers when the standby cannot.

use std::sync::Arc;
use std::time::Duration;

use cairn_core::api::sa::NewRevocation;
use cairn_core::api::{StorageAuthority, StorageRead};
use cairn_core::{Account, Revocation};
use cairn_sa::config::Tls;
use cairn_sa::{Config, Credentials, NearReads, PostgresStorage};
use cairn_test_env::postgres::{PASSWORD, Server};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;

use crate::database::{PATIENCE, config};
use crate::world::{KEY, NOW, WORKER, World, valid};

/// A primary, a standby that every commit waits for, and a server that reads from it.
struct Pair {
    primary: Server,
    standby: Server,
    storage: Arc<PostgresStorage>,
    near: Arc<NearReads>,
    world: World,
    account: Account,
}

impl Pair {
    async fn new() -> Self {
        let primary = block_in_place(|| Server::start(&["max_connections=50"])).unwrap();
        block_in_place(|| primary.create_database("cairn")).unwrap();
        let standby = block_in_place(|| primary.standby()).unwrap();
        let storage = open(&replicated(&primary, &standby)).await;
        let near = Arc::new(NearReads::new(storage.clone()));
        let world = World::new(storage.clone(), ());
        let account = world.account().await;
        Self { primary, standby, storage, near, world, account }
    }

    /// Reads until the standby has counted one of the reads: it counts only its own.
    async fn until_read_from_standby(&self) {
        let scans = || {
            let sql = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'accounts_pkey'";
            block_in_place(|| self.standby.sql("cairn", sql)).unwrap()
        };
        let before = scans();
        let counted = async {
            while scans() == before {
                assert!(self.near.account(self.account.id).await.unwrap().is_some());
            }
        };
        timeout(PATIENCE, counted).await.expect("the standby is not read");
    }

    /// What was changed by somebody who did not wait for the standby is seen all the same.
    async fn until_seen(&self, contact: &[String]) {
        let seen = async {
            while self.near.account(self.account.id).await.unwrap().unwrap().contact != contact {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, seen).await.expect("an old state is shown for ever");
    }

    fn on_primary(&self, sql: &str) {
        block_in_place(|| self.primary.sql("cairn", sql)).unwrap();
    }

    fn on_standby(&self, sql: &str) -> String {
        block_in_place(|| self.standby.sql("cairn", sql)).unwrap()
    }

    fn wait_for_standbys(&self, names: &str) {
        self.on_primary(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        self.on_primary("SELECT pg_reload_conf()");
    }
}

fn plain(primary: &Server) -> Config {
    let mut config = config(primary, "cairn");
    config.postgres.tls = Tls::Disable;
    config
}

fn replicated(primary: &Server, standby: &Server) -> Config {
    let mut config = plain(primary);
    config.postgres.replica = Some(format!("127.0.0.1:{}", standby.port()));
    config
}

async fn open(config: &Config) -> Arc<PostgresStorage> {
    let credentials = Credentials { password: Some(PASSWORD.to_owned().into()), root_certificate: None };
    Arc::new(PostgresStorage::open(config, &credentials).await.unwrap())
}

fn contact(text: impl std::fmt::Display) -> Vec<String> {
    vec![format!("mailto:{text}@a.test")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_standby_is_read_and_nobody_misses_what_was_acknowledged() {
    let pair = Pair::new().await;
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(pair.world.account().await.id);
    }
    pair.until_read_from_standby().await;

    // A standby that lags: whoever does not wait for it sees an old state there.
    pair.on_standby("ALTER SYSTEM SET recovery_min_apply_delay = '200ms'");
    pair.on_standby("SELECT pg_reload_conf()");
    let mut clients = JoinSet::new();
    for (client, account) in accounts.into_iter().enumerate() {
        let (storage, near) = (pair.storage.clone(), pair.near.clone());
        clients.spawn(async move {
            for change in 0..5 {
                let contact = contact(format!("{client}-{change}"));
                storage.set_contact(account, contact.clone()).await.unwrap();
                assert_eq!(near.account(account).await.unwrap().unwrap().contact, contact);
            }
            storage.deactivate_account(account).await.unwrap();
            near.account(account).await.unwrap().unwrap().status
        });
    }
    for status in clients.join_all().await {
        assert_eq!(status, cairn_core::AccountStatus::Deactivated);
    }
    pair.until_read_from_standby().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_read_agrees_with_the_primarys() {
    let pair = Pair::new().await;
    pair.until_read_from_standby().await;
    let (world, storage, near) = (&pair.world, &pair.storage, &pair.near);
    let order = world.order(pair.account.id, &["a.test", "b.test"]).await.order;
    let first = order.authorizations[0];
    let agree = async || {
        assert_eq!(near.order(order.id).await, storage.order(order.id).await);
        assert_eq!(near.authorization(first).await, storage.authorization(first).await);
    };
    agree().await;
    for authorization in &order.authorizations {
        world.validate(*authorization, valid()).await;
        agree().await;
    }
    storage.set_order_processing(order.id, KEY, WORKER, NOW).await.unwrap();
    agree().await;
    let serial = world.certificate(Some(order.id)).await;
    agree().await;

    let stored = near.certificate(&serial).await.unwrap().unwrap();
    assert_eq!(stored.revocation, None);
    let revocation = Revocation { at: NOW, reason: None };
    storage
        .revoke_certificate(NewRevocation { serial: serial.clone(), revocation, blocked_key: None })
        .await
        .unwrap();
    assert_eq!(near.certificate(&serial).await.unwrap().unwrap().revocation, Some(revocation));
    let nobody = cairn_core::AccountId::from_bytes([0; 16]);
    assert_eq!(near.account(nobody).await, Ok(None));
    assert_eq!(near.account_by_key(pair.account.thumbprint()).await, Ok(Some(pair.account.clone())));
    near.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_that_commits_do_not_wait_for_is_not_read() {
    let pair = Pair::new().await;
    pair.until_read_from_standby().await;

    pair.wait_for_standbys("");
    pair.on_standby("SELECT pg_wal_replay_pause()");
    pair.storage.set_contact(pair.account.id, contact("alone")).await.unwrap();
    pair.until_seen(&contact("alone")).await;
    // It stays so.
    for change in 0..20 {
        pair.storage.set_contact(pair.account.id, contact(change)).await.unwrap();
        assert_eq!(pair.near.account(pair.account.id).await.unwrap().unwrap().contact, contact(change));
    }

    // Nor is one of which any may be left out, or that another can push out.
    pair.on_standby("SELECT pg_wal_replay_resume()");
    pair.wait_for_standbys("ANY 1 (walreceiver, other)");
    pair.on_standby("SELECT pg_wal_replay_pause()");
    pair.on_primary("UPDATE accounts SET contact = '[\"mailto:any@a.test\"]'");
    pair.until_seen(&contact("any")).await;
    pair.on_standby("SELECT pg_wal_replay_resume()");
    pair.wait_for_standbys("FIRST 1 (other, walreceiver)");
    pair.on_standby("SELECT pg_wal_replay_pause()");
    pair.on_primary("UPDATE accounts SET contact = '[\"mailto:second@a.test\"]'");
    pair.until_seen(&contact("second")).await;

    pair.on_standby("SELECT pg_wal_replay_resume()");
    pair.wait_for_standbys("FIRST 1 (walreceiver, other)");
    pair.until_read_from_standby().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_does_not_wait_for_the_standby_keeps_others_from_reading_it() {
    let pair = Pair::new().await;
    pair.until_read_from_standby().await;
    let other = open(&plain(&pair.primary)).await;
    pair.on_standby("SELECT pg_wal_replay_pause()");
    // It waits for the standby's disk, and not until it shows the change.
    other.set_contact(pair.account.id, contact("other")).await.unwrap();
    pair.until_seen(&contact("other")).await;
    pair.on_standby("SELECT pg_wal_replay_resume()");
    other.close().await;
    pair.until_read_from_standby().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_go_on_without_the_standby_and_return_to_it() {
    let mut pair = Pair::new().await;
    pair.until_read_from_standby().await;
    block_in_place(|| pair.standby.kill()).unwrap();
    for _ in 0..20 {
        assert_eq!(pair.near.account(pair.account.id).await, Ok(Some(pair.account.clone())));
    }
    // Changes wait for it for as long as they shall.
    pair.wait_for_standbys("");
    pair.storage.set_contact(pair.account.id, contact("meanwhile")).await.unwrap();
    assert_eq!(pair.near.account(pair.account.id).await.unwrap().unwrap().contact, contact("meanwhile"));

    block_in_place(|| pair.standby.restart()).unwrap();
    pair.wait_for_standbys("FIRST 1 (walreceiver)");
    pair.until_read_from_standby().await;
    assert_eq!(pair.near.account(pair.account.id).await.unwrap().unwrap().contact, contact("meanwhile"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lookup_finds_nothing_once_the_standby_has_lost_its_primary() {
    let pair = Pair::new().await;
    let lookup = PostgresStorage::statements()
        .find(|sql| sql.contains("pg_stat_wal_receiver") && sql.contains("FROM accounts"))
        .unwrap();
    let found = |receiver: &str| {
        let key = format!("'\\x{}'", pair.account.id);
        let sql = format!("PREPARE lookup AS {lookup}; EXECUTE lookup({key}, {receiver})");
        !pair.on_standby(&sql).is_empty()
    };
    let receiver = pair.on_standby("SELECT pid FROM pg_stat_wal_receiver");
    assert!(found(&receiver));
    pair.on_primary("SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
    let ended = async {
        while found(&receiver) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("it did not end");
    // One that comes later is another.
    let again = async {
        while pair.on_standby("SELECT pid FROM pg_stat_wal_receiver WHERE status = 'streaming'").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("it did not come back");
    assert!(!found(&receiver));
    pair.until_read_from_standby().await;
}
