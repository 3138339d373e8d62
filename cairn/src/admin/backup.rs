//! `cairn admin backup`: a copy of the SQLite database, of one moment, while the server runs or while it does not.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use cairn_sa::Engine;
use cairn_sa::backup::{self, Progress};
use cairn_sa::config::Postgres;

use super::files::{self, Draft};
use super::{described, remark};
use crate::cli::admin::BackupArgs;
use crate::config::Config;
use crate::storage;

/// Databases from this size on, in octets, take long enough for a word now and then.
const LARGE: u64 = 64 << 20;

const MIB: u64 = 1 << 20;

/// Makes the file, and says what is in it.
pub(super) fn run(args: &BackupArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    if config.sa.engine == Engine::Postgres {
        bail!(
            "the database is PostgreSQL's; its own tool makes the copy:\n\n    {}\n\ndocs/OPERATIONS.md says more",
            pg_dump(&config.sa.postgres, &args.to)
        );
    }
    let database = storage::database(&config).context("data_dir")?;
    ensure!(
        files::is_taken(&database)?,
        "there is no database {}: no server has run with this configuration yet",
        database.display()
    );
    ensure!(
        !files::is_taken(&args.to)?,
        "{} exists, and nothing is overwritten; name another file",
        args.to.display()
    );
    let draft = Draft::new(&args.to)?;
    let mut told = 0;
    let contents = backup::copy(&database, draft.path(), |progress| tell(progress, &mut told))?;
    draft.keep_as(&args.to)?;
    Ok(format!(
        "{} is a good backup of {}: {}.\n",
        args.to.display(),
        database.display(),
        described(&contents)
    ))
}

/// A line for each tenth of a large database.
fn tell(Progress { done, total }: Progress, told: &mut u64) {
    let tenths = (done * 10).checked_div(total).unwrap_or(10);
    if total >= LARGE && tenths > *told {
        *told = tenths;
        remark(&format!("copied {} of {} MiB", done / MIB, total / MIB));
    }
}

/// What to run for this database instead. The password comes from a file as ever.
fn pg_dump(postgres: &Postgres, to: &Path) -> String {
    format!(
        "pg_dump --host {} --port {} --username {} --dbname {} --format custom --file {}",
        postgres.host,
        postgres.port,
        postgres.user,
        postgres.database,
        to.display()
    )
}
