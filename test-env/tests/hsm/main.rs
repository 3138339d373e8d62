//! Keys in a hardware security module, by SoftHSM, which `./test-env/test hsm` installs.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod ceremonies;
mod server;
mod signer;
