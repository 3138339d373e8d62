//! Bringing a database's schema up to date, as a deed of its own.
//!
//! With several servers on one database the order of an upgrade is: first [`migrate`], by the new version and as the
//! database's owner; then the servers, one after the other. Each migration only adds (see [`crate::migration`]), so that
//! servers of the version before go on working on the new schema until it is their turn; a server of the new version never
//! meets the old one.

use crate::config::{Config, Credentials, Engine};
use crate::error::OpenError;
use crate::migration::newest;
use crate::{postgres, sqlite};

/// Runs the migrations that the database has not seen, each in a transaction of its own, and tells `done` the number and
/// the name of each. Gives the number of the newest one that this program knows. A PostgreSQL database may be in use
/// meanwhile; a SQLite database may not, to which the caller sees.
///
/// # Errors
/// A configuration or database that cannot be used, told to the operator. Those migrations that were told of stay.
pub async fn migrate(
    config: &Config,
    credentials: &Credentials,
    done: &mut (dyn FnMut(u32, &'static str) + Send),
) -> Result<u32, OpenError> {
    config.validate()?;
    match config.engine {
        Engine::Sqlite => {
            sqlite::migrate(&config.path, done)?;
            Ok(newest(sqlite::MIGRATIONS))
        }
        Engine::Postgres => {
            postgres::migrate(&config.postgres, credentials, done).await?;
            Ok(newest(postgres::MIGRATIONS))
        }
    }
}
