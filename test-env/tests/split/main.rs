//! The split form on its bad days: two processes of each role on PostgreSQL, under load, and one of them is killed, or restarted, or the
//! network between them or the database goes away. After each, everything heals; clients were told nothing that is not so; and the
//! database holds all its invariants.
//!
//! ```sh
//! ./test-env/test split
//! CAIRN_SPLIT_ROUNDS=100 ./test-env/test split
//! ```
//!
//! The moments follow from a seed that is printed; `CAIRN_SPLIT_SEED` sets it.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod world;

mod admin;
mod cost;
mod database;
mod issuers;
mod kills;
mod loss;
mod network;
mod nonces;
mod ocsp;
mod rolling;
