//! Cairn as its clients and its operators meet it: the real binary, from outside.
//!
//! Nothing but Rust is needed to run these. Each story starts servers of its own, on data and ports of their own.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod world;

mod instant;

mod requests;

mod accounts;
mod ocsp;
mod orders;
mod renewal;
mod revocation;
mod validation;

mod admin;
mod backup;
mod incidents;
mod metrics;
mod process;

mod issuers;
mod serve;

mod traces;
