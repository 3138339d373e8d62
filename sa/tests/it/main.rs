//! What every storage engine must do (`contract`), run on each engine, and what each engine promises besides.

// Redundant to the compiler; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

#[macro_use]
mod contract;
mod world;

mod sqlite;
