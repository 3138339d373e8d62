//! What an operator is told of a database.

use cairn_sa::{Config, Credentials, status};

use crate::database::Database;
use crate::world::World;

#[tokio::test]
async fn a_database_is_described_beside_a_running_server_and_not_changed() {
    let database = Database::new().await;
    let none = Credentials::default();
    let empty = status(&database.config(), &none).await.unwrap();
    assert_eq!((empty.schema, empty.known), (0, 5));
    assert!(empty.advice().contains("db migrate"), "{}", empty.advice());
    assert_eq!(empty.tables, []);
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");

    let world = World::new(database.open().await, ());
    world.account().await;
    database.sql("ANALYZE");
    let full = status(&database.config(), &none).await.unwrap();
    assert_eq!((full.schema, full.needed, full.known), (5, 1, 5));
    assert!(full.advice().starts_with("nothing"), "{}", full.advice());
    let accounts = full.tables.iter().find(|table| table.name == "accounts").unwrap();
    assert_eq!(accounts.rows, Some(1));
    assert!(accounts.octets > Some(0));
    let said = |name| &full.engine.iter().find(|(said, _)| *said == name).unwrap().1;
    assert!(said("engine").contains("a primary"), "{}", said("engine"));
    assert_ne!(said("sessions_of_cairn"), "0");

    database.sql("INSERT INTO schema_version VALUES (1000, '1000_future', 1)");
    assert!(status(&database.config(), &none).await.unwrap().advice().contains("works with it"));
    database.sql("UPDATE schema_version SET oldest_program = 1000 WHERE version = 1000");
    assert!(status(&database.config(), &none).await.unwrap().advice().contains("a newer Cairn"));
}

#[tokio::test]
async fn a_sqlite_file_is_described_beside_a_running_server() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = Config { path: folder.path().join("cairn.db"), ..Config::default() };
    let none = Credentials::default();
    assert!(status(&config, &none).await.is_err(), "there is none, and none is made");
    assert!(!config.path.exists());
    let world = World::new(std::sync::Arc::new(cairn_sa::SqliteStorage::open(&config).unwrap()), ());
    world.account().await;
    let status = status(&config, &none).await.unwrap();
    assert_eq!((status.schema, status.known), (5, 5));
    assert_eq!(status.tables.iter().find(|table| table.name == "accounts").unwrap().rows, Some(1));
}
