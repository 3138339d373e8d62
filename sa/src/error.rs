//! What can go wrong in a storage, in words that every engine can use, and what of it a caller is told.
//!
//! The client of a failed request learns that the server failed and whether to try again; which file, which statement
//! and which row stays in the error's source, for the log.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use cairn_core::{Error, ErrorKind};

use crate::config::ConfigError;

/// Why a storage method did nothing. Cheap to copy: when a commit fails, every job of the group fails with it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum DbError {
    /// `NotFound`: there is no row with this key.
    #[error("no such row")]
    NotFound,
    /// `Conflict`: the row has another status than the change starts from, or exists already.
    #[error("the row exists already or has another status")]
    Conflict,
    /// `AlreadyRevoked`.
    #[error("the certificate is already revoked")]
    AlreadyRevoked,
    /// `Unavailable`: too much waits already, the storage is being closed, or somebody else holds a lock for too long.
    /// Nothing was changed.
    #[error("the storage is busy: {0}")]
    Busy(&'static str),
    /// `Unavailable`: the database could not be reached, so that nothing was begun.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Arc<dyn StdError + Send + Sync>),
    /// `Internal`: a row that no version of Cairn has written.
    #[error(transparent)]
    Inconsistency(#[from] Inconsistency),
    /// `Internal`: a statement changed another number of rows than it must.
    #[error("a statement changed {0} rows instead of 1")]
    Affected(usize),
    /// `Internal`: a value that the caller must not give.
    #[error("a caller's mistake: {0}")]
    Misuse(&'static str),
    /// `Internal`: a part of the storage has died; only a restart helps.
    #[error("the storage has stopped after a fault: {0}")]
    Stopped(&'static str),
    /// `Internal`: the engine or the disk failed.
    #[error("the database failed")]
    Engine(#[source] Arc<dyn StdError + Send + Sync>),
}

/// When to try again after the engine failed: about as long as a database takes to restart.
const ENGINE_PAUSE: Duration = Duration::from_secs(10);

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        let (kind, detail) = match &error {
            DbError::NotFound => (ErrorKind::NotFound, "There is no such object."),
            DbError::Conflict => {
                (ErrorKind::Conflict, "The object has changed meanwhile; fetch it and decide again.")
            }
            DbError::AlreadyRevoked => {
                return Self::new(ErrorKind::AlreadyRevoked, "The certificate is already revoked.");
            }
            DbError::Busy(_) | DbError::Unreachable(_) => {
                (ErrorKind::Unavailable, "The server is busy; try again in a moment.")
            }
            DbError::Inconsistency(_)
            | DbError::Affected(_)
            | DbError::Misuse(_)
            | DbError::Stopped(_)
            | DbError::Engine(_) => (ErrorKind::Internal, "The server's storage failed; try again later."),
        };
        // What was under way when the database went away may be stored or not; it comes back.
        let retry_after = matches!(error, DbError::Engine(_)).then_some(ENGINE_PAUSE);
        let mut error = Self::new(kind, detail).with_source(error);
        error.retry_after = retry_after;
        error
    }
}

/// A stored value that makes no sense: the database was changed by another hand, or by a newer Cairn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} of table {table} holds a value that makes no sense{}", row.as_deref().map(|row| format!(", in row {row}")).unwrap_or_default())]
pub(crate) struct Inconsistency {
    table: &'static str,
    column: &'static str,
    row: Option<String>,
}

impl Inconsistency {
    /// Something is wrong in `column` of `table`.
    pub(crate) const fn on(table: &'static str, column: &'static str) -> Self {
        Self { table, column, row: None }
    }

    /// The same, and the key of the row.
    pub(crate) fn row(mut self, key: impl ToString) -> Self {
        self.row = Some(key.to_string());
        self
    }
}

/// Why a storage could not be opened. Written for the operator: what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A value in the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file or its folder cannot be used.
    #[error(
        "the database {path} cannot be opened; its folder must exist, and the server must be able to write to both"
    )]
    Unusable {
        /// The file.
        path: String,
        /// What the engine says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The database server cannot be used.
    #[error("the database {database} cannot be used; it must exist and be reachable, and let this role in")]
    Unreachable {
        /// The database and its server.
        database: String,
        /// What the engine says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The database server has a setting or a part that does not do.
    #[error("the database {database} {why}")]
    Unsuitable {
        /// The database and its server.
        database: String,
        /// Which, and how to mend it.
        why: &'static str,
    },
    /// Another server uses the database.
    #[error(
        "the database {database} is in use by another cairn; stop that one, or give this one a database of its own"
    )]
    InUse {
        /// The database and its server.
        database: String,
    },
    /// A database that is to be filled has something in it.
    #[error(
        "the database {database} is not empty: there are rows in {table}; choose an empty one, so that nothing is mixed"
    )]
    NotEmpty {
        /// The database and its server.
        database: String,
        /// The first table with a row.
        table: &'static str,
    },
    /// A database that no Cairn made.
    #[error("{path} is a database of another program; choose another one for Cairn's")]
    Foreign {
        /// The file or the database.
        path: String,
    },
    /// A newer Cairn has changed the schema so that this one would do harm.
    #[error(
        "the database {path} has schema {found} and wants a program that knows schema {needed} or later, but this program knows schemas up to {known}; \
         start a newer Cairn, or restore the backup from before the upgrade"
    )]
    TooNew {
        /// The file or the database.
        path: String,
        /// The newest migration that it has seen.
        found: u32,
        /// What a program must know to use it.
        needed: u32,
        /// What this program knows.
        known: u32,
    },
    /// A program uses the database alone.
    #[error(
        "the database {database} is used by a program that needs it for itself, as a copy or a restore does; wait until that has ended"
    )]
    Reserved {
        /// The database and its server.
        database: String,
    },
    /// The schema must be brought up to date first.
    #[error(
        "the database {database} has schema {found}, but this program needs schema {needed}; run `cairn admin db migrate` with this \
         version and as the database's owner first, or set migrate_at_start = true"
    )]
    TooOld {
        /// The database and its server.
        database: String,
        /// The newest migration that it has seen; 0 when it is empty.
        found: u32,
        /// What this program needs.
        needed: u32,
    },
    /// The thread that writes could not be started.
    #[error("the storage's writer thread could not be started")]
    Thread(#[source] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_never_sees_what_the_engine_said() {
        let error = DbError::Engine(Arc::new(std::io::Error::other("disk /secret/path is full")));
        let error = Error::from(error);
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(!error.detail.contains("secret"));
        assert!(error.to_string().contains("/secret/path"), "the log gets the whole chain: {error}");
    }

    #[test]
    fn an_inconsistency_names_table_column_and_row() {
        let error = Inconsistency::on("orders", "status").row("0a0b");
        assert_eq!(
            error.to_string(),
            "column status of table orders holds a value that makes no sense, in row 0a0b"
        );
    }
}
