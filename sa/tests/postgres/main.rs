//! The contract that every engine must keep, on PostgreSQL, and what that engine promises besides. The server is the tests'
//! own: `./test-env/test postgres` installs its programs and runs this.

// Redundant to the compiler; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

#[macro_use]
#[path = "../it/contract/mod.rs"]
mod contract;
#[path = "../it/world.rs"]
mod world;

mod database;

mod copy;
mod crash;
mod failover;
mod groups;
mod isolation;
mod limits;
mod lock;
mod open;
mod plans;
mod replica;
mod roles;
mod schema;
mod status;
mod tls;
mod workers;

mod postgres {
    contract!(crate::database::world);
}
