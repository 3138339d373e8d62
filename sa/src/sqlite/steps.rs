//! A program of the step before lives on the newest schema: every statement that it runs is good there, and what it does
//! not know of does not keep it from adding rows.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{connection, migrations};
use crate::migration::{newest, statements_of};

fn schema(migrations: &[crate::migration::Migration]) -> Connection {
    let mut db = connection::in_memory().unwrap();
    migrations::migrate(&mut db, migrations).unwrap();
    db
}

/// The columns of each table, and whether a row must be given a value for it.
fn columns(db: &Connection) -> BTreeMap<(String, String), bool> {
    let sql = "SELECT tables.name, columns.name, (columns.\"notnull\" OR columns.pk) AND columns.dflt_value IS NULL \
               FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";
    let mut query = db.prepare(sql).unwrap();
    let rows = query.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn programs_that_may_live_with_the_newest_schema_can() {
    let all = migrations::ALL;
    let now = schema(all);
    let oldest = all.iter().map(|migration| migration.oldest_program).max().unwrap();
    for step in oldest..newest(all) {
        let before = columns(&schema(&all[..usize::try_from(step).unwrap()]));
        let tables: Vec<_> = before.keys().map(|(table, _)| table.clone()).collect();
        for ((table, column), needed) in columns(&now) {
            let new = tables.contains(&table) && !before.contains_key(&(table.clone(), column.clone()));
            assert!(!(new && needed), "schema {step} knows no {table}.{column}, which must have a value");
        }
        for sql in statements_of(step, "sqlite") {
            now.prepare(&sql).unwrap_or_else(|error| panic!("{sql}\nof schema {step}: {error}"));
        }
    }
}
