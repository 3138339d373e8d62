//! Start and end of the process: one token that says "finish what you have begun and stop", one tracker that knows what is still
//! running, and a second pair for what the work itself leans on until its end.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// How long requests, validations and issuances may take to finish after the signal. The longest validation takes 10 seconds.
const DRAIN: Duration = Duration::from_secs(20);

/// How long what the work leaned on may take to end: it has nothing left to do.
const SUPPORT_END: Duration = Duration::from_secs(5);

/// The phases of the process's end.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Cancelled when the process shall stop: listeners close, loops end.
    pub stopping: CancellationToken,
    /// Requests and the work behind them.
    pub work: TaskTracker,
    /// Cancelled when all work has ended.
    pub ended: CancellationToken,
    /// What the work leans on, such as the fake DNS.
    pub support: TaskTracker,
}

impl Lifecycle {
    /// Waits for SIGTERM or SIGINT (Ctrl-C).
    ///
    /// # Errors
    /// If signals cannot be listened for.
    pub async fn signalled(&self) -> Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM: finishing what was begun"),
            _ = interrupt.recv() => info!("interrupted: finishing what was begun; once more to stop at once"),
        }
        Ok(())
    }

    /// Stops: no new work, then the end of the old work, then the end of what it leaned on. A second signal cuts it short: whatever is
    /// stored stays stored, and the next start finishes the rest.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.work.close();
        self.support.close();
        let drained = tokio::time::timeout(DRAIN, self.work.wait());
        tokio::select! {
            drained = drained => if drained.is_err() {
                warn!(tasks = self.work.len(), "not everything finished in time; the next start takes it up");
            },
            _ = self.signalled() => warn!("stopping at once; the next start takes up what was under way"),
        }
        self.ended.cancel();
        if tokio::time::timeout(SUPPORT_END, self.support.wait()).await.is_err() {
            warn!(tasks = self.support.len(), "not everything that the work leaned on ended in time");
        }
    }
}
