//! What an operator asks about a database: its schema, its server, and how much is in it. Nothing is changed, no lock is taken, and
//! servers may run meanwhile.

use crate::config::{Config, Credentials, Engine};
use crate::error::OpenError;
use crate::migration::newest;
use crate::{postgres, sqlite};

/// The state of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The newest migration that it has seen; 0 when it is empty.
    pub schema: u32,
    /// The newest migration that a program must know to use it.
    pub needed: u32,
    /// The newest migration that this program knows.
    pub known: u32,
    /// What its engine says of itself: names and values.
    pub engine: Vec<(&'static str, String)>,
    /// Its tables, by name.
    pub tables: Vec<Table>,
}

/// A table, or with SQLite the whole file's tables one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its rows: counted by SQLite, estimated by PostgreSQL, which knows nothing of a table that it has not looked at yet.
    pub rows: Option<u64>,
    /// Octets on the disk with its indexes, where the engine can tell.
    pub octets: Option<u64>,
}

impl Status {
    /// What an operator should do now.
    pub fn advice(&self) -> &'static str {
        match () {
            () if self.needed > self.known => {
                "a newer Cairn has changed the schema so that this version would do harm; use that one"
            }
            () if self.schema < self.known => {
                "run `cairn admin db migrate` with this version, before any server of it is started"
            }
            () if self.schema > self.known => {
                "nothing: the schema is a newer version's, and this version works with it"
            }
            () => "nothing: the schema is the newest that this version knows",
        }
    }
}

/// Looks.
///
/// # Errors
/// A configuration or database that cannot be used, told to the operator.
pub async fn status(config: &Config, credentials: &Credentials) -> Result<Status, OpenError> {
    config.validate()?;
    match config.engine {
        Engine::Sqlite => sqlite::status(&config.path, newest(sqlite::MIGRATIONS)),
        Engine::Postgres => {
            postgres::status(&config.postgres, credentials, newest(postgres::MIGRATIONS)).await
        }
    }
}
