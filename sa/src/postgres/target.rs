//! A PostgreSQL database that is filled from end to end, table by table, in one transaction, while no server uses it.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Connection, Row};

use super::lock::Hold;
use super::{connection, enter, migrations, name, refusal, unreachable};
use crate::config::{Config, Credentials, Postgres};
use crate::error::OpenError;
use crate::tables::{Kind, TABLES, Table, Value};

/// An open database, and the transaction on it. Dropped before it is committed, it leaves nothing behind.
pub(crate) struct Target {
    db: PgConnection,
}

impl Target {
    /// Takes a database that no server uses, brings its schema up to date, and begins.
    pub(crate) async fn open(config: &Config, credentials: &Credentials) -> Result<Self, OpenError> {
        config.validate()?;
        let postgres: &Postgres = &config.postgres;
        let (mut db, _) = enter(postgres, &connection::options(postgres, credentials), Hold::Alone).await?;
        migrations::migrate(&mut db, migrations::ALL).await.map_err(|error| refusal(postgres, error))?;
        let failed = |error: sqlx::Error| unreachable(postgres, error);
        // The bound on statements is for requests.
        sqlx::raw_sql("BEGIN; SET LOCAL statement_timeout = 0").execute(&mut db).await.map_err(failed)?;
        let mut target = Self { db };
        for table in TABLES {
            if target.count(table).await.map_err(failed)? > 0 {
                return Err(OpenError::NotEmpty { database: name(postgres), table: table.name });
            }
        }
        Ok(target)
    }

    /// How many rows a table has.
    pub(crate) async fn count(&mut self, table: &Table) -> sqlx::Result<u64> {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut self.db).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Adds rows to a table.
    pub(crate) async fn insert(&mut self, table: &Table, rows: &[Vec<Value>]) -> sqlx::Result<()> {
        let mut values = PgArguments::default();
        for (column, (_, kind)) in table.columns.iter().enumerate() {
            let column = rows.iter().map(|row| row.get(column).unwrap_or(&Value::Null));
            add_column(&mut values, *kind, column).map_err(sqlx::Error::Encode)?;
        }
        sqlx::query_with(AssertSqlSafe(insertion(table)), values).execute(&mut self.db).await?;
        Ok(())
    }

    /// The next rows of a table by its key, at most `limit`.
    pub(crate) async fn rows(
        &mut self,
        table: &Table,
        after: &[u8],
        limit: i64,
    ) -> sqlx::Result<Vec<Vec<Value>>> {
        let (names, name, key) = (table.names(), table.name, table.key());
        let sql = format!("SELECT {names} FROM {name} WHERE {key} > $1 ORDER BY {key} LIMIT $2");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(&mut self.db).await?;
        let row = |row: &PgRow| {
            let columns = table.columns.iter().enumerate();
            columns.map(|(column, (_, kind))| value(row, column, *kind)).collect()
        };
        rows.iter().map(row).collect()
    }

    /// Makes everything visible at once, and lets go of the database.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("COMMIT").execute(&mut self.db).await?;
        // So that the first requests are planned for tables of this size.
        sqlx::raw_sql("ANALYZE").execute(&mut self.db).await?;
        self.db.close().await
    }
}

/// One statement for any number of rows: each column is an array.
fn insertion(table: &Table) -> String {
    let array = |(number, (_, kind)): (usize, &(&str, Kind))| {
        let array = match kind {
            Kind::Bytes | Kind::Ids => "bytea[]",
            Kind::Text => "text[]",
            Kind::Number => "bigint[]",
            Kind::Small => "smallint[]",
            Kind::Flag => "boolean[]",
        };
        format!("${}::{array}", number + 1)
    };
    let arrays: Vec<_> = table.columns.iter().enumerate().map(array).collect();
    let value = |(name, kind): &(&str, Kind)| match kind {
        Kind::Ids => format!(
            "ARRAY(SELECT substr(added.{name}, 16 * n + 1, 16) FROM generate_series(0, length(added.{name}) / 16 - 1) AS n ORDER BY n)"
        ),
        _ => format!("added.{name}"),
    };
    let values: Vec<_> = table.columns.iter().map(value).collect();
    let names = table.names();
    format!(
        "INSERT INTO {} ({names}) SELECT {} FROM unnest({}) AS added ({names})",
        table.name,
        values.join(", "),
        arrays.join(", ")
    )
}

fn add_column<'a>(
    values: &mut PgArguments,
    kind: Kind,
    column: impl Iterator<Item = &'a Value>,
) -> Result<(), sqlx::error::BoxDynError> {
    match kind {
        Kind::Bytes | Kind::Ids => values.add(column.map(octets).collect::<Vec<_>>()),
        Kind::Text => values.add(column.map(text).collect::<Vec<_>>()),
        Kind::Number => values.add(column.map(number).collect::<Vec<_>>()),
        Kind::Small => {
            let small = |value| number(value).map(i16::try_from).transpose();
            values.add(column.map(small).collect::<Result<Vec<_>, _>>()?)
        }
        Kind::Flag => values.add(column.map(|value| number(value).map(|flag| flag != 0)).collect::<Vec<_>>()),
    }
}

fn octets(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(octets) => Some(octets),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

fn value(row: &PgRow, column: usize, kind: Kind) -> sqlx::Result<Value> {
    let number = |number: Option<i64>| number.map(Value::Number);
    let value = match kind {
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Value::Bytes),
        Kind::Ids => row.try_get::<Option<Vec<Vec<u8>>>, _>(column)?.map(|ids| Value::Bytes(ids.concat())),
        Kind::Text => row.try_get::<Option<String>, _>(column)?.map(Value::Text),
        Kind::Number => number(row.try_get(column)?),
        Kind::Small => number(row.try_get::<Option<i16>, _>(column)?.map(i64::from)),
        Kind::Flag => number(row.try_get::<Option<bool>, _>(column)?.map(i64::from)),
    };
    Ok(value.unwrap_or(Value::Null))
}
