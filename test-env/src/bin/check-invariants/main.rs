//! Looks whether everything holds in a Cairn's database that must hold in it, and says what it looked at.
//!
//! ```sh
//! cargo run -p cairn-test-env --bin check-invariants -- --sqlite cairn-data/cairn.db
//! ```
//!
//! It reads, and nothing else; the server may run meanwhile. Exit code 0: everything holds. 1: something does not, and the ids are
//! printed. 2: it could not look.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cairn_test_env::invariants::{self, Database, Limits, Report};
use cairn_test_env::ledger;
use clap::{ArgGroup, Parser};

const NOT_SO: u8 = 1;
const COULD_NOT_LOOK: u8 = 2;

/// Look whether everything holds in a Cairn's database that must hold in it.
///
/// Asks the database with its own shell, sqlite3 or psql, which must be installed; it reads, and nothing else, and the server may run
/// meanwhile. Prints each invariant with how many rows it was looked at for, and the ids (as they stand in URLs) of those for which it
/// does not hold. Exit code 0: everything holds. 1: something does not. 2: it could not look.
#[derive(Debug, Parser)]
#[command(max_term_width = 100, group(ArgGroup::new("database").required(true)))]
struct Options {
    /// The file of an SQLite database, such as cairn-data/cairn.db
    #[arg(long, value_name = "FILE", group = "database")]
    sqlite: Option<PathBuf>,

    /// A PostgreSQL database as psql is told: "host=db dbname=cairn user=cairn", or postgresql://…; the password is taken from where psql
    /// looks for it, ~/.pgpass or PGPASSWORD
    #[arg(long, value_name = "CONNECTION", group = "database")]
    postgres: Option<String>,

    /// What clients were given, as `load-generator --ledger` writes it: each certificate in it must be stored
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,

    /// From how many seconds on an order in processing, or a validation, counts as stuck; 0 where nothing may be under way. The default is
    /// longer than a killed server's leftovers wait to be taken up with the default configuration
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    processing_limit: u64,

    /// Also fail for a certificate whose order was given up. Where several processes issue, one that was held up may leave such, which
    /// nobody was given; a single process never does
    #[arg(long)]
    strict: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(report) => {
            let written = writeln!(std::io::stdout(), "{report}");
            match (report.holds(), written) {
                (true, Ok(())) => ExitCode::SUCCESS,
                (false, Ok(())) => NOT_SO.into(),
                (_, Err(_)) => COULD_NOT_LOOK.into(),
            }
        }
        Err(error) => {
            let _written = writeln!(std::io::stderr(), "check-invariants: {error:#}");
            COULD_NOT_LOOK.into()
        }
    }
}

fn run(options: &Options) -> Result<Report> {
    let database = match (&options.sqlite, &options.postgres) {
        (Some(file), _) => Database::Sqlite(file.clone()),
        (None, connection) => {
            Database::Postgres(connection.clone().context("neither --sqlite nor --postgres")?)
        }
    };
    let ledger = options.ledger.as_deref().map(ledger::read).transpose()?;
    let processing = Duration::from_secs(options.processing_limit);
    let limits = Limits { processing, given_up: !options.strict };
    invariants::check(&database, limits, ledger.as_deref())
}
