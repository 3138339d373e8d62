//! One server per database.

use std::sync::Arc;

use cairn_core::ErrorKind;
use cairn_core::api::{StorageAuthority, StorageRead};
use cairn_sa::{OpenError, PostgresStorage};
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use crate::database::{Database, PATIENCE};
use crate::world::{World, kind};

#[tokio::test]
async fn a_second_server_is_refused_as_long_as_the_first_runs() {
    let database = Database::new().await;
    let first = database.open().await;
    let error = database.refusal().await;
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("in use by another cairn"), "{error}");
    first.ping().await.unwrap();
    first.close().await;
    database.open().await.ping().await.unwrap();
}

#[tokio::test]
async fn of_two_servers_that_start_on_an_empty_database_one_makes_the_schema_and_the_other_is_refused() {
    let database = Database::new().await;
    let (config, other) = (database.config(), database.config());
    let (one, two) = tokio::join!(crate::database::open(&config), crate::database::open(&other));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|opened| **opened).count(), 1);
    let refused = one.err().or(two.err()).unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    assert_eq!(database.sql("SELECT count(*) FROM schema_version"), "2");
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
    assert!(matches!(database.refusal().await, OpenError::InUse { .. }));
}
