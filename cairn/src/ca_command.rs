//! `cairn ca`: the certificates and keys that a CA issues with.

mod list;

use std::io::Write as _;

use anyhow::{Context, Result};

use crate::cli::ca::CaCommand;

/// Carries it out.
///
/// # Errors
/// With what is wrong and what to do.
pub fn run(command: CaCommand) -> Result<()> {
    let text = match command {
        CaCommand::List(args) => list::list(&args)?,
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
