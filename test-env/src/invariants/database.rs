//! A database, asked with its own shell: an engine's own program, so that no fault of the storage's code can hide itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::postgres;

/// How long a statement waits for a writer, in milliseconds.
const PATIENCE: &str = ".timeout 10000";

/// Where the rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// SQLite's file.
    Sqlite(PathBuf),
    /// What `psql` takes for a database: its name, `host=… dbname=…`, or a `postgresql://` URL. Passwords come from where psql looks for
    /// them, such as `~/.pgpass`.
    Postgres(String),
    /// The same in a Docker container, for the `psql` that is in there.
    Container {
        /// Its name or id.
        container: String,
        /// As for [`Database::Postgres`].
        connection: String,
    },
}

impl Database {
    /// The rows that a statement gives, each a list of its columns. Blobs come as hexadecimal text.
    ///
    /// Both engines are asked with the same words but for two: `{now}` is the time in seconds since 1970, and `{authorizations_of}` gives
    /// the rows `(order_id, account_id, authorization_id)` of issued orders.
    pub(super) fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let sql = sql.replace("{now}", self.now()).replace("{authorizations_of}", self.authorizations_of());
        let printed = self.run(&sql)?;
        Ok(printed.lines().map(|line| line.split(',').map(plain).collect()).collect())
    }

    /// The rows of a statement that gives a single column.
    pub(super) fn column(&self, sql: &str) -> Result<Vec<String>> {
        Ok(self.rows(sql)?.into_iter().flatten().collect())
    }

    /// The number that a statement gives.
    pub(super) fn number(&self, sql: &str) -> Result<usize> {
        let column = self.column(sql)?;
        let [number] = &column[..] else { bail!("{sql} gives {column:?}, not one number") };
        number.parse().with_context(|| format!("{sql} gives {number}"))
    }

    /// How a blob is written in SQL.
    pub(super) fn literal(&self, hex: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{hex}'"),
            Self::Postgres(_) | Self::Container { .. } => format!("'\\x{hex}'::bytea"),
        }
    }

    const fn now(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "unixepoch()",
            Self::Postgres(_) | Self::Container { .. } => "extract(epoch FROM now())::bigint",
        }
    }

    const fn authorizations_of(&self) -> &'static str {
        match self {
            // The ids stand one after the other in one blob.
            Self::Sqlite(_) => {
                "(WITH RECURSIVE part (order_id, account_id, rest) AS (\
                 SELECT id, account_id, authorization_ids FROM orders WHERE status = 'issued' \
                 UNION ALL SELECT order_id, account_id, substr(rest, 17) FROM part WHERE length(rest) > 16) \
                 SELECT order_id, account_id, substr(rest, 1, 16) AS authorization_id FROM part)"
            }
            Self::Postgres(_) | Self::Container { .. } => {
                "(SELECT id AS order_id, account_id, unnest(authorization_ids) AS authorization_id \
                 FROM orders WHERE status = 'issued')"
            }
        }
    }

    fn run(&self, sql: &str) -> Result<String> {
        let mut shell = match self {
            Self::Sqlite(file) => sqlite3(file)?,
            Self::Postgres(connection) => psql(Command::new(postgres::program("psql")?), connection),
            Self::Container { container, connection } => psql(within(container), connection),
        };
        shell.arg(sql).stdin(Stdio::null());
        if !matches!(self, Self::Sqlite(_)) {
            // psql warns where its user may not enter the current folder, which it does not need.
            shell.current_dir("/");
        }
        let output =
            shell.output().with_context(|| format!("cannot start {}", shell.get_program().display()))?;
        // What a shell warns of must not be taken for rows, nor be passed over.
        let warned = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success() && warned.is_empty(),
            "{self} ended with {}: {warned}\n{sql}",
            output.status
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "SQLite's {}", file.display()),
            Self::Postgres(_) => f.write_str("PostgreSQL"),
            Self::Container { container, .. } => write!(f, "PostgreSQL in {container}"),
        }
    }
}

fn sqlite3(file: &Path) -> Result<Command> {
    // The shell would make an empty one.
    ensure!(file.is_file(), "there is no database {}", file.display());
    let mut shell = Command::new("sqlite3");
    shell.args(["-batch", "-bail", "-readonly", "-quote", "-cmd", PATIENCE]).arg(file);
    Ok(shell)
}

fn within(container: &str) -> Command {
    let mut shell = Command::new("docker");
    shell.args(["exec", container, "psql"]);
    shell
}

fn psql(mut shell: Command, connection: &str) -> Command {
    shell.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"]);
    shell.args(["--field-separator=,", "--set", "ON_ERROR_STOP=1", "--dbname", connection, "--command"]);
    shell
}

/// A column without what the shells write around blobs and texts: `X'01'`, `\x01`, `'text'`.
fn plain(column: &str) -> String {
    let column = column.strip_prefix("\\x").or_else(|| column.strip_prefix("X'")).unwrap_or(column);
    column.trim_matches('\'').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shells_columns_become_the_same() {
        assert_eq!(["X'0AFF'", "\\x0aff"].map(plain), ["0aff", "0aff"]);
        assert_eq!(["'ok'", "17"].map(plain), ["ok", "17"]);
    }
}
