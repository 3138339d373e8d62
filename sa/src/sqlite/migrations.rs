//! Schema changes: `migrations/sqlite/NNNN_*.sql`; see [`crate::migration`].

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::migration::{Migration, newest};

/// Every migration. Files that were released are never changed; a new one goes to the end.
pub(crate) const ALL: &[Migration] = &[
    Migration {
        name: "0001_initial",
        sql: include_str!("../../../migrations/sqlite/0001_initial.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0002_workers",
        sql: include_str!("../../../migrations/sqlite/0002_workers.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0003_pruning",
        sql: include_str!("../../../migrations/sqlite/0003_pruning.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0004_ca_certificates",
        sql: include_str!("../../../migrations/sqlite/0004_ca_certificates.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0005_revocation",
        sql: include_str!("../../../migrations/sqlite/0005_revocation.sql"),
        oldest_program: 1,
    },
];

/// Why the schema could not be brought up to date.
#[derive(Debug)]
pub(super) enum MigrationError {
    /// The file is a database of another program.
    Foreign,
    /// The schema at `found` wants a program that knows `needed`.
    TooNew { found: u32, needed: u32 },
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for MigrationError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Runs those of `migrations` that the database has not seen. Does not write when there are none.
pub(super) fn migrate(db: &mut Connection, migrations: &[Migration]) -> Result<(), MigrationError> {
    migrate_and_tell(db, migrations, &mut |_, _| {})
}

/// The same, and tells `done` of each that was run.
pub(super) fn migrate_and_tell(
    db: &mut Connection,
    migrations: &[Migration],
    done: &mut (dyn FnMut(u32, &'static str) + Send),
) -> Result<(), MigrationError> {
    let (mut found, needed) = version(db)?;
    if needed > newest(migrations) {
        return Err(MigrationError::TooNew { found, needed });
    }
    let missing = migrations.iter().skip(usize::try_from(found).unwrap_or(usize::MAX));
    for migration in missing {
        found += 1;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if found == 1 {
            transaction.execute_batch(
                "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, oldest_program INTEGER NOT NULL) STRICT",
            )?;
        }
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO schema_version (version, name, oldest_program) VALUES (?1, ?2, ?3)",
            params![found, migration.name, migration.oldest_program],
        )?;
        transaction.commit()?;
        tracing::info!(version = found, migration = migration.name, "the database's schema was changed");
        done(found, migration.name);
    }
    Ok(())
}

/// The newest migration that the database has seen, and the oldest program that can live with it; 0 when it is empty.
pub(super) fn version(db: &Connection) -> Result<(u32, u32), MigrationError> {
    let table = |sql| db.query_row(sql, [], |_| Ok(())).optional().map(|found| found.is_some());
    if table("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'")? {
        let versions = "SELECT max(version), max(oldest_program) FROM schema_version";
        return Ok(db.query_row(versions, [], |row| Ok((row.get(0)?, row.get(1)?)))?);
    }
    if table("SELECT 1 FROM sqlite_schema")? { Err(MigrationError::Foreign) } else { Ok((0, 0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[Migration] = &[
        Migration { name: "0001_one", sql: "CREATE TABLE one (a INTEGER) STRICT", oldest_program: 1 },
        Migration { name: "0002_two", sql: "CREATE TABLE two (a INTEGER) STRICT", oldest_program: 1 },
    ];
    const BREAKING: &[Migration] = &[
        Migration { name: "0001_one", sql: "CREATE TABLE one (a INTEGER) STRICT", oldest_program: 1 },
        Migration { name: "0002_two", sql: "DROP TABLE one", oldest_program: 2 },
    ];

    fn empty() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn a_database_is_brought_up_to_date_once() {
        let mut db = empty();
        migrate(&mut db, &TWO[..1]).unwrap();
        migrate(&mut db, TWO).unwrap();
        migrate(&mut db, TWO).unwrap();
        assert_eq!(version(&db).unwrap(), (2, 1));
    }

    #[test]
    fn an_older_program_lives_with_a_change_that_only_adds() {
        let mut db = empty();
        migrate(&mut db, TWO).unwrap();
        migrate(&mut db, &TWO[..1]).unwrap();
        assert_eq!(version(&db).unwrap(), (2, 1));
    }

    #[test]
    fn an_older_program_refuses_a_change_that_breaks_it() {
        let mut db = empty();
        migrate(&mut db, BREAKING).unwrap();
        let refusal = migrate(&mut db, &BREAKING[..1]).unwrap_err();
        assert!(matches!(refusal, MigrationError::TooNew { found: 2, needed: 2 }), "{refusal:?}");
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        const BROKEN: &[Migration] = &[Migration {
            name: "0001_broken",
            sql: "CREATE TABLE one (a INTEGER) STRICT; CREATE TABLE one (a INTEGER) STRICT",
            oldest_program: 1,
        }];
        let mut db = empty();
        assert!(matches!(migrate(&mut db, BROKEN), Err(MigrationError::Sqlite(_))));
        assert_eq!(version(&db).unwrap(), (0, 0));
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let mut db = empty();
        db.execute_batch("CREATE TABLE theirs (a INTEGER)").unwrap();
        assert!(matches!(migrate(&mut db, ALL), Err(MigrationError::Foreign)));
    }
}
