//! `cairn admin db status`: what a database is like, and what to do next. It only reads, and servers may run.

use anyhow::{Context, Result};
use cairn_sa::Engine;

use super::sheet::Sheet;
use crate::cli::admin::DbStatusArgs;
use crate::config::Config;
use crate::storage;

/// Looks, and says what it saw.
pub(super) async fn run(args: &DbStatusArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    let mut sa = config.sa.clone();
    let credentials = match sa.engine {
        Engine::Sqlite => {
            sa.path = storage::database(&config)?;
            cairn_sa::Credentials::default()
        }
        Engine::Postgres => storage::credentials(&sa.postgres).context("[sa.postgres]")?,
    };
    let status = cairn_sa::status(&sa, &credentials).await?;
    let mut sheet = Sheet::new()
        .json("schema", status.schema)
        .json("newest_known_schema", status.known)
        .json("oldest_program_schema", status.needed)
        .with("to_do", status.advice());
    for (name, value) in status.engine {
        sheet = sheet.with(name, value);
    }
    let tables = status.tables.into_iter().map(|table| {
        let unknown = "unknown".to_owned();
        let rows = table.rows.map_or(unknown, |rows| rows.to_string());
        Sheet::new().with("table", table.name).with("rows", rows).maybe("octets", table.octets)
    });
    let sheet = sheet.sheets("tables", tables);
    Ok(if args.json { format!("{:#}\n", sheet.into_json()) } else { sheet.into_text() })
}
