//! `cairn admin restore`: a backup in the place of the SQLite database, at once and while no server runs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cairn_core::Clock;
use cairn_core::time::SystemClock;
use cairn_sa::Engine;
use cairn_sa::backup::{self, BackupError};

use super::files::{self, Draft, beside};
use super::{described, remark};
use crate::cli::admin::RestoreArgs;
use crate::config::Config;
use crate::storage;

/// What SQLite keeps beside a database that is in use.
const LOG: &str = "-wal";
const SHARED_MEMORY: &str = "-shm";

/// Puts the backup in place, and says what is there now.
///
/// 1. No server runs, and none starts before the end: the data directory is taken.
/// 2. The backup is copied beside the database, and the copy is looked at: it is what will be used.
/// 3. The old database is made one file and gets a second name. It keeps its first until the copy takes that over, so that there is
///    never a moment without a database.
pub(super) fn run(args: &RestoreArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    if config.sa.engine == Engine::Postgres {
        let postgres = &config.sa.postgres;
        bail!(
            "the database is PostgreSQL's; its own tool restores it, into an empty database and with no server running:\n\n    \
             pg_restore --host {} --port {} --username {} --dbname {} --exit-on-error --single-transaction {}\n\n\
             docs/OPERATIONS.md says more",
            postgres.host,
            postgres.port,
            postgres.user,
            postgres.database,
            args.from.display()
        );
    }
    let database = storage::database(&config).context("data_dir")?;
    let _lock = storage::take_data_dir(&config)
        .context("a restore wants no server to run; stop it, and start it again afterwards")?;
    let exists = files::is_taken(&database)?;
    ensure!(
        args.replace || !exists,
        "there is a database {}; say --replace to have the backup take its place (it is kept, under another name)",
        database.display()
    );
    refuse_half_a_database(&args.from)?;
    let draft = Draft::new(&database)?;
    copy(&args.from, draft.path())?;
    draft.sync()?;
    let contents = backup::inspect(draft.path())
        .with_context(|| format!("{} is not restored (its copy was looked at)", args.from.display()))?;
    backup::settle(draft.path())?;
    let aside = put_aside(&database)?;
    draft.keep_as(&database)?;
    let mut told = format!(
        "{} holds the backup {}: {}.\n",
        database.display(),
        args.from.display(),
        described(&contents)
    );
    if let Some(aside) = aside {
        told.push_str(&format!("What was there before is {}.\n", aside.display()));
    }
    told.push_str(
        "Start the server. What was issued after the backup is valid, but this CA does not know it.\n",
    );
    Ok(told)
}

/// A copy of the database's file alone, taken while a server ran, lacks what was in the log.
fn refuse_half_a_database(from: &Path) -> Result<()> {
    let log = beside(from, LOG);
    ensure!(
        !files::is_taken(&log)?,
        "there is {} beside it: this is a database in use, or files copied from one, and no backup. `cairn admin backup` makes one.",
        log.display()
    );
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    let copied = OpenOptions::new().write(true).open(to).and_then(|mut to| io::copy(&mut source, &mut to));
    copied.map(drop).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Gives what is in the database's place a second name, and says which.
fn put_aside(database: &Path) -> Result<Option<PathBuf>> {
    let log = beside(database, LOG);
    let exists = files::is_taken(database)?;
    if !exists && !files::is_taken(&log)? {
        return Ok(None);
    }
    let time = SystemClock.now().to_string().replace(':', "");
    let aside = beside(database, &format!(".replaced-{time}"));
    if exists {
        match backup::settle(database) {
            Ok(()) => {}
            Err(busy @ BackupError::Busy { .. }) => return Err(busy.into()),
            Err(error) => remark(&format!("the old database cannot be read and is kept as it is ({error})")),
        }
        link(database, &aside)?;
    }
    // Of a database that could not be read, or is gone: a log must never meet the database of another time.
    if files::is_taken(&log)? {
        link(&log, &beside(&aside, LOG))?;
        fs::remove_file(&log).with_context(|| format!("cannot remove {}", log.display()))?;
    }
    let _ = fs::remove_file(beside(database, SHARED_MEMORY));
    files::sync_folder_of(database)?;
    Ok(Some(aside))
}

fn link(from: &Path, to: &Path) -> Result<()> {
    fs::hard_link(from, to).with_context(|| format!("cannot keep {} as {}", from.display(), to.display()))
}
