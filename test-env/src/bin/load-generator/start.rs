//! What a start takes, and what a server takes that has nothing to do.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::machine;
use crate::options::Form;
use crate::process::{CpuTime, Memory};
use crate::target::start_own;

/// How long a server is watched that does nothing: long enough for every background task to have come by.
const WATCH: Duration = Duration::from_secs(30);

/// From the start of the process until it listens, in milliseconds: medians.
#[derive(Debug, Serialize)]
pub(crate) struct StartReport {
    machine: String,
    rounds: u16,
    new_hierarchy_ms: f64,
    existing_hierarchy_ms: f64,
}

/// Starts servers, each twice: on an empty folder, and on what it left there.
pub(crate) fn measure_starts(rounds: u16) -> Result<StartReport> {
    let (mut new, mut existing) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let cairn = start_own(Form::Dev, 1)?;
        new.push(began.elapsed());
        let stopped = cairn.stop()?;
        let began = Instant::now();
        let cairn = stopped.start()?;
        existing.push(began.elapsed());
        cairn.stop()?;
    }
    Ok(StartReport {
        machine: machine::description(),
        rounds,
        new_hierarchy_ms: median(new)?,
        existing_hierarchy_ms: median(existing)?,
    })
}

fn median(mut took: Vec<Duration>) -> Result<f64> {
    took.sort_unstable();
    let middle = took.get(took.len() / 2).context("nothing was measured")?;
    Ok(middle.as_secs_f64() * 1000.0)
}

impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "machine                {}", self.machine)?;
        writeln!(f, "start to listening     median of {}", self.rounds)?;
        writeln!(f, "  new hierarchy        {:.0} ms", self.new_hierarchy_ms)?;
        writeln!(f, "  existing hierarchy   {:.0} ms", self.existing_hierarchy_ms)
    }
}

/// A server that nobody asks anything.
#[derive(Debug, Serialize)]
pub(crate) struct IdleReport {
    machine: String,
    seconds: u64,
    resident_mib: f64,
    cpu_ms: f64,
}

/// Watches a server that does nothing.
pub(crate) async fn measure_idling() -> Result<IdleReport> {
    let cairn = start_own(Form::Dev, 1)?;
    let before = CpuTime::of(cairn.ready.pid)?;
    tokio::time::sleep(WATCH).await;
    let cpu = CpuTime::of(cairn.ready.pid)? - before;
    let memory = Memory::of(cairn.ready.pid)?;
    cairn.stop()?;
    Ok(IdleReport {
        machine: machine::description(),
        seconds: WATCH.as_secs(),
        resident_mib: memory.resident_mib,
        cpu_ms: cpu.total_ms(),
    })
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "machine                {}", self.machine)?;
        writeln!(f, "memory                 {:.1} MiB", self.resident_mib)?;
        writeln!(f, "CPU                    {:.0} ms in {} s", self.cpu_ms, self.seconds)
    }
}
