//! `cairn admin db copy`: a CA moves from SQLite to PostgreSQL.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use cairn_sa::config::Postgres;
use cairn_sa::copy::{self, Copied};
use cairn_sa::{Config as StorageConfig, Engine};

use super::remark;
use crate::cli::admin::CopyArgs;
use crate::config::Config;
use crate::lock::DirectoryLock;
use crate::storage;

/// Rows of one table between two words about the progress.
const ROWS_PER_WORD: u64 = 50_000;

/// Copies, and says what was copied and what to do now.
pub(super) async fn run(args: &CopyArgs) -> Result<String> {
    let path = args.from.path();
    let postgres = target(args)?;
    let credentials = storage::credentials(&postgres)?;
    let _lock = hold(path).context("a copy wants no server to run on either database; stop it")?;
    let name = format!("{} on {}", postgres.database, postgres.host);
    let config = StorageConfig { engine: Engine::Postgres, postgres, ..StorageConfig::default() };
    let mut told = 0;
    let copied = copy::copy(path, &config, &credentials, |table, rows| {
        if rows / ROWS_PER_WORD != told {
            told = rows / ROWS_PER_WORD;
            remark(&format!("{table}: {rows} rows"));
        }
    })
    .await?;
    Ok(report(path, &name, &copied))
}

/// The database to fill, with the files that it takes to get in.
fn target(args: &CopyArgs) -> Result<Postgres> {
    if let Some(file) = &args.to_config {
        let config = Config::read(file)?;
        ensure!(
            config.sa.engine == Engine::Postgres,
            "{} is for another engine than PostgreSQL; write [sa] engine = \"postgres\" and [sa.postgres] there first",
            file.display()
        );
        config.sa.validate().with_context(|| format!("[sa] of {}", file.display()))?;
        return Ok(config.sa.postgres);
    }
    let place = args.to.as_ref().context("name the new database, by --to or by --to-config")?;
    Ok(Postgres { password_file: args.password_file.clone(), ..place.postgres().clone() })
}

/// Takes the folder of the old database as a server would, if one ever did.
fn hold(database: &Path) -> Result<Option<DirectoryLock>> {
    ensure!(database.is_file(), "there is no database {}", database.display());
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if DirectoryLock::is_used_in(folder) { DirectoryLock::take(folder).map(Some) } else { Ok(None) }
}

fn report(from: &Path, to: &str, copied: &[Copied]) -> String {
    let mut text = format!("Copied {} to {to}. Both say:\n\n", from.display());
    for Copied { table, rows, checksum } in copied {
        let checksum: String = checksum.iter().map(|octet| format!("{octet:02x}")).collect();
        let _ = writeln!(text, "  {table:<16}{rows:>10} rows  SHA-256 {checksum}");
    }
    let _ = write!(
        text,
        "\nStart the server with [sa] engine = \"postgres\", and never again one on {}: keep the file as a backup of this day.\n",
        from.display()
    );
    text
}
