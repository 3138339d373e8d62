//! Logs: structured events on standard error, so that standard output stays free for what a person pastes.

use anyhow::{Context, Result};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::metrics;

/// The `[log]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How each event is written: `"text"` for people, `"json"` (one object a line) for machines. Default `"text"`.
    pub format: Format,
    /// Which events: a level (`error`, `warn`, `info`, `debug`, `trace`), or several `target=level` joined by commas, for example
    /// `"info,cairn_va=debug"`. Default `"info"`. The environment variable `CAIRN_LOG`, where set, wins.
    pub level: String,
}

/// How log events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self { format: Format::Text, level: "info".to_owned() }
    }
}

impl Config {
    /// The filter that `level` describes.
    ///
    /// # Errors
    /// If it is no level and no list of `target=level`.
    pub fn filter(&self) -> Result<EnvFilter> {
        EnvFilter::try_new(format!("{QUIET},{}", self.level))
            .with_context(|| format!("log.level: \"{}\" is no level; write for example \"info\"", self.level))
    }
}

/// Libraries that say at `info` what is only of use to those who mend them. The configured level can make them speak again.
const QUIET: &str = "hickory_server=warn";

/// The environment variable that overrides the configured level.
pub const LEVEL_VARIABLE: &str = "CAIRN_LOG";

/// Starts logging and counting. Once per process.
///
/// # Errors
/// If the level cannot be read, or logging was started before.
pub fn start(config: &Config) -> Result<()> {
    metrics::start()?;
    let filter = match std::env::var(LEVEL_VARIABLE) {
        Ok(level) => Config { level, ..config.clone() }.filter().context(LEVEL_VARIABLE)?,
        Err(_) => config.filter()?,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        Format::Text => {
            use std::io::IsTerminal;
            builder.with_ansi(std::io::stderr().is_terminal()).try_init()
        }
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging was started before: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_says_what_to_write() {
        let config = Config { level: "cairn=loud".to_owned(), ..Config::default() };
        assert!(format!("{:#}", config.filter().unwrap_err()).contains("\"info\""));
    }
}
