//! Schema changes: `migrations/postgres/NNNN_*.sql`; see [`crate::migration`]. Each is run in a transaction of its own, and
//! under a lock that lives as long as that, so that two programs that start at once do not run the same one.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use crate::migration::{Migration, newest};

/// Every migration. Files that were released are never changed; a new one goes to the end.
pub(crate) const ALL: &[Migration] = &[
    Migration {
        name: "0001_initial",
        sql: include_str!("../../../migrations/postgres/0001_initial.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0002_workers",
        sql: include_str!("../../../migrations/postgres/0002_workers.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0003_pruning",
        sql: include_str!("../../../migrations/postgres/0003_pruning.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0004_ca_certificates",
        sql: include_str!("../../../migrations/postgres/0004_ca_certificates.sql"),
        oldest_program: 1,
    },
    Migration {
        name: "0005_revocation",
        sql: include_str!("../../../migrations/postgres/0005_revocation.sql"),
        oldest_program: 1,
    },
];

/// The key of the advisory lock: "cairn", and which of its locks.
const LOCK: i64 = 0x0063_6169_726e_0001;

/// Why the schema could not be brought up to date.
#[derive(Debug)]
pub(super) enum MigrationError {
    /// The database belongs to another program.
    Foreign,
    /// The schema is at `found`, and must be brought up to date first.
    TooOld { found: u32 },
    /// The schema at `found` wants a program that knows `needed`.
    TooNew { found: u32, needed: u32 },
    /// PostgreSQL failed.
    Postgres(sqlx::Error),
}

impl From<sqlx::Error> for MigrationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error)
    }
}

/// Runs those of `migrations` that the database has not seen. Does not write when there are none.
pub(super) async fn migrate(db: &mut PgConnection, migrations: &[Migration]) -> Result<(), MigrationError> {
    while step(db, migrations).await?.is_some() {}
    Ok(())
}

/// Whether the database has seen all of `migrations`, without running one.
pub(super) async fn check(db: &mut PgConnection, migrations: &[Migration]) -> Result<(), MigrationError> {
    let (found, needed) = version(db).await?;
    let known = newest(migrations);
    match () {
        () if needed > known => Err(MigrationError::TooNew { found, needed }),
        () if found < known => Err(MigrationError::TooOld { found }),
        () => Ok(()),
    }
}

/// Runs the next migration, if there is one, and gives its number.
pub(super) async fn step(
    db: &mut PgConnection,
    migrations: &[Migration],
) -> Result<Option<u32>, MigrationError> {
    let mut transaction = db.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    let (found, needed) = version(&mut transaction).await?;
    if needed > newest(migrations) {
        return Err(MigrationError::TooNew { found, needed });
    }
    let next = usize::try_from(found).ok().and_then(|next| migrations.get(next));
    let Some(migration) = next else { return Ok(None) };
    if found == 0 {
        sqlx::raw_sql(
            "CREATE TABLE schema_version (version integer PRIMARY KEY, name text NOT NULL, oldest_program integer NOT NULL)",
        )
        .execute(&mut *transaction)
        .await?;
    }
    // The bound on statements is for requests; a change of a large table may take its time.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
    // While a change of a table waits for those who use it, everybody else waits behind it: rather try again later.
    sqlx::raw_sql("SET LOCAL lock_timeout = '3s'").execute(&mut *transaction).await?;
    sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
    sqlx::query(
        "INSERT INTO schema_version (version, name, oldest_program) VALUES ($1::bigint, $2, $3::bigint)",
    )
    .bind(i64::from(found) + 1)
    .bind(migration.name)
    .bind(i64::from(migration.oldest_program))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    tracing::info!(version = found + 1, migration = migration.name, "the database's schema was changed");
    Ok(Some(found + 1))
}

/// The newest migration that the database has seen, and the oldest program that can live with it; 0 when it is empty.
pub(super) async fn version(db: &mut PgConnection) -> Result<(u32, u32), MigrationError> {
    let ours = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_version'), \
                EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema())";
    let row = sqlx::query(ours).fetch_one(&mut *db).await?;
    match (row.try_get(0)?, row.try_get(1)?) {
        (true, _) => {
            let versions = "SELECT max(version)::bigint, max(oldest_program)::bigint FROM schema_version";
            let row = sqlx::query(versions).fetch_one(&mut *db).await?;
            let number = |index| -> Result<u32, MigrationError> {
                u32::try_from(row.try_get::<i64, _>(index)?).map_err(|_| MigrationError::Foreign)
            };
            Ok((number(0)?, number(1)?))
        }
        (false, true) => Err(MigrationError::Foreign),
        (false, false) => Ok((0, 0)),
    }
}
