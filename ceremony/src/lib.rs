//! Key ceremonies: an offline root, its intermediates, and what they need for their whole life.
//!
//! A ceremony is two files and a folder. [`mod@file`] says all that is made, is reviewed, and is confirmed by its SHA-256; [`machine`] says
//! where things lie. [`plan`] works out what is made, [`make`] makes it (linted before a key is touched), [`run`] holds the ceremony and
//! writes the folder with its [`record`], and [`verify`] checks the folder, from the same plan, byte for byte.
//!
//! It stands on `x509` alone, and has no runtime and no network: an auditor reads two crates. docs/CEREMONY.md is for those who hold
//! ceremonies.

pub mod bundle;
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
mod times;
pub mod verify;
pub mod words;
