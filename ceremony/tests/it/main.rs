//! Ceremonies as people hold them, from the examples that the program prints to the folder that it makes.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod bundles;
mod hierarchy;
mod interruptions;
mod support;
mod tampering;
mod wrong_inputs;
