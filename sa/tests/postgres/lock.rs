//! Who may use a database: many servers, or one program alone.

use std::sync::Arc;

use cairn_core::ErrorKind;
use cairn_core::api::{StorageAuthority, StorageRead};
use cairn_sa::{Credentials, OpenError, PostgresStorage};
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use crate::database::{Database, PATIENCE};
use crate::world::{World, kind};

#[tokio::test]
async fn several_servers_share_a_database_and_see_each_others_changes() {
    let database = Database::new().await;
    let (first, second) = (database.open().await, database.open().await);
    let (here, there) = (World::new(first.clone(), ()), World::new(second.clone(), ()));
    let account = here.account().await;
    assert_eq!(second.account(account.id).await, Ok(Some(account.clone())));
    assert_eq!(there.storage.set_contact(account.id, vec![]).await.unwrap().id, account.id);
    first.close().await;
    second.ping().await.unwrap();
    assert_eq!(second.account(account.id).await.unwrap().unwrap().contact, Vec::<String>::new());
}

#[tokio::test]
async fn of_servers_that_start_at_once_on_an_empty_database_one_makes_the_schema_and_all_use_it() {
    let database = Database::new().await;
    let configs = [database.config(), database.config(), database.config()];
    let [one, two, three] = &configs;
    let (one, two, three) =
        tokio::join!(crate::database::open(one), crate::database::open(two), crate::database::open(three));
    for server in [one, two, three] {
        server.unwrap().ping().await.unwrap();
    }
    assert_eq!(database.sql("SELECT count(*) FROM schema_version"), "5");
}

async fn alone(database: &Database) -> Result<PostgresStorage, OpenError> {
    PostgresStorage::open_alone(&database.config(), &Credentials::default()).await
}

#[tokio::test]
async fn what_needs_a_database_alone_is_refused_while_a_server_runs_and_keeps_servers_out() {
    let database = Database::new().await;
    let server = database.open().await;
    let error = alone(&database).await.err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("in use by another cairn"), "{error}");
    server.ping().await.unwrap();
    server.close().await;

    let restore = alone(&database).await.unwrap();
    let error = database.refusal().await;
    assert!(matches!(error, OpenError::Reserved { .. }), "{error:?}");
    assert!(error.to_string().contains("wait until that has ended"), "{error}");
    assert!(matches!(alone(&database).await.err().unwrap(), OpenError::InUse { .. }));
    restore.close().await;
    database.open().await.ping().await.unwrap();
}

/// Ends the connection that holds the lock, and takes the lock for another hand before its server does.
async fn steal(database: &Database) -> PgConnection {
    let mut thief = database.other_hand().await;
    let key: i64 = sqlx::query_scalar(
        "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database \
         WHERE locktype = 'advisory' AND datname = current_database()",
    )
    .fetch_one(&mut thief)
    .await
    .unwrap();
    loop {
        sqlx::query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database \
             WHERE locktype = 'advisory' AND datname = current_database()",
        )
        .fetch_all(&mut thief)
        .await
        .unwrap();
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(key)
            .fetch_one(&mut thief)
            .await
            .unwrap();
        if taken {
            return thief;
        }
    }
}

async fn until_ready(storage: &Arc<PostgresStorage>, ready: bool) {
    let change = async {
        while storage.ping().await.is_ok() != ready {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, change).await.expect("it never became so");
}

#[tokio::test]
async fn a_server_that_has_lost_the_lock_changes_nothing_until_it_has_it_again() {
    let database = Database::new().await;
    let storage = database.open().await;
    let world = World::new(storage.clone(), ());
    let account = world.account().await;

    let thief = steal(&database).await;
    until_ready(&storage, false).await;
    assert_eq!(kind(storage.new_account(world.unstored_account()).await), Some(ErrorKind::Unavailable));
    assert_eq!(storage.account(account.id).await, Ok(Some(account)), "reads go on");

    drop(thief);
    until_ready(&storage, true).await;
    world.account().await;
    assert!(matches!(alone(&database).await.err().unwrap(), OpenError::InUse { .. }));
}
