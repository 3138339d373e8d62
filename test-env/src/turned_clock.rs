//! A clock that a story turns forward, for itself and for the processes that it starts.
//!
//! Processes are given libfaketime, which reads from a file by how much their clock is ahead. Only the time of day is turned: timers
//! run on the monotonic clock as they always do. So what a server does "when it is time" happens when it next looks at the clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use anyhow::{Context, Result};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use tempfile::TempDir;

/// Where Debian puts it; in a folder named after the processor.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// A clock ahead of this machine's.
#[derive(Clone, Debug)]
pub struct TurnedClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// In seconds.
    ahead: AtomicI64,
    library: PathBuf,
    folder: TempDir,
}

impl TurnedClock {
    /// A clock that shows the right time.
    ///
    /// # Errors
    /// If libfaketime is not installed.
    pub fn new() -> Result<Self> {
        let clock = Self(Arc::new(Inner {
            ahead: AtomicI64::new(0),
            library: library()?,
            folder: tempfile::tempdir()?,
        }));
        clock.turn(0)?;
        Ok(clock)
    }

    /// Turns it forward by so many seconds, for everybody at once.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn turn(&self, seconds: i64) -> Result<()> {
        let ahead = self.0.ahead.load(Ordering::SeqCst) + seconds;
        // Whole or not at all: processes read it whenever they look at the clock.
        let next = self.0.folder.path().join("next");
        fs::write(&next, format!("{ahead:+}\n"))?;
        fs::rename(next, self.file())?;
        self.0.ahead.store(ahead, Ordering::SeqCst);
        Ok(())
    }

    /// What it shows, in seconds since 1970.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is a clock: the machine's, and what it was turned by"
    )]
    pub fn now(&self) -> i64 {
        let machines = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(machines).unwrap_or(i64::MAX) + self.0.ahead.load(Ordering::SeqCst)
    }

    /// What a process needs in its environment to go by this clock.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.0.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.0.folder.path().join("ahead")
    }
}

/// For clients that look whether a server's certificate is still valid.
impl TimeProvider for TurnedClock {
    fn current_time(&self) -> Option<UnixTime> {
        u64::try_from(self.now()).ok().map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn library() -> Result<PathBuf> {
    let architecture = env::consts::ARCH;
    let folders = [format!("/usr/lib/{architecture}-linux-gnu"), "/usr/lib".to_owned()];
    let found = folders.iter().map(|folder| Path::new(folder).join(LIBRARY)).find(|path| path.is_file());
    found.context("libfaketime is not installed; `./test-env/test history` installs what its stories need")
}
