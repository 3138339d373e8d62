//! The command line of `cairn admin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What an operator can do besides running servers.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Copy the SQLite database to a file, while the server runs or while it does not
    Backup(BackupArgs),
    /// Put a backup in the place of the SQLite database, while no server runs
    Restore(RestoreArgs),
}

/// Options of `cairn admin backup`.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The file to make; it must not exist
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// Options of `cairn admin restore`.
#[derive(Args, Clone, Debug)]
pub struct RestoreArgs {
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The backup
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,

    /// Replace the database that is there; it is kept under another name
    #[arg(long)]
    pub replace: bool,
}
