//! What every storage engine must do (`contract`), run on SQLite, and what SQLite promises besides. `tests/postgres` does the
//! same for PostgreSQL, which needs a server.

// Redundant to the compiler; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

#[macro_use]
mod contract;
mod world;

mod backup;
mod sqlite;
