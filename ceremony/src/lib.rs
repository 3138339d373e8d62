//! Key ceremonies.

pub mod file;
pub mod shares;
