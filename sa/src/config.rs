//! The storage's configuration.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Deserialize;

/// More connections than this only share the same disk cache in smaller pieces.
const READERS: RangeInclusive<usize> = 1..=16;
/// A longer queue only makes callers wait for an answer that comes too late for their clients.
const QUEUE: RangeInclusive<usize> = 1..=65_536;

/// Where and how the storage keeps what it remembers.
///
/// ```toml
/// path = "cairn.db"
/// readers = 3
/// queue = 1024
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The SQLite database's file; a relative path is taken from the data directory. Its folder must exist, lie on a
    /// local disk (SQLite's locks and shared memory do not work over a network), and belong to the server alone: two
    /// more files, `-wal` and `-shm`, lie beside it while the server runs, and a copy of the one without the others
    /// is no backup. Default: `cairn.db`.
    pub path: PathBuf,

    /// Connections for reading, 1 to 16. A read takes microseconds, so that a few serve all cores; each may take 1 MiB
    /// of memory for its cache. Too few make requests wait for each other. Default: 3.
    pub readers: usize,

    /// Changes that may wait for the writer, 1 to 65536; further ones are refused with status 503 until it has caught
    /// up. Everything that waits is written together, so that even a full queue is gone after a few commits. Too short
    /// refuses bursts that could be served; too long lets clients wait for minutes on a slow disk. Default: 1024.
    pub queue: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { path: PathBuf::from("cairn.db"), readers: 3, queue: 1024 }
    }
}

impl Config {
    /// Whether the storage can be opened with this, as far as can be told without opening it.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.path.file_name().is_none() {
            return Err(ConfigError {
                key: "path",
                problem: "names no file; write for example \"cairn.db\"".to_owned(),
            });
        }
        within("readers", self.readers, READERS)?;
        within("queue", self.queue, QUEUE)
    }
}

fn within(key: &'static str, value: usize, range: RangeInclusive<usize>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let problem = format!("is {value}; choose a number from {} to {}", range.start(), range.end());
    Err(ConfigError { key, problem })
}

/// A value in the storage's configuration that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub struct ConfigError {
    /// Which value.
    pub key: &'static str,
    /// What is wrong with it and how to mend it.
    pub problem: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn the_example_is_the_default() {
        let example = "path = \"cairn.db\"\nreaders = 3\nqueue = 1024\n";
        assert_eq!(toml::from_str::<Config>(example).unwrap(), Config::default());
    }

    #[test]
    fn every_bad_value_is_named_with_a_way_out() {
        let bad = [
            ("path", Config { path: PathBuf::from("/"), ..Config::default() }),
            ("readers", Config { readers: 0, ..Config::default() }),
            ("readers", Config { readers: 17, ..Config::default() }),
            ("queue", Config { queue: 0, ..Config::default() }),
        ];
        for (key, config) in bad {
            let error = config.validate().unwrap_err();
            assert_eq!(error.key, key);
            assert!(error.to_string().contains("choose") || error.to_string().contains("write"), "{error}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("reader = 4").is_err());
        let config: Config = toml::from_str("readers = 4").unwrap();
        assert_eq!(config, Config { readers: 4, ..Config::default() });
    }
}
