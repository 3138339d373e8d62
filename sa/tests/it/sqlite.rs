//! SQLite, in a file and in memory: the contract, and what survives of a file.

use std::path::Path;
use std::sync::Arc;

use cairn_core::api::{StorageAuthority, StorageRead};
use cairn_core::{ErrorKind, WorkerId};
use cairn_sa::{Config, OpenError, SqliteStorage};
use tempfile::TempDir;

use crate::world::{NOW, World, kind};

fn config(folder: &Path) -> Config {
    Config { path: folder.join("cairn.db"), ..Config::default() }
}

fn open(folder: &Path) -> Arc<SqliteStorage> {
    Arc::new(SqliteStorage::open(&config(folder)).unwrap())
}

async fn in_file() -> World {
    let folder = TempDir::new().unwrap();
    World::new(open(folder.path()), folder)
}

async fn in_memory() -> World {
    World::new(Arc::new(SqliteStorage::open_ephemeral().unwrap()), ())
}

mod file {
    contract!(crate::sqlite::in_file);
}

mod memory {
    contract!(crate::sqlite::in_memory);
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn refusal(config: &Config) -> OpenError {
    SqliteStorage::open(config).err().expect("it should not open")
}

#[tokio::test]
async fn what_was_answered_survives_a_process_that_dies() {
    let (folder, grave) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let world = World::new(open(folder.path()), ());
    let account = world.account().await;
    let order = world.ready_order(account.id, &["a.test"]).await;
    let stored = world.storage.order(order).await.unwrap();
    // What the disk holds at this moment, with the storage still open, is what a killed process leaves behind.
    for file in files(folder.path()) {
        std::fs::copy(folder.path().join(&file), grave.path().join(&file)).unwrap();
    }
    let risen = open(grave.path());
    assert_eq!(risen.account(account.id).await, Ok(Some(account)));
    assert_eq!(risen.order(order).await.unwrap(), stored);
}

#[tokio::test]
async fn what_was_answered_survives_a_storage_that_is_dropped() {
    let folder = TempDir::new().unwrap();
    let world = World::new(open(folder.path()), ());
    let account = world.account().await;
    drop(world);
    assert_eq!(open(folder.path()).account(account.id).await, Ok(Some(account)));
}

#[tokio::test]
async fn a_row_that_another_hand_has_changed_is_internal_and_named_in_the_log_alone() {
    let folder = TempDir::new().unwrap();
    let world = World::new(open(folder.path()), ());
    let account = world.account().await;
    let order = world.order(account.id, &["a.test"]).await.order.id;
    let other_hand = rusqlite::Connection::open(folder.path().join("cairn.db")).unwrap();
    other_hand.execute("UPDATE orders SET status = 'happy'", []).unwrap();
    let error = world.storage.order(order).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(!error.detail.contains("orders"), "{}", error.detail);
    assert!(error.to_string().contains("status of table orders"), "{error}");
    assert!(error.to_string().contains(&order.to_string()), "{error}");
}

#[tokio::test]
async fn a_closed_storage_refuses_changes_and_leaves_one_whole_file() {
    let folder = TempDir::new().unwrap();
    let storage = open(folder.path());
    let world = World::new(storage.clone(), ());
    let account = world.account().await;
    storage.close().await;
    storage.close().await;
    let late = world.storage.new_account(world.unstored_account()).await;
    assert_eq!(kind(late), Some(ErrorKind::Unavailable));
    assert_eq!(kind(storage.ping().await), Some(ErrorKind::Unavailable));
    assert_eq!(storage.account(account.id).await, Ok(Some(account.clone())), "reads go on");
    drop((storage, world));
    assert_eq!(files(folder.path()), ["cairn.db"]);
    assert_eq!(open(folder.path()).account(account.id).await, Ok(Some(account)));
}

#[tokio::test]
async fn changes_that_wait_when_the_storage_closes_are_made() {
    let folder = TempDir::new().unwrap();
    let storage = open(folder.path());
    let world = World::new(storage.clone(), ());
    let accounts: Vec<_> = (0..100).map(|_| world.unstored_account()).collect();
    let mut callers = tokio::task::JoinSet::new();
    for account in accounts {
        let storage = world.storage.clone();
        callers.spawn(async move { (account.id, storage.new_account(account).await) });
    }
    tokio::task::yield_now().await;
    storage.close().await;
    for (id, result) in callers.join_all().await {
        // Each was either made or refused, and whoever was told so was told the truth.
        let made = storage.account(id).await.unwrap().is_some();
        match kind(result) {
            None => assert!(made),
            Some(refused) => assert_eq!((refused, made), (ErrorKind::Unavailable, false)),
        }
    }
}

#[tokio::test]
async fn a_storage_in_memory_is_alone_and_keeps_nothing() {
    let world = in_memory().await;
    let account = world.account().await;
    assert_eq!(in_memory().await.storage.account(account.id).await, Ok(None));
    assert!(!Path::new(":memory:").exists());
}

#[test]
fn a_folder_that_is_not_there_is_told_to_the_operator() {
    let folder = TempDir::new().unwrap();
    let error = refusal(&config(&folder.path().join("nowhere")));
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
    assert!(
        error.to_string().contains("nowhere/cairn.db") && error.to_string().contains("must exist"),
        "{error}"
    );
}

#[test]
fn a_path_that_is_a_folder_is_told_to_the_operator() {
    let folder = TempDir::new().unwrap();
    let error = refusal(&Config { path: folder.path().to_owned(), ..Config::default() });
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let text = "Dear diary, this is not a database. ".repeat(100);
    std::fs::write(folder.path().join("cairn.db"), &text).unwrap();
    let error = refusal(&config(folder.path()));
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("cairn.db")).unwrap(), text);
}

#[test]
fn another_programs_database_is_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let theirs = rusqlite::Connection::open(folder.path().join("cairn.db")).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (a INTEGER)").unwrap();
    let error = refusal(&config(folder.path()));
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[test]
fn a_database_that_wants_a_newer_program_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let newer = rusqlite::Connection::open(folder.path().join("cairn.db")).unwrap();
    newer.execute("INSERT INTO schema_version VALUES (1000, '1000_future', 1000)", []).unwrap();
    let error = refusal(&config(folder.path()));
    assert!(matches!(error, OpenError::TooNew { found: 1000, needed: 1000, .. }), "{error:?}");
    assert!(error.to_string().contains("start a newer Cairn"), "{error}");
}

#[test]
fn a_newer_database_that_this_program_can_live_with_opens() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let newer = rusqlite::Connection::open(folder.path().join("cairn.db")).unwrap();
    newer.execute("INSERT INTO schema_version VALUES (1000, '1000_future', 1)", []).unwrap();
    drop(open(folder.path()));
}

#[test]
fn a_configuration_that_makes_no_sense_opens_nothing() {
    let folder = TempDir::new().unwrap();
    let error = refusal(&Config { readers: 0, ..config(folder.path()) });
    assert!(matches!(error, OpenError::Config(_)), "{error:?}");
    assert!(files(folder.path()).is_empty());
}

#[tokio::test]
async fn a_worker_that_was_silent_for_a_day_is_forgotten() {
    let folder = TempDir::new().unwrap();
    let storage = open(folder.path());
    let worker = |n| WorkerId::from_bytes([n; 16]);
    for (n, at) in [(1, NOW), (2, NOW.plus(1)), (3, NOW.plus(24 * 60 * 60 + 1))] {
        storage.heartbeat(worker(n), at).await.unwrap();
    }
    let other = rusqlite::Connection::open(folder.path().join("cairn.db")).unwrap();
    let count: i64 = other.query_row("SELECT count(*) FROM workers", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}
