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

mod everyday;
mod monitoring;

mod bad_days;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One environment at a time: a dozen processes each, and two cores often.
fn in_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
