//! Both engines store the same.

use cairn_sa::{Config, SqliteStorage};
use tempfile::TempDir;

use crate::database::Database;

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
