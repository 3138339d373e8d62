//! Copies of a SQLite database: whole, of one moment, and looked at before anybody trusts them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_core::api::StorageRead;
use cairn_sa::backup::{self, BackupError};
use cairn_sa::{Config, OpenError, SqliteStorage};
use tempfile::TempDir;

use crate::world::{NOW, World};

fn config(path: &Path) -> Config {
    Config { path: path.to_owned(), ..Config::default() }
}

/// A world on `cairn.db`, and where a copy of it can lie.
fn world() -> (World, TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let (database, copy) = (folder.path().join("cairn.db"), folder.path().join("copy.db"));
    let storage = Arc::new(SqliteStorage::open(&config(&database)).unwrap());
    File::create(&copy).unwrap();
    (World::new(storage, ()), folder, database, copy)
}

fn rows(contents: &backup::Contents, table: &str) -> u64 {
    contents.rows.iter().find(|(name, _)| name == table).unwrap().1
}

#[tokio::test]
async fn a_copy_of_a_database_in_use_is_one_file_with_everything() {
    let (world, folder, database, copy) = world();
    let account = world.account().await;
    world.certificate(None).await;
    let mut heard = Vec::new();
    let contents = backup::copy(&database, &copy, |progress| heard.push(progress)).unwrap();
    assert_eq!((rows(&contents, "accounts"), rows(&contents, "certificates")), (1, 1));
    assert_eq!((contents.schema > 0, contents.newest_certificate), (true, Some(NOW)));
    let last = heard.last().unwrap();
    assert!(last.done == last.total && last.total == fs::metadata(&copy).unwrap().len(), "{heard:?}");
    for beside in ["copy.db-wal", "copy.db-shm", "copy.db-journal"] {
        assert!(!folder.path().join(beside).exists(), "{beside}");
    }
    // The original goes on, and the copy opens as a database of its own.
    let later = world.account().await;
    let restored = SqliteStorage::open(&config(&copy)).unwrap();
    assert_eq!(restored.account(account.id).await, Ok(Some(account)));
    assert_eq!(restored.account(later.id).await, Ok(None));
}

#[tokio::test]
async fn what_is_written_while_a_copy_is_made_is_not_in_it_and_does_not_disturb_it() {
    let (world, _folder, database, copy) = world();
    world.account().await;
    let other_hand = rusqlite::Connection::open(&database).unwrap();
    // Enough for several steps.
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4000) \
                INSERT INTO certificates SELECT randomblob(16), NULL, NULL, x'05', randomblob(4000), 1, 1, NULL, NULL, NULL, NULL FROM n";
    other_hand.execute(many, []).unwrap();
    let mut steps = 0;
    let contents = backup::copy(&database, &copy, |_| {
        other_hand.execute("INSERT INTO blocked_keys VALUES (randomblob(32), x'01', 1, NULL)", []).unwrap();
        steps += 1;
    })
    .unwrap();
    assert!(steps > 2, "{steps}");
    assert_eq!(rows(&contents, "blocked_keys"), 0);
    assert_eq!(backup::inspect(&copy).unwrap(), contents);
}

#[tokio::test]
async fn a_file_that_is_no_backup_is_refused() {
    let (world, folder, database, copy) = world();
    world.account().await;
    assert!(matches!(backup::inspect(&copy), Err(BackupError::Empty { .. })));
    assert!(matches!(
        backup::inspect(&folder.path().join("nowhere.db")),
        Err(BackupError::Open(OpenError::Unusable { .. }))
    ));
    fs::write(&copy, vec![7; 10_000]).unwrap();
    assert!(matches!(backup::inspect(&copy), Err(BackupError::Open(OpenError::Foreign { .. }))));
    fs::remove_file(&copy).unwrap();
    let theirs = rusqlite::Connection::open(&copy).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (a INTEGER)").unwrap();
    assert!(matches!(backup::inspect(&copy), Err(BackupError::Open(OpenError::Foreign { .. }))));

    File::create(folder.path().join("newer.db")).unwrap();
    let newer = folder.path().join("newer.db");
    backup::copy(&database, &newer, |_| {}).unwrap();
    let newest = rusqlite::Connection::open(&newer).unwrap();
    newest.execute("INSERT INTO schema_version VALUES (9999, '9999_future', 9999)", []).unwrap();
    let refused = backup::inspect(&newer).unwrap_err();
    assert!(refused.to_string().contains("newer Cairn"), "{refused}");
}

#[tokio::test]
async fn a_damaged_copy_is_refused() {
    let (world, _folder, database, copy) = world();
    for _ in 0..200 {
        world.account().await;
    }
    backup::copy(&database, &copy, |_| {}).unwrap();
    let mut octets = fs::read(&copy).unwrap();
    // Everything behind the first page, where the schema is.
    octets[4096 * 2..].fill(0x55);
    fs::write(&copy, octets).unwrap();
    let refused = backup::inspect(&copy).unwrap_err();
    assert!(matches!(refused, BackupError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_log_that_a_killed_server_left_is_moved_into_the_database() {
    let (world, folder, database, _) = world();
    let account = world.account().await;
    // What the disk holds while the server runs is what a killed one leaves.
    let grave = TempDir::new().unwrap();
    for file in ["cairn.db", "cairn.db-wal"] {
        fs::copy(folder.path().join(file), grave.path().join(file)).unwrap();
    }
    assert!(matches!(backup::settle(&database), Err(BackupError::Busy { .. })), "somebody uses that one");
    let left = grave.path().join("cairn.db");
    backup::settle(&left).unwrap();
    assert!(!grave.path().join("cairn.db-wal").exists());
    assert_eq!(SqliteStorage::open(&config(&left)).unwrap().account(account.id).await, Ok(Some(account)));
}
