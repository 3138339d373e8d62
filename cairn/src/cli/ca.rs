//! The command line of `cairn ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with the certificates and keys that a CA issues with.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Show each certificate of the hierarchy: where its key is, what it may issue, its chains, and when it must be replaced
    List(ListArgs),
}

/// Options of `cairn ca list`.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// The server's configuration file; the server need not run
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
