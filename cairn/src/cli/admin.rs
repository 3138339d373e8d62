//! The command line of `cairn admin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::admin::place::{PostgresPlace, SqlitePlace};

/// What an operator can do besides running servers.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Copy the SQLite database to a file, while the server runs or while it does not
    Backup(BackupArgs),
    /// Put a backup in the place of the SQLite database, while no server runs
    Restore(RestoreArgs),
    /// Look after the database itself
    #[command(subcommand)]
    Db(DbCommand),
}

/// What can be done with a database.
#[derive(Clone, Debug, Subcommand)]
pub enum DbCommand {
    /// Copy a CA from SQLite into an empty PostgreSQL database, while no server runs
    ///
    /// Every row of every table goes over in one transaction, and is read back and compared before it ends: whoever interrupts a copy
    /// leaves the new database empty, and begins again.
    Copy(CopyArgs),
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

/// Options of `cairn admin db copy`.
#[derive(Args, Clone, Debug)]
pub struct CopyArgs {
    /// The old database, sqlite:PATH
    #[arg(long, value_name = "sqlite:PATH")]
    pub from: SqlitePlace,

    /// The new database, without a password: postgres://USER@HOST:PORT/DATABASE, or postgres:///DATABASE?host=FOLDER&user=USER for a
    /// socket; with ?sslmode= and ?sslrootcert= as in libpq
    #[arg(long, value_name = "URL", required_unless_present = "to_config", conflicts_with = "to_config")]
    pub to: Option<PostgresPlace>,

    /// With --to: the file with the password; nobody but its owner may be able to read it
    #[arg(long, value_name = "FILE", conflicts_with = "to_config")]
    pub password_file: Option<PathBuf>,

    /// The new database, as the configuration file of a server on PostgreSQL names it
    #[arg(long, value_name = "FILE")]
    pub to_config: Option<PathBuf>,
}
