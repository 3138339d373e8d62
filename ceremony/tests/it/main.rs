//! Ceremonies as people hold them, from the examples that the program prints to the folder that it makes.

mod hierarchy;
mod interruptions;
mod support;
mod tampering;
