//! A CA moves from SQLite to PostgreSQL, whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;

use cairn_core::api::sa::NewRevocation;
use cairn_core::api::{Storage, StorageRead};
use cairn_core::{AccountId, AuthorizationId, OrderId, Revocation, RevocationReason, Serial, Thumbprint};
use cairn_sa::backup::BackupError;
use cairn_sa::copy::{Copied, CopyError, copy};
use cairn_sa::{Config, Credentials, OpenError, SqliteStorage};
use tempfile::TempDir;

use crate::database::Database;
use crate::world::{NOW, WORKER, World, invalid, problem, valid};

/// The names of what is in a CA.
struct Things {
    accounts: Vec<(AccountId, Thumbprint)>,
    orders: Vec<OrderId>,
    authorizations: Vec<AuthorizationId>,
    serials: Vec<Serial>,
}

struct Old {
    folder: TempDir,
    storage: Arc<SqliteStorage>,
    world: World,
}

impl Old {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config { path: folder.path().join("cairn.db"), ..Config::default() };
        let storage = Arc::new(SqliteStorage::open(&config).unwrap());
        Self { world: World::new(storage.clone(), ()), folder, storage }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("cairn.db")
    }

    /// Ends the server.
    async fn close(self) -> (TempDir, PathBuf) {
        let path = self.path();
        self.storage.close().await;
        (self.folder, path)
    }
}

/// At least one row of every kind.
async fn fill(world: &World) -> Things {
    let storage = &world.storage;
    let mut account = world.unstored_account();
    account.contact = vec!["mailto:\"quotes\" \\ {braces}, ünïcode\n@example.test".to_owned(), String::new()];
    storage.new_account(account.clone()).await.unwrap();
    let closed = world.account().await;
    storage.deactivate_account(closed.id).await.unwrap();

    let open = world.order(account.id, &["a.test", "*.a.test", "2001:db8::1"]).await;
    let processing = world.processing_order(account.id, NOW).await;
    let failed = world.processing_order(account.id, NOW).await;
    storage.set_order_error(failed, problem()).await.unwrap();
    let issued = world.processing_order(account.id, NOW).await;
    let serial = world.certificate(Some(issued)).await;

    let states = world.order(account.id, &["b.test", "c.test", "d.test", "e.test"]).await;
    let [validating, given_up, good, bad] = states.order.authorizations[..] else { panic!() };
    storage
        .set_authorization_processing(validating, cairn_core::ChallengeType::Dns01, WORKER, NOW)
        .await
        .unwrap();
    storage.deactivate_authorization(given_up, NOW).await.unwrap();
    world.validate(good, valid()).await;
    world.validate(bad, invalid()).await;

    let mut serials = vec![serial, world.certificate(None).await];
    for (reason, blocked_key) in [(None, None), (Some(RevocationReason::KeyCompromise), Some([8; 32]))] {
        let serial = world.certificate(None).await;
        let revocation = Revocation { at: NOW, reason };
        storage
            .revoke_certificate(NewRevocation { serial: serial.clone(), revocation, blocked_key })
            .await
            .unwrap();
        serials.push(serial);
    }
    storage.record_intent(world.intent(Some(processing))).await.unwrap();
    Things {
        accounts: [&account, &closed].map(|account| (account.id, account.thumbprint())).to_vec(),
        orders: vec![open.order.id, processing, failed, issued, states.order.id],
        authorizations: [open.order.authorizations, states.order.authorizations].concat(),
        serials,
    }
}

/// Everything that a CA says of these.
async fn told(storage: &dyn Storage, things: &Things) -> Vec<String> {
    let mut told = Vec::new();
    for (id, key) in &things.accounts {
        let account = storage.account(*id).await.unwrap().unwrap();
        assert_eq!(storage.account_by_key(*key).await.unwrap().as_ref(), Some(&account));
        told.push(format!("{account:?}"));
    }
    for id in &things.orders {
        told.push(format!("{:?}", storage.order(*id).await.unwrap().unwrap()));
    }
    for id in &things.authorizations {
        told.push(format!("{:?}", storage.authorization(*id).await.unwrap().unwrap()));
    }
    for serial in &things.serials {
        told.push(format!("{:?}", storage.certificate(serial).await.unwrap().unwrap()));
    }
    told.push(format!("{:?}", storage.key_blocked([8; 32]).await));
    told
}

async fn copied(old: &std::path::Path, new: &Database) -> Result<Vec<Copied>, CopyError> {
    copy(old, &new.config(), &Credentials::default(), |_, _| {}).await
}

fn rows(copied: &[Copied], table: &str) -> u64 {
    copied.iter().find(|copied| copied.table == table).unwrap().rows
}

#[tokio::test]
async fn everything_that_the_old_ca_says_the_new_one_says_too() {
    let (old, new) = (Old::new(), Database::new().await);
    let things = fill(&old.world).await;
    let expected = told(old.storage.as_ref(), &things).await;
    let (_folder, path) = old.close().await;
    let all = copied(&path, &new).await.unwrap();
    let storage = new.open().await;
    assert_eq!(told(storage.as_ref(), &things).await, expected);
    assert_eq!((rows(&all, "accounts"), rows(&all, "intents"), rows(&all, "blocked_keys")), (2, 5, 1));

    // The new one goes on where the old one was.
    let world = World::new(storage, ());
    let [open, processing, ..] = things.orders[..] else { panic!() };
    assert!(world.storage.record_intent(world.intent(Some(processing))).await.is_err(), "one per order");
    let (account, authorization) = (things.accounts[0].0, things.authorizations[0]);
    world.validate(authorization, valid()).await;
    assert_eq!(world.storage.order(open).await.unwrap().unwrap().order.account, account);
    world.ready_order(account, &["new.test"]).await;
}

#[tokio::test]
async fn a_table_of_many_rows_is_copied_in_parts() {
    let (old, new) = (Old::new(), Database::new().await);
    let other_hand = rusqlite::Connection::open(old.path()).unwrap();
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1234) \
                INSERT INTO certificates SELECT randomblob(1 + n % 20), NULL, NULL, x'05', randomblob(900), n, n, NULL, NULL, NULL, NULL FROM n \
                WHERE true ON CONFLICT DO NOTHING";
    let rows_there = other_hand.execute(many, []).unwrap() as u64;
    drop(other_hand);
    let (_folder, path) = old.close().await;
    let mut heard = Vec::new();
    let all =
        copy(&path, &new.config(), &Credentials::default(), |table, rows| heard.push((table, rows))).await;
    assert_eq!(rows(&all.unwrap(), "certificates"), rows_there);
    assert!(heard.len() > 2 && heard.last() == Some(&("certificates", rows_there)), "{heard:?}");
    assert_eq!(new.sql("SELECT count(*) FROM certificates"), rows_there.to_string());
}

#[tokio::test]
async fn only_an_empty_database_is_filled() {
    let (old, new) = (Old::new(), Database::new().await);
    old.world.account().await;
    let (_folder, path) = old.close().await;
    copied(&path, &new).await.unwrap();
    let refused = copied(&path, &new).await.unwrap_err();
    assert!(matches!(refused, CopyError::To(OpenError::NotEmpty { table: "accounts", .. })), "{refused}");
}

#[tokio::test]
async fn neither_side_may_be_in_use() {
    let (old, new) = (Old::new(), Database::new().await);
    old.world.account().await;
    let refused = copied(&old.path(), &new).await.unwrap_err();
    assert!(matches!(refused, CopyError::From(BackupError::Busy { .. })), "{refused}");
    let (_folder, path) = old.close().await;
    let server = new.open().await;
    let refused = copied(&path, &new).await.unwrap_err();
    assert!(matches!(refused, CopyError::To(OpenError::InUse { .. })), "{refused}");
    server.close().await;
    copied(&path, &new).await.unwrap();
}

#[tokio::test]
async fn a_copy_that_fails_in_the_middle_leaves_nothing_and_can_be_done_again() {
    let (old, new) = (Old::new(), Database::new().await);
    let things = fill(&old.world).await;
    let (_folder, path) = old.close().await;
    new.open().await.close().await;
    new.sql("ALTER TABLE blocked_keys ADD CONSTRAINT broken CHECK (at < 0)");
    let failed = copied(&path, &new).await.unwrap_err();
    assert!(
        matches!(failed, CopyError::Write(_)) && failed.to_string().contains("nothing was kept"),
        "{failed}"
    );
    assert_eq!(new.sql("SELECT count(*) FROM accounts"), "0");
    new.sql("ALTER TABLE blocked_keys DROP CONSTRAINT broken");
    copied(&path, &new).await.unwrap();
    assert!(new.open().await.account(things.accounts[0].0).await.unwrap().is_some());
}

#[tokio::test]
async fn what_arrives_altered_is_not_kept() {
    let (old, new) = (Old::new(), Database::new().await);
    fill(&old.world).await;
    let (_folder, path) = old.close().await;
    new.open().await.close().await;
    // As a database with a mind of its own would.
    new.sql(
        "CREATE FUNCTION alter_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.not_after := 1; RETURN NEW; END'; \
         CREATE TRIGGER alter_it BEFORE INSERT ON certificates FOR EACH ROW EXECUTE FUNCTION alter_it()",
    );
    let failed = copied(&path, &new).await.unwrap_err();
    assert!(matches!(failed, CopyError::Differs { table: "certificates", .. }), "{failed}");
    assert_eq!(new.sql("SELECT count(*) FROM accounts"), "0");
}
