//! Every call through a client and a server, and what a peer may do wrong. Beside it, whether the generated code is that of the
//! `.proto` files.

// Always true here; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

mod fake;
mod sample;
mod world;

mod calls;
mod errors;
mod hostile;
mod sizes;

mod generated;
