//! What is opened and what is refused, and in which words.

use cairn_core::ErrorKind;
use cairn_core::api::{StorageAuthority, StorageRead};
use cairn_sa::{Credentials, OpenError, PostgresStorage};
use cairn_test_env::port;

use crate::database::{Database, open};
use crate::world::{World, kind};

#[tokio::test]
async fn what_was_answered_is_there_when_the_database_is_opened_again() {
    let database = Database::new().await;
    let world = World::new(database.open().await, ());
    let account = world.account().await;
    let order = world.ready_order(account.id, &["a.test"]).await;
    let stored = world.storage.order(order).await.unwrap();
    drop(world);
    let again = database.open().await;
    assert_eq!(again.account(account.id).await, Ok(Some(account)));
    assert_eq!(again.order(order).await.unwrap(), stored);
}

#[tokio::test]
async fn a_closed_storage_refuses_everything_and_lets_the_database_go() {
    let database = Database::new().await;
    let storage = database.open().await;
    let world = World::new(storage.clone(), ());
    let account = world.account().await;
    storage.close().await;
    storage.close().await;
    assert_eq!(kind(storage.new_account(world.unstored_account()).await), Some(ErrorKind::Unavailable));
    assert_eq!(kind(storage.account(account.id).await), Some(ErrorKind::Unavailable));
    assert_eq!(kind(storage.ping().await), Some(ErrorKind::Unavailable));
    let next = database.open().await;
    assert_eq!(next.account(account.id).await, Ok(Some(account)));
}

#[tokio::test]
async fn changes_that_wait_when_the_storage_closes_are_made_or_refused() {
    let database = Database::new().await;
    let storage = database.open().await;
    let world = World::new(storage.clone(), ());
    let accounts: Vec<_> = (0..100).map(|_| world.unstored_account()).collect();
    let mut callers = tokio::task::JoinSet::new();
    for account in accounts {
        let storage = world.storage.clone();
        callers.spawn(async move { (account.id, storage.new_account(account).await) });
    }
    tokio::task::yield_now().await;
    storage.close().await;
    let results = callers.join_all().await;
    let next = database.open().await;
    for (id, result) in results {
        // Whoever was told so was told the truth.
        let made = next.account(id).await.unwrap().is_some();
        match kind(result) {
            None => assert!(made),
            Some(refused) => assert_eq!((refused, made), (ErrorKind::Unavailable, false)),
        }
    }
}

#[tokio::test]
async fn a_row_that_another_hand_has_changed_is_internal_and_named_in_the_log_alone() {
    let database = Database::new().await;
    let world = World::new(database.open().await, ());
    let account = world.account().await;
    let order = world.order(account.id, &["a.test", "b.test"]).await.order;
    database.sql("UPDATE orders SET status = 'happy'");
    let error = world.storage.order(order.id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(!error.detail.contains("orders"), "{}", error.detail);
    assert!(error.to_string().contains("status of table orders"), "{error}");
    database
        .sql("UPDATE orders SET status = 'open'; DELETE FROM authorizations WHERE identifier = 'dns:b.test'");
    let error = world.storage.order(order.id).await.unwrap_err();
    assert!(error.to_string().contains("authorization_ids of table orders"), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_or_does_not_let_us_in_is_told_to_the_operator() {
    let database = Database::new().await;
    let mut config = database.config();
    config.postgres.database = "nowhere".to_owned();
    let error = open(&config).await.err().unwrap();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("nowhere"), "{error}");

    // On the network this server wants a password.
    let mut config = database.config();
    config.postgres.host = "127.0.0.1".to_owned();
    config.postgres.tls = cairn_sa::config::Tls::Disable;
    let with =
        |password: &str| Credentials { password: Some(password.to_owned().into()), ..Credentials::default() };
    for wrong in [Credentials::default(), with("open says me")] {
        let error = PostgresStorage::open(&config, &wrong).await.err().unwrap();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("says me"), "{error:?}");
    }
    let right = PostgresStorage::open(&config, &with(cairn_test_env::postgres::PASSWORD)).await.unwrap();
    right.ping().await.unwrap();
    right.close().await;

    config.postgres.port = port::free().unwrap();
    let error = open(&config).await.err().unwrap();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn another_programs_database_is_left_as_it_is() {
    let database = Database::new().await;
    database.sql("CREATE TABLE theirs (a integer)");
    assert!(matches!(database.refusal().await, OpenError::Foreign { .. }));
    assert_eq!(database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), "theirs");
}

#[tokio::test]
async fn a_database_that_wants_a_newer_program_says_what_to_do() {
    let database = Database::new().await;
    database.open().await.close().await;
    database.sql("INSERT INTO schema_version VALUES (1000, '1000_future', 1000)");
    let error = database.refusal().await;
    assert!(matches!(error, OpenError::TooNew { found: 1000, needed: 1000, .. }), "{error:?}");
    assert!(error.to_string().contains("start a newer Cairn"), "{error}");
}

#[tokio::test]
async fn a_newer_database_that_this_program_can_live_with_opens() {
    let database = Database::new().await;
    database.open().await.close().await;
    database.sql("INSERT INTO schema_version VALUES (1000, '1000_future', 1)");
    database.open().await.ping().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let database = Database::new().await;
    // The last table of the migration cannot be made: a view has its name.
    database.sql("CREATE VIEW blocked_keys AS SELECT 1");
    assert!(matches!(database.refusal().await, OpenError::Unreachable { .. }));
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    database.sql("DROP VIEW blocked_keys");
    database.open().await.ping().await.unwrap();
}

#[tokio::test]
async fn a_database_that_may_lose_what_was_acknowledged_is_refused() {
    let database = Database::new().await;
    let name = database.config().postgres.database;
    database.sql(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let error = database.refusal().await;
    assert!(matches!(error, OpenError::Unsuitable { .. }), "{error:?}");
    assert!(error.to_string().contains("synchronous_commit"), "{error}");
}

#[tokio::test]
async fn a_database_in_another_encoding_or_that_can_only_be_read_is_refused() {
    let ascii = Database::with("ENCODING 'SQL_ASCII' TEMPLATE template0").await;
    let error = ascii.refusal().await;
    assert!(error.to_string().contains("UTF8"), "{error}");

    let standby = Database::new().await;
    let name = standby.config().postgres.database;
    standby.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let error = standby.refusal().await;
    assert!(error.to_string().contains("can only be read"), "{error}");
}

#[tokio::test]
async fn a_configuration_that_makes_no_sense_opens_nothing() {
    let database = Database::new().await;
    let mut config = database.config();
    config.postgres.connections = 0;
    assert!(matches!(open(&config).await.err().unwrap(), OpenError::Config(_)));
}
