//! Key ceremonies.

pub mod cli;
pub mod clock;
pub mod examples;
pub mod file;
pub mod folder;
pub mod inputs;
pub mod key_file;
pub mod keys;
pub mod machine;
pub mod make;
pub mod plan;
pub mod qr;
pub mod record;
mod rehearsal;
pub mod run;
pub mod shares;
mod sheet;
pub mod show;
pub mod terminal;
pub mod verify;
pub mod words;
