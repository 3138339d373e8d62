//! What the process itself uses, under the names that every Prometheus client gives to these. Read when it is asked for. What a system
//! does not tell is left out.

use std::fmt::{Display, Write as _};
use std::fs;
use std::sync::OnceLock;

use cairn_core::time::SystemClock;
use cairn_core::{Clock, Metric, Timestamp};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Every metric of the process.
pub(super) const METRICS: &[Metric] = &[CPU, MEMORY, OPEN_FILES, MAX_FILES, START, BUILD];

const CPU: Metric =
    Metric::counter("process_cpu_seconds_total", &[], "CPU time that the process has used, in seconds.");
const MEMORY: Metric =
    Metric::gauge("process_resident_memory_bytes", &[], "Memory that the process holds, in bytes.");
const OPEN_FILES: Metric =
    Metric::gauge("process_open_fds", &[], "Files and sockets that the process has open.");
const MAX_FILES: Metric = Metric::gauge("process_max_fds", &[], "How many it may have open.");
const START: Metric =
    Metric::gauge("process_start_time_seconds", &[], "When it began to count, in seconds since 1970.");
const BUILD: Metric =
    Metric::gauge("cairn_build_info", &["version"], "Always 1; the version is in the label.");

static STARTED: OnceLock<Timestamp> = OnceLock::new();

pub(super) fn started() {
    STARTED.get_or_init(|| SystemClock.now());
}

pub(super) fn render(text: &mut String) {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    add(text, &CPU, "", Some(format!("{}.{:09}", cpu.tv_sec, cpu.tv_nsec)));
    add(text, &MEMORY, "", memory());
    add(text, &OPEN_FILES, "", fs::read_dir("/proc/self/fd").ok().map(Iterator::count));
    add(text, &MAX_FILES, "", getrlimit(Resource::Nofile).current);
    add(text, &START, "", STARTED.get().map(|at| at.unix()));
    add(text, &BUILD, concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), Some(1));
}

fn add(text: &mut String, metric: &Metric, labels: &str, value: Option<impl Display>) {
    let Metric { name, kind, help, .. } = metric;
    if let Some(value) = value {
        // Writing into a string does not fail.
        let _ =
            write!(text, "# HELP {name} {help}\n# TYPE {name} {}\n{name}{labels} {value}\n\n", kind.name());
    }
}

/// The line `VmRSS:   12345 kB`.
fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_described_is_there() {
        started();
        let mut text = String::new();
        render(&mut text);
        for metric in METRICS {
            assert!(text.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.name())), "{text}");
        }
    }
}
