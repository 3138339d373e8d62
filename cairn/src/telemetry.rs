//! What the process tells of itself. Logs: structured events on standard error, so that standard output stays free for what a person
//! pastes. Metrics begin here too ([`metrics`]), and traces, if they are wanted ([`traces`]).

pub mod traces;

use anyhow::{Context, Result};
use serde::Deserialize;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::metrics;
use crate::roles::Roles;

pub use self::traces::Trace;

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

/// Starts logging, counting and, if so configured, tracing. Once per process, which plays these roles; inside the runtime if it traces.
///
/// # Errors
/// If the level cannot be read, traces cannot be sent, or logging was started before.
pub fn start(log: &Config, trace: &Trace, roles: &Roles) -> Result<()> {
    let filter = match std::env::var(LEVEL_VARIABLE) {
        Ok(level) => Config { level, ..log.clone() }.filter().context(LEVEL_VARIABLE)?,
        Err(_) => log.filter()?,
    };
    metrics::start()?;
    let events = match log.format {
        Format::Text => {
            use std::io::IsTerminal;
            fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).boxed()
        }
        Format::Json => fmt::layer().with_writer(std::io::stderr).json().flatten_event(true).boxed(),
    };
    let started = match traces::start(trace, roles)? {
        // Without traces, the filter is the only one: what it does not want costs a look at a flag.
        None => tracing_subscriber::registry().with(events).with(filter).try_init(),
        Some(tracer) => {
            let spans =
                tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
            let spans = spans.with_filter(filter_fn(traces::traced));
            tracing_subscriber::registry().with(events.with_filter(filter)).with(spans).try_init()
        }
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
