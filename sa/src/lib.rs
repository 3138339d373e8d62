//! The Storage Authority: remembers, and is the only room that speaks SQL.
//!
//! The rest of the house sees the three traits of [`cairn_core::api::sa`] and nothing else. Here stand the engines that
//! implement them: SQLite ([`SqliteStorage`]), embedded, and PostgreSQL ([`PostgresStorage`]), each written for what it is
//! good at and held to the same stories in `tests/it/contract`. What both need stands once: `rows` (columns and what they
//! mean), `migration`, `error`, `config`.
//!
//! # What a storage method is
//!
//! One method is one decision of the caller, and one transaction. A method that reads finds its rows by a key or by an
//! index made for it; no request ever reads a table from end to end, and tests ask both engines for the plan of every
//! statement to hold that. A method that changes is done, and durable, when it returns. It is guarded in its SQL by the
//! status that it starts from (`… WHERE id = $1 AND status = 'pending'`), and the number of rows that it changed is
//! looked at: of two that race, one finds the row changed and does nothing.
//!
//! What a caller can rely on, beyond each method's own words:
//!
//! - a change of something that does not exist is `NotFound`; of something that has another status, or of a thing that
//!   exists already when it must be new, `Conflict`;
//! - nothing is ever done in part, and what a method refused left nothing behind;
//! - `Unavailable` means that nothing was changed: too much waited already, the storage is closing, or the database
//!   cannot be reached. `Internal` leaves that open: a connection that broke may have carried the change before;
//! - a caller that goes away while it waits does not undo its change;
//! - what a change has stored, every read that begins after it sees, until it is pruned ([`prune`]), long after its end.
//!
//! # How to add a method
//!
//! 1. Say what it promises in `core/src/api/sa.rs`, in the narrowest of the three traits whose users need it.
//! 2. If it needs a column, a table or an index: a new file in `migrations/sqlite` and one of the same name in
//!    `migrations/postgres`, with the next number, and its line in both `migrations.rs`. Files that were released are never changed. Say there which programs can live with the
//!    new schema: if the last release can, an upgrade can be rolled back; `./test-env/test upgrade` tries the program before. Prefer a
//!    partial index, which holds the rows that are still looked for and forgets the others.
//! 3. If rows change their shape: `rows.rs`, and its round trip in `rows/tests.rs`.
//! 4. The SQL, in the file of its table under each engine: in the `statements!` list (so that its plan is tested), with
//!    `?1` parameters for SQLite and `$1` for PostgreSQL, there in one statement; and a function that runs it by the helpers
//!    of the engine's `query.rs`.
//! 5. One line in each engine's `mod.rs`: a read, a list or a change. What can be computed before is computed there and not
//!    in SQLite's writer, which is one thread.
//! 6. One line in `measured.rs`, which times every call.
//! 7. Its stories, good and bad, in `tests/it/contract`, which `./test-env/test postgres` runs on PostgreSQL.

pub mod config;
pub mod copy;
pub mod prune;

mod error;
mod measured;
mod metrics;
mod migration;
mod rows;
mod status;
mod tables;
mod upgrade;

mod postgres;
mod sqlite;

pub use crate::metrics::METRICS;
pub use config::{Config, ConfigError, Credentials, Engine};
pub use error::OpenError;
pub use measured::Measured;
pub use postgres::{NearReads, PostgresStorage, Roles};
pub use sqlite::{SqliteStorage, backup};
pub use status::{Status, Table, status};
pub use upgrade::migrate;
