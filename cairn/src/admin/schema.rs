<<<<<<< HEAD
//! `cairn admin db migrate` and `cairn admin db roles`: what the owner of a database does to it before servers of a new version start.

use anyhow::{Context, Result, ensure};
use cairn_sa::{Engine, Roles};

use super::remark;
use crate::cli::admin::{MigrateArgs, RolesArgs};
use crate::config::Config;
use crate::storage;

/// Brings the schema up to date, and says what it is then.
pub(super) async fn migrate(args: &MigrateArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    let mut sa = config.sa.clone();
    if let Some(user) = &args.user {
        sa.postgres.user.clone_from(user);
    }
    if let Some(file) = &args.password_file {
        sa.postgres.password_file = Some(file.clone());
    }
    let credentials = match sa.engine {
        Engine::Sqlite => {
            sa.path = storage::data_dir(&config)?.join(&sa.path);
            cairn_sa::Credentials::default()
        }
        Engine::Postgres => storage::credentials(&sa.postgres).context("[sa.postgres]")?,
    };
    // A PostgreSQL database may be in use meanwhile; a file may not.
    let _lock = storage::take_data_dir(&config)?;
    let mut changes = 0_u32;
    let newest = cairn_sa::migrate(&sa, &credentials, &mut |number, name| {
        changes += 1;
        remark(&format!("schema {number}: {name}"));
    })
    .await?;
    Ok(match changes {
        0 => format!("The schema is up to date: {newest} is the newest that this version knows.\n"),
        _ => format!(
            "The schema is now {newest}. Servers of this version can be started, one after the other.\n"
        ),
    })
=======
//! `cairn admin db migrate` and `db roles`: the schema and the rights on it, as deeds of their own.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use cairn_sa::{Credentials, Engine, Roles};

use crate::cli::admin::{ConfigArgs, RolesArgs};
use crate::config::Config;
use crate::storage;

/// Runs the migrations that the database has not seen, and says which.
pub(super) async fn migrate(args: &ConfigArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    let mut sa = config.sa.clone();
    let lock = "SQLite changes its schema while no server runs; stop it, or let its next start do it";
    let _lock = storage::take_data_dir(&config).context(lock)?;
    let credentials = match sa.engine {
        Engine::Sqlite => {
            sa.path = storage::database(&config).context("data_dir")?;
            Credentials::default()
        }
        Engine::Postgres => storage::credentials(&sa.postgres).context("[sa.postgres]")?,
    };
    let mut told = String::new();
    let newest = cairn_sa::migrate(&sa, &credentials, &mut |_, name| {
        let _ = writeln!(told, "{name}");
    })
    .await?;
    let _ = if told.is_empty() {
        writeln!(told, "Nothing to do: the schema is {newest}, the newest that this program knows.")
    } else {
        writeln!(told, "The schema is now {newest}, the newest that this program knows.")
    };
    Ok(told)
>>>>>>> admin
}

/// The SQL that makes roles with no more rights than they need.
pub(super) fn roles(args: &RolesArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
<<<<<<< HEAD
    ensure!(config.sa.engine == Engine::Postgres, "roles are only for [sa] engine = \"postgres\"");
    let roles = Roles {
        database: config.sa.postgres.database,
        owner: args.owner.clone(),
=======
    ensure!(
        config.sa.engine == Engine::Postgres,
        "{} is for SQLite, which has no roles: who may read the file may read all",
        args.config.display()
    );
    let postgres = config.sa.postgres;
    let roles = Roles {
        database: postgres.database,
        owner: args.owner.clone().unwrap_or(postgres.user),
>>>>>>> admin
        sa: args.server.clone(),
        read: args.reader.clone(),
    };
    Ok(roles.sql()?)
}
