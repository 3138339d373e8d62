//! A small ACME client (RFC 8555), for two things that a good client is bad at: loading a server without being the bottleneck
//! itself, and sending what no client should send.
//!
//! [`Client`] is one keep-alive connection and its nonce. Its methods are the requests of RFC 8555 §7, a method each; where a test
//! wants a wrong one, it takes [`Client::header`], spoils it, signs it with the account's key and sends it with [`Client::send`].
//! [`certify`] puts the requests together into the way from an order to its certificate, from wherever the order stands: it goes on
//! as well with an order that an earlier run left behind.
//!
//! It does not do what only a program for daily use needs: keep accounts, renew, look for alternate chains.

mod client;
mod connection;

mod account;
mod objects;
mod problem;

mod certify;
mod csr;

pub use account::{Account, Signer};
pub use certify::{Certified, certify, resume};
pub use client::{Client, JOSE, Placed, Polled, Step};
pub use connection::{Connection, Endpoint, Response};
pub use csr::CertificateRequest;
pub use objects::{Authorization, Challenge, Directory, Identifier, Order, Status};
pub use problem::{Error, Problem, Result};
