//! What the black-box tests stand on: the real `cairn` binary in a child process, and foreign programs beside it.
//!
//! The stories themselves are in `tests/`, one binary for each thing a machine needs to run them: `tests/clients` wants
//! certbot, lego and their like installed, `tests/readme` wants the built release. `./test-env/test` installs and runs
//! all of it.
//!
//! Everything here blocks. A test that runs on tokio may call it all the same: nothing waits for the test's own tasks.

pub mod harness;
pub mod home;
pub mod port;
pub mod program;
mod wait;
