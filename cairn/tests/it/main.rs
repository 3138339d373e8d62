//! The binary's integration tests.
#![cfg(test)]

mod architecture;
mod bridge;
mod config_docs;
mod metrics_docs;
mod written;
