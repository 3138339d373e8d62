//! Stories of the registration authority with the real policy and storage, and with a validation and a certificate authority that
//! do as they are told.

// Always true here; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

mod world;

mod accounts;
mod admin;
mod finalize;
mod incidents;
mod listener;
mod orders;
mod replacing;
mod revocation;
mod selection;
mod sweeper;
mod validation;
