//! What the black-box tests stand on: the real `cairn` binary in a child process, foreign programs beside it, an ACME client of our own,
//! and the subscriber's side of the challenges.
//!
//! The stories themselves are in `tests/`, one binary for each thing a machine needs to run them: `tests/clients` wants
//! certbot, lego and their like installed, `tests/postgres` a PostgreSQL server, `tests/readme` wants the built release. `./test-env/test` installs and runs
//! all of it.
//!
//! What starts and stops programs blocks. A test that runs on tokio may call it all the same: nothing there waits for the test's own
//! tasks.

pub mod harness;
pub mod home;
pub mod hsm;
pub mod own_network;
pub mod port;
pub mod postgres;
pub mod program;
pub mod relay;
pub mod relying_party;
pub mod site;
pub mod split;
pub mod turned_clock;
pub mod wait;

pub mod acme;
pub mod challenges;

pub mod invariants;
pub mod ledger;
pub mod load;
