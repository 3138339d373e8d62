//! Start and end of the process: one token that says "finish what you have begun and stop", one tracker that knows what is still
//! running, and a second pair for what the work itself leans on until its end. Before all that a token that says "send nobody here any
//! more": balancers need a moment to notice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cairn_core::Period;
use serde::Deserialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// The longest of both waits: whoever writes more has mistaken the unit.
const LONGEST: Period = Period::from_secs(3600);

/// How long what the work leaned on may take to end: it has nothing left to do.
const SUPPORT_END: Duration = Duration::from_secs(5);

/// The `[lifecycle]` section: how the process ends after SIGTERM or SIGINT. A second signal ends it at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long the process goes on serving after the signal while `/readyz` already says no. Default: `0s`; at most `1h`. Behind a
    /// balancer that asks `/readyz`, write a little more than it takes to notice: then nobody is sent here any more when the listeners
    /// close. Answers over HTTP/1.1 end their connection meanwhile, so that clients come back through the balancer.
    pub drain: Period,
    /// How long requests, validations and issuances may take to finish after that. Default: `20s`; from `1s` to `1h`. The longest
    /// validation takes 10 seconds. What is not finished is taken up by the next start. Whatever starts the process must wait longer
    /// than both together before it kills: systemd 90 seconds, Docker 10.
    pub stop_timeout: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { drain: Period::from_secs(0), stop_timeout: Period::from_secs(20) }
    }
}

impl Config {
    /// Whether the waits make sense.
    ///
    /// # Errors
    /// Says which does not.
    pub fn validate(&self) -> Result<()> {
        ensure!(self.drain <= LONGEST, "drain is {}: write at most \"1h\"", self.drain);
        let stop = self.stop_timeout;
        ensure!(
            (Period::from_secs(1)..=LONGEST).contains(&stop),
            "stop_timeout is {stop}: write from \"1s\" to \"1h\""
        );
        Ok(())
    }
}

/// SIGTERM and SIGINT (Ctrl-C), heard from when this is made: none is lost that comes while nobody waits for it, and none ends the process
/// by itself any more.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on.
    ///
    /// # Errors
    /// If signals cannot be listened for.
    pub fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => info!("SIGTERM: finishing what was begun"),
            _ = self.interrupt.recv() => info!("interrupted: finishing what was begun; once more to stop at once"),
        }
    }
}

/// The phases of the process's end.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    config: Config,
    /// Cancelled at the signal: the process is not ready any more, and still serves.
    pub leaving: CancellationToken,
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
    /// A process that has just begun.
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// Stops: a word to the balancers, then no new work, then the end of the old work, then the end of what it leaned on. `hurried`, a
    /// second signal, cuts it short: whatever is stored stays stored, and the next start finishes the rest.
    pub async fn stop(&self, hurried: impl Future<Output = ()>) {
        tokio::select! {
            () = self.finish_work() => {}
            () = hurried => warn!("stopping at once; the next start takes up what was under way"),
        }
        self.stopping.cancel();
        self.ended.cancel();
        if tokio::time::timeout(SUPPORT_END, self.support.wait()).await.is_err() {
            warn!(tasks = self.support.len(), "not everything that the work leaned on ended in time");
        }
    }

    async fn finish_work(&self) {
        self.work.close();
        self.support.close();
        self.leaving.cancel();
        let drain = self.config.drain;
        if !drain.duration().is_zero() {
            info!(%drain, "not ready any more, and serving on until balancers have noticed");
            tokio::time::sleep(drain.duration()).await;
        }
        self.stopping.cancel();
        if tokio::time::timeout(self.config.stop_timeout.duration(), self.work.wait()).await.is_err() {
            warn!(tasks = self.work.len(), "not everything finished in time; the next start takes it up");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;

    use tokio::sync::oneshot;

    use super::*;

    fn lifecycle(drain: Period) -> Lifecycle {
        Lifecycle::new(Config { drain, ..Config::default() })
    }

    #[tokio::test]
    async fn the_process_serves_on_for_a_while_when_it_is_not_ready_any_more() {
        let lifecycle = lifecycle(LONGEST);
        let mut stop = pin!(lifecycle.stop(pending()));
        tokio::select! {
            biased;
            () = &mut stop => panic!("did not wait"),
            () = lifecycle.leaving.cancelled() => {}
        }
        assert!(!lifecycle.stopping.is_cancelled());
    }

    #[tokio::test]
    async fn what_was_begun_is_waited_for_and_what_it_leans_on_ends_last() {
        let lifecycle = lifecycle(Period::from_millis(1));
        let (finish, finished) = oneshot::channel::<()>();
        lifecycle.work.spawn(finished);
        lifecycle.support.spawn(lifecycle.ended.clone().cancelled_owned());
        let mut stop = pin!(lifecycle.stop(pending()));
        tokio::select! {
            () = &mut stop => panic!("did not wait"),
            () = lifecycle.stopping.cancelled() => {}
        }
        assert!(lifecycle.leaving.is_cancelled() && !lifecycle.ended.is_cancelled());
        finish.send(()).unwrap();
        stop.await;
        assert!(lifecycle.ended.is_cancelled() && lifecycle.support.is_empty());
    }

    #[test]
    fn waits_that_make_no_sense_are_refused() {
        assert!(Config::default().validate().is_ok());
        let (day, zero) = (Period::from_days(1), Period::from_secs(0));
        for (key, config) in [
            ("drain", Config { drain: day, ..Config::default() }),
            ("stop_timeout", Config { stop_timeout: day, ..Config::default() }),
            ("stop_timeout", Config { stop_timeout: zero, ..Config::default() }),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
