//! Both engines store the same, and programs of the step before live on the newest schema.

use cairn_core::WorkerId;
use cairn_sa::{Config, SqliteStorage};
use tempfile::TempDir;

use crate::database::{Database, run};
use crate::world::{NOW, World};

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let database = Database::new().await;
    database.open().await.close().await;
    let postgres = database.sql(
        "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'YES' THEN '?' ELSE '' END \
         FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1",
    );

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cairn.db");
    drop(SqliteStorage::open(&Config { path: path.clone(), ..Config::default() }).unwrap());
    let sqlite = rusqlite::Connection::open(path).unwrap();
    let mut columns = sqlite
        .prepare(
            "SELECT tables.name || '.' || columns.name || CASE WHEN columns.\"notnull\" OR columns.pk THEN '' ELSE '?' END \
             FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' ORDER BY 1",
        )
        .unwrap();
    let sqlite: Vec<String> = columns.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(postgres.lines().collect::<Vec<_>>(), sqlite);
}

/// The schemas before the newest one, each as its program left it, and what that program runs.
const BEFORE: [(&[&str], &str); 4] = [
    (&[FIRST], FIRST_STATEMENTS),
    (&[FIRST, SECOND], include_str!("../statements/0002.postgres.sql")),
    (&[FIRST, SECOND, THIRD], include_str!("../statements/0003.postgres.sql")),
    (&[FIRST, SECOND, THIRD, FOURTH], include_str!("../statements/0004.postgres.sql")),
];
const FIRST: &str = include_str!("../../../migrations/postgres/0001_initial.sql");
const FIRST_STATEMENTS: &str = include_str!("../statements/0001.postgres.sql");
const SECOND: &str = include_str!("../../../migrations/postgres/0002_workers.sql");
const THIRD: &str = include_str!("../../../migrations/postgres/0003_pruning.sql");
const FOURTH: &str = include_str!("../../../migrations/postgres/0004_ca_certificates.sql");

#[tokio::test]
async fn every_statement_of_the_steps_before_is_good_on_the_newest_schema() {
    let database = Database::new().await;
    database.open().await.close().await;
    assert_eq!(database.sql("SELECT max(version) || ' ' || max(oldest_program) FROM schema_version"), "5 1");
    for (migrations, statements) in BEFORE {
        let mut hand = database.other_hand().await;
        for (number, sql) in statements.split_terminator(";\n").enumerate() {
            run(&mut hand, &format!("PREPARE s{number} AS {sql}")).await;
        }

        // It adds rows without a value for what it does not know.
        let columns = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'";
        let needed = format!("{columns} AND is_nullable = 'NO' AND column_default IS NULL");
        let old = Database::new().await;
        migrations.iter().for_each(|sql| drop(old.sql(sql)));
        let before = old.sql(columns);
        let tables: Vec<_> =
            before.lines().filter_map(|name| name.split_once('.')).map(|(table, _)| table).collect();
        for name in database.sql(&needed).lines() {
            let known = before.lines().any(|old| old == name);
            assert!(known || !tables.contains(&name.split_once('.').unwrap().0), "{name} must have a value");
        }
        // Nor do new constraints refuse what it writes.
        let constraints = "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
                           WHERE conrelid::regclass::text = ANY(string_to_array('accounts,orders,authorizations,intents,certificates,blocked_keys', ',')) \
                           ORDER BY 1";
        assert_eq!(database.sql(constraints), old.sql(constraints));
    }
}

#[tokio::test]
async fn what_a_program_of_the_step_before_has_in_hand_is_taken_up_by_one_of_this_step() {
    let database = Database::new().await;
    let world = World::new(database.open().await, ());
    let account = world.account().await.id;
    let order = world.ready_order(account, &["a.test"]).await;
    let begin = FIRST_STATEMENTS
        .lines()
        .find(|sql| sql.starts_with("UPDATE orders SET status = 'processing'"))
        .unwrap();
    let begin = begin.trim_end_matches(';');
    database.sql(&format!("PREPARE begin AS {begin}; EXECUTE begin('\\x{order}', {})", NOW.unix()));
    let worker = WorkerId::from_bytes([2; 16]);
    let taken = world.storage.take_abandoned_orders(worker, NOW, 10).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].id, order);
}
