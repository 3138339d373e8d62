//! (to be written)

pub mod hierarchy;
