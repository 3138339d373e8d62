//! What the system has counted for a process: `/proc/PID/stat` and `/proc/PID/status`, proc(5).

use std::fs;
use std::ops::Sub;

use anyhow::{Context, Result};
use serde::Serialize;

/// Ticks of the CPU clock per second: `USER_HZ`, 100 on every Linux that Cairn runs on.
const TICK_MS: f64 = 10.0;

/// CPU time so far, in milliseconds, all threads together.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CpuTime {
    pub(crate) user_ms: f64,
    pub(crate) system_ms: f64,
}

impl CpuTime {
    /// Of a process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server is gone")?;
        Self::from_stat(&stat).context("/proc/PID/stat is not as in proc(5)")
    }

    fn from_stat(stat: &str) -> Option<Self> {
        // The second field is the command in parentheses, in which anything may stand: the fields are counted from behind it.
        let (_, after_command) = stat.rsplit_once(')')?;
        let mut fields = after_command.split_ascii_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u32>().ok();
        let (user, system) = (ticks()?, ticks()?);
        Some(Self { user_ms: f64::from(user) * TICK_MS, system_ms: f64::from(system) * TICK_MS })
    }

    pub(crate) fn total_ms(self) -> f64 {
        self.user_ms + self.system_ms
    }

    /// Shared out among so many.
    pub(crate) fn per(self, count: u32) -> Self {
        let count = f64::from(count.max(1));
        Self { user_ms: self.user_ms / count, system_ms: self.system_ms / count }
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user_ms: self.user_ms - earlier.user_ms, system_ms: self.system_ms - earlier.system_ms }
    }
}

/// Resident memory, in MiB.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_mib: f64,
    /// The most that it ever was.
    pub(crate) peak_mib: f64,
}

impl Memory {
    /// Of a process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the server is gone")?;
        let mib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            let kib: u32 = line.trim().trim_end_matches(" kB").parse().ok()?;
            Some(f64::from(kib) / 1024.0)
        };
        let read = || Some(Self { resident_mib: mib("VmRSS:")?, peak_mib: mib("VmHWM:")? });
        read().context("/proc/PID/status is not as in proc(5)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_command_with_spaces_and_parentheses() {
        let stat = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9 0 100 0 0";
        let time = CpuTime::from_stat(stat).unwrap();
        assert!((time.user_ms - 1500.0).abs() < 0.1 && (time.system_ms - 250.0).abs() < 0.1, "{time:?}");
    }

    #[test]
    fn this_very_process_has_memory() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident_mib > 0.0 && memory.peak_mib >= memory.resident_mib, "{memory:?}");
    }
}
