//! What ceremonies make, judged by others: OpenSSL of Debian stable and of the release after (which knows ML-DSA), GnuTLS, Python's
//! `cryptography`, and pkilint. `./test-env/test verifiers` installs them.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod algorithms;
mod constraints;
mod crosses;
mod hall;
mod judges;
mod revocation;
