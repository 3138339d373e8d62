//! The environment of docker-compose.yml, as its users have it: started by `docker compose up` (or docker-compose) from the very file,
//! with names, networks and ports of its own.
//!
//! ```sh
//! ./test-env/test compose
//! ```
//!
//! builds the images, from stand-ins for the two base images where none can be pulled (`test-env/base-images`), and runs this.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod project;

mod clients;
mod everyday;
mod monitoring;
mod relying_parties;
mod walls;

mod bad_days;

use std::fmt::Display;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Tells whoever waits how far it has come: it takes minutes.
fn say(what: impl Display) {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    println!("{:4} s: {what}", BEGIN.elapsed().as_secs());
}

/// One environment at a time: a dozen processes each, and two cores often.
fn in_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
