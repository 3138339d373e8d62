//! `cairn admin`: what an operator does besides running servers. Each deed has a file of its own.

mod ask;
mod connection;
mod objects;
pub(crate) mod sheet;

mod backup;
mod copy;
mod files;
mod incident;
pub mod place;
mod restore;
mod schema;
mod selected;
mod status;

use std::io::Write as _;

use anyhow::{Context, Result};
use cairn_sa::backup::Contents;

use crate::cli::admin::{AdminCommand, DbCommand};

/// Does what is asked.
///
/// # Errors
/// With what is wrong and what to do.
pub async fn run(command: AdminCommand) -> Result<()> {
    match command {
        AdminCommand::Backup(args) => say(&backup::run(&args)?),
        AdminCommand::Restore(args) => say(&restore::run(&args)?),
        AdminCommand::Account(command) => say(&ask::account(command).await?),
        AdminCommand::Order(command) => say(&ask::order(command).await?),
        AdminCommand::Authorization(command) => say(&ask::authorization(command).await?),
        AdminCommand::Certificate(command) => say(&ask::certificate(command).await?),
        AdminCommand::Revoke(args) => say(&selected::run(*args).await?),
        AdminCommand::Incident(command) => say(&incident::run(*command).await?),
        AdminCommand::Issuer(command) => say(&incident::issuer(command).await?),
        AdminCommand::Key(command) => say(&ask::key(command).await?),
        AdminCommand::Status(args) => say(&ask::status(args).await?),
        AdminCommand::Db(DbCommand::Copy(args)) => say(&copy::run(&args).await?),
        AdminCommand::Db(DbCommand::Migrate(args)) => say(&schema::migrate(&args).await?),
        AdminCommand::Db(DbCommand::Status(args)) => say(&status::run(&args).await?),
        AdminCommand::Db(DbCommand::Roles(args)) => say(&schema::roles(&args)?),
    }
}

fn say(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

/// A word to the person who waits. There is nobody left to tell when standard error is closed.
fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Tables that say nothing of the CA.
const BESIDE: [&str; 2] = ["schema_version", "workers"];

/// What is in a database, in a sentence or two.
fn described(contents: &Contents) -> String {
    let rows: Vec<String> = contents
        .rows
        .iter()
        .filter(|(table, _)| !BESIDE.contains(&table.as_str()))
        .map(|(table, rows)| format!("{rows} {}", table.replace('_', " ")))
        .collect();
    let newest = match contents.newest_certificate {
        Some(at) => format!("the newest certificate is of {at}"),
        None => "no certificate yet".to_owned(),
    };
    format!("schema {}; {}; {newest}", contents.schema, rows.join(", "))
}
