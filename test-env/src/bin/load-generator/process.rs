//! What the system has counted for a process: `/proc/PID/stat` and `/proc/PID/status`, proc(5).

use std::fs;
use std::iter::Sum;
use std::ops::{Add, Sub};

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
        Stat::parse(&stat).map(|stat| stat.own).context("/proc/PID/stat is not as in proc(5)")
    }

    /// Of a process and its children, also those that have ended.
    pub(crate) fn of_family(pid: u32) -> Result<Self> {
        let parent = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server is gone")?;
        let parent = Stat::parse(&parent).context("/proc/PID/stat is not as in proc(5)")?;
        let mut time = parent.own + parent.ended_children;
        for process in fs::read_dir("/proc")? {
            // What is no process, or none any more, is passed over.
            let stat = fs::read_to_string(process?.path().join("stat")).unwrap_or_default();
            if let Some(child) = Stat::parse(&stat).filter(|child| child.parent == pid) {
                time = time + child.own + child.ended_children;
            }
        }
        Ok(time)
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

/// What `/proc/PID/stat` says, as far as it is of interest here.
struct Stat {
    parent: u32,
    own: CpuTime,
    ended_children: CpuTime,
}

impl Stat {
    fn parse(stat: &str) -> Option<Self> {
        // The second field is the command in parentheses, in which anything may stand: the fields are counted from behind it.
        let (_, after_command) = stat.rsplit_once(')')?;
        let mut fields = after_command.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let mut fields = fields.skip(9);
        let mut time = || {
            let mut ticks = || fields.next()?.parse::<u32>().ok().map(|ticks| f64::from(ticks) * TICK_MS);
            Some(CpuTime { user_ms: ticks()?, system_ms: ticks()? })
        };
        Some(Self { parent, own: time()?, ended_children: time()? })
    }
}

impl Add for CpuTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user_ms: self.user_ms + other.user_ms, system_ms: self.system_ms + other.system_ms }
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self { resident_mib: 0.0, peak_mib: 0.0 }, |sum, one| Self {
            resident_mib: sum.resident_mib + one.resident_mib,
            peak_mib: sum.peak_mib + one.peak_mib,
        })
    }
}

impl Sum for CpuTime {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self { user_ms: 0.0, system_ms: 0.0 }, Self::add)
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
        let stat = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 25 30 4 20 0 9 0 100 0 0";
        let Stat { parent, own, ended_children } = Stat::parse(stat).unwrap();
        assert_eq!(parent, 1);
        assert!((own.user_ms - 1500.0).abs() < 0.1 && (own.system_ms - 250.0).abs() < 0.1, "{own:?}");
        assert!((ended_children.total_ms() - 340.0).abs() < 0.1, "{ended_children:?}");
    }

    #[test]
    fn this_very_process_has_memory() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident_mib > 0.0 && memory.peak_mib >= memory.resident_mib, "{memory:?}");
    }
}
