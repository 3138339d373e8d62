//! Roles with no more rights than they need: the whole contract holds with them, and what they must not do they cannot.

use cairn_core::Timestamp;
use cairn_core::api::StorageRead;
use cairn_sa::prune::{Ends, Prune};
use cairn_sa::{Config, Credentials, OpenError, Roles};
use cairn_test_env::postgres::USER;

use crate::database::{Database, open};
use crate::world::{NOW, World};

mod least {
    contract!(crate::roles::world);
}

#[tokio::test]
async fn a_server_prunes_certificates_only_if_its_role_was_made_for_that() {
    for (prune_certificates, expected) in [(false, None), (true, Some(1))] {
        let (database, config) = prepared_with(prune_certificates).await;
        let storage = open(&config).await.unwrap();
        let world = World::new(storage.clone(), database);
        let serial = world.certificate(None).await;
        let ends = Ends { orders: Some(NOW), certificates: Some(Timestamp::from_unix(i64::MAX)) };
        assert_eq!(storage.prune(ends).await.ok().map(|pruned| pruned.certificates), expected);
        assert_eq!(storage.certificate(&serial).await.unwrap().is_some(), expected.is_none());
    }
}

/// A database that its owner has made and a server uses as another role.
async fn prepared() -> (Database, Config) {
    prepared_with(false).await
}

async fn prepared_with(prune_certificates: bool) -> (Database, Config) {
    let database = Database::new().await;
    let mut config = database.config();
    cairn_sa::migrate(&config, &Credentials::default(), &mut |_, _| {}).await.unwrap();
    let name = config.postgres.database.clone();
    // Roles are the whole server's: each story has its own, and may run beside the others.
    let roles = Roles {
        owner: USER.to_owned(),
        sa: format!("{name}_sa"),
        read: format!("{name}_read"),
        database: name,
        prune_certificates,
        replica: false,
    };
    let sql = roles.sql().unwrap();
    database.sql(&sql);
    database.sql(&sql);
    config.postgres.user = roles.sa;
    config.postgres.migrate_at_start = false;
    (database, config)
}

pub(crate) async fn world() -> World {
    let (database, config) = prepared_with(true).await;
    World::new(open(&config).await.unwrap(), database)
}

#[tokio::test]
async fn a_server_cannot_take_back_what_was_issued_nor_change_the_schema() {
    let (database, config) = prepared().await;
    let world = World::new(open(&config).await.unwrap(), ());
    let serial = world.certificate(None).await;
    let sa = &config.postgres.user;
    for forbidden in [
        "DROP TABLE certificates",
        "DELETE FROM certificates",
        "TRUNCATE certificates",
        "UPDATE certificates SET der = ''",
        "UPDATE certificates SET not_after = 0",
        "DELETE FROM intents",
        "UPDATE intents SET lint_certificate = ''",
        "DELETE FROM accounts",
        "UPDATE accounts SET jwk = ''",
        "UPDATE orders SET identifiers = ''",
        "UPDATE authorizations SET identifier = ''",
        "DELETE FROM blocked_keys",
        "DELETE FROM ca_certificates",
        "UPDATE ca_certificates SET der = ''",
        "INSERT INTO revocations SELECT serial, issuer, 0, 0, 0, 0, 0 FROM certificates",
        "UPDATE revocations SET reason = 1",
        "UPDATE crls SET sha256 = ''",
        "UPDATE crl_chunks SET octets = ''",
        "DELETE FROM incidents",
        "INSERT INTO schema_version VALUES (1000, '', 1000)",
        "ALTER TABLE orders ADD COLUMN more text",
        "CREATE TABLE more (a integer)",
        "CREATE INDEX more ON orders (id)",
    ] {
        assert!(database.is_denied_to(sa, forbidden), "{forbidden}");
    }
    assert!(world.storage.certificate(&serial).await.unwrap().is_some());
}

#[tokio::test]
async fn a_reader_reads_everything_and_changes_nothing() {
    let (database, config) = prepared().await;
    let world = World::new(open(&config).await.unwrap(), ());
    world.certificate(None).await;
    let reader = config.postgres.user.replace("_sa", "_read");
    for table in [
        "accounts",
        "orders",
        "authorizations",
        "intents",
        "certificates",
        "blocked_keys",
        "workers",
        "ca_certificates",
        "revocations",
        "crl_shards",
        "crls",
        "crl_chunks",
        "incidents",
        "incident_certificates",
        "replacements",
    ] {
        database.sql_as(&reader, &format!("SELECT count(*) FROM {table}")).unwrap();
        for change in ["DELETE FROM", "TRUNCATE", "INSERT INTO", "DROP TABLE"] {
            let values = if change == "INSERT INTO" { "SELECT" } else { "" };
            assert!(
                database.is_denied_to(&reader, &format!("{change} {table} {values}")),
                "{change} {table}"
            );
        }
    }
    let mut config = config;
    config.postgres.user = reader;
    let storage = open(&config).await.unwrap();
    assert!(World::new(storage, ()).storage.new_account(world.unstored_account()).await.is_err());
}

#[tokio::test]
async fn a_server_that_may_not_change_the_schema_refuses_one_that_is_too_old_and_says_what_to_do() {
    let database = Database::new().await;
    let mut config = database.config();
    config.postgres.migrate_at_start = false;
    let error = open(&config).await.err().unwrap();
    assert!(matches!(error, OpenError::TooOld { found: 0, needed: 5, .. }), "{error:?}");
    assert!(error.to_string().contains("run `cairn admin db migrate`"), "{error}");
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");

    let none = Credentials::default();
    let mut told = Vec::new();
    let newest = cairn_sa::migrate(&config, &none, &mut |number, name| told.push((number, name))).await;
    assert_eq!(newest.unwrap(), 5);
    assert_eq!(
        told,
        [
            (1, "0001_initial"),
            (2, "0002_workers"),
            (3, "0003_pruning"),
            (4, "0004_ca_certificates"),
            (5, "0005_revocation")
        ]
    );
    open(&config).await.unwrap().ping().await.unwrap();

    let again = cairn_sa::migrate(&config, &none, &mut |_, name| panic!("{name} was run again")).await;
    assert_eq!(again.unwrap(), 5);
    // A newer schema is as good, unless it says otherwise.
    database.sql("INSERT INTO schema_version VALUES (1000, '1000_future', 1)");
    open(&config).await.unwrap().ping().await.unwrap();
    database.sql("UPDATE schema_version SET oldest_program = 1000 WHERE version = 1000");
    assert!(matches!(open(&config).await.err().unwrap(), OpenError::TooNew { .. }));
}
