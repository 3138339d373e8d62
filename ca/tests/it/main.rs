//! Stories of the certificate authority, told from outside: what it stores, signs, refuses and logs.

// Redundant to the compiler; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

mod audit;
mod choice;
mod crls;
mod issuance;
mod issuers;
mod ocsp;
mod refusals;
mod storage;
mod world;
