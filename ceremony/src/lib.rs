//! Key ceremonies.

pub mod clock;
pub mod file;
pub mod folder;
pub mod key_file;
pub mod keys;
pub mod machine;
pub mod qr;
pub mod record;
pub mod shares;
pub mod terminal;
pub mod words;
