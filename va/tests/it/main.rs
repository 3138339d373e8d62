//! The Validation Authority against a fake DNS and small servers on loopback: what it accepts, what it refuses, and what it says.

// Redundant to the compiler; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

mod dialling;
mod dns01;
mod http01;
mod redirects;
mod scripted_dns;
mod tls_alpn01;
mod world;
