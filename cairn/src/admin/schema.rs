//! `cairn admin db migrate` and `cairn admin db roles`: what the owner of a database does to it before servers of a new version start.

use anyhow::{Context, Result, ensure};
use cairn_sa::config::Kept;
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
    let lock = "SQLite changes its schema while no server runs; stop it, or let its next start do it";
    let _lock = storage::take_data_dir(&config).context(lock)?;
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
}

/// The SQL that makes roles with no more rights than they need.
pub(super) fn roles(args: &RolesArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    ensure!(
        config.sa.engine == Engine::Postgres,
        "{} is for SQLite, which has no roles: who may read the file may read all",
        args.config.display()
    );
    let roles = Roles {
        database: config.sa.postgres.database.clone(),
        owner: args.owner.clone(),
        sa: args.server.clone(),
        read: args.reader.clone(),
        replica: config.sa.postgres.replica.is_some(),
        prune_certificates: config.sa.keep.certificates != Kept::Forever,
    };
    Ok(roles.sql()?)
}
