//! The threads that do the work.
//!
//! All work is tasks that hand over to each other, and most of them are short: a call from another process, its answer, a lookup. With
//! several threads each hand-over may wake one that sleeps, which costs more than what it then does; with one, what arrived together is
//! done together. So a process has only as many threads as its work needs, which is one for a role on a small machine.

use std::future::Future;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

use crate::open_files;
use crate::roles::Roles;

/// The most threads that make sense: more than the cores of any machine.
const MOST: usize = 1024;
/// For how many cores a process with some of the roles has a thread, if it is not told otherwise: the others, and the database, are likely to
/// be on the same machine.
const CORES_PER_THREAD: usize = 4;
/// How long threads that wait for something outside may go on when all work has ended.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// The `[runtime]` section.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many threads work at the same time; at most 1024. Default: as many as the machine has cores, or as the process may use; but
    /// where the process does not play all roles, one for each four of them, at least one. One thread does the work of hundreds of
    /// certificates a second, and does it for less CPU time than two; what it cannot do any more is done by more threads, as `threads`
    /// says, or by more processes with the same role.
    pub threads: Option<usize>,
}

impl Config {
    /// Whether that many can be had.
    ///
    /// # Errors
    /// Says what to write.
    pub fn validate(&self) -> Result<()> {
        ensure!(
            self.threads.is_none_or(|threads| (1..=MOST).contains(&threads)),
            "threads: write a number from 1 to {MOST}"
        );
        Ok(())
    }

    fn threads(&self, roles: &Roles, cores: usize) -> usize {
        let usual = if roles.are_all() { cores } else { cores / CORES_PER_THREAD };
        self.threads.unwrap_or(usual).clamp(1, MOST)
    }
}

/// A runtime for a process that plays `roles`.
///
/// # Errors
/// If the threads cannot be had.
pub fn start(config: &Config, roles: &Roles) -> Result<Runtime> {
    open_files::raise_limit();
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut builder = match config.threads(roles, cores) {
        1 => Builder::new_current_thread(),
        threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    builder.enable_all().build().context("cannot start the runtime")
}

/// Runs `work` to its end. What then still waits on a thread of its own is given up: a hardware security module that hangs.
pub fn run<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

#[cfg(test)]
mod tests {
    use cairn_proto::Role;

    use super::*;
    use crate::config::Internal;

    #[test]
    fn a_whole_ca_uses_all_cores_and_a_role_its_share() {
        let (whole, role) =
            (Roles::new(&[], &Internal::default()), Roles::new(&[Role::Ra], &Internal::default()));
        let usual = Config::default();
        assert_eq!([1, 2, 16].map(|cores| usual.threads(&whole, cores)), [1, 2, 16]);
        assert_eq!([1, 2, 7, 8, 16].map(|cores| usual.threads(&role, cores)), [1, 1, 1, 2, 4]);
        let told = Config { threads: Some(3) };
        assert_eq!((told.threads(&whole, 16), told.threads(&role, 2)), (3, 3));
    }

    #[test]
    fn numbers_of_threads_that_make_no_sense_are_refused() {
        for (threads, good) in [(0, false), (1, true), (MOST, true), (MOST + 1, false)] {
            assert_eq!(Config { threads: Some(threads) }.validate().is_ok(), good, "{threads}");
        }
    }
}
