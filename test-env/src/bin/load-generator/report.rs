//! The figures of a load, as a table that can be pasted, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::options::Form;
use crate::process::CpuTime;

/// What a load has shown.
#[derive(Debug, Serialize)]
pub(crate) struct LoadReport {
    pub(crate) machine: String,
    pub(crate) form: Form,
    pub(crate) challenge: &'static str,
    pub(crate) workers: u16,
    pub(crate) names: u16,
    pub(crate) accounts: u32,
    pub(crate) warm_up: u32,
    pub(crate) certificates: u32,
    pub(crate) cpu_per_certificate: CpuTime,
    /// The same, by process.
    pub(crate) cpu_shares: Vec<(String, CpuTime)>,
    pub(crate) certificates_per_second: f64,
    pub(crate) idle_mib: f64,
    pub(crate) peak_mib: f64,
    pub(crate) certificate_latency: Latencies,
    pub(crate) request_latency: Vec<(&'static str, Latencies)>,
    pub(crate) errors: BTreeMap<String, u32>,
}

/// How long things took, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latencies {
    pub(crate) count: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latencies {
    /// Of all that was measured.
    pub(crate) fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        // The nearest rank: the smallest value that so many per cent of all do not exceed.
        let at = |percent: usize| {
            let rank = (took.len() * percent).div_ceil(100).max(1);
            took.get(rank - 1).map_or(0.0, |took| took.as_secs_f64() * 1000.0)
        };
        Self { count: took.len(), p50_ms: at(50), p90_ms: at(90), p99_ms: at(99), max_ms: at(100) }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = self.cpu_per_certificate;
        writeln!(f, "machine                {}", self.machine)?;
        writeln!(f, "server                 {}", self.form.description())?;
        writeln!(
            f,
            "load                   {} certificates ({} before, to warm up), {} name{} each, {}, {} workers, {} accounts",
            self.certificates,
            self.warm_up,
            self.names,
            if self.names == 1 { "" } else { "s" },
            self.challenge,
            self.workers,
            self.accounts,
        )?;
        writeln!(
            f,
            "CPU per certificate    {:.2} ms ({:.2} user + {:.2} system)",
            cpu.total_ms(),
            cpu.user_ms,
            cpu.system_ms
        )?;
        if self.cpu_shares.len() > 1 {
            for (name, share) in &self.cpu_shares {
                writeln!(
                    f,
                    "  {name:<20} {:.2} ms ({:.2} + {:.2})",
                    share.total_ms(),
                    share.user_ms,
                    share.system_ms
                )?;
            }
        }
        writeln!(
            f,
            "certificates/s         {:.0} (indicative: the clients share the machine)",
            self.certificates_per_second
        )?;
        writeln!(
            f,
            "memory                 {:.1} MiB idle, {:.1} MiB at most",
            self.idle_mib, self.peak_mib
        )?;
        match self.errors.is_empty() {
            true => writeln!(f, "errors                 none")?,
            false => writeln!(f, "errors                 {:?}", self.errors)?,
        }
        writeln!(f)?;
        writeln!(f, "latency in ms       count      p50      p90      p99      max")?;
        write_row(f, "whole certificate", &self.certificate_latency)?;
        for (name, latencies) in &self.request_latency {
            write_row(f, &format!("  {name}"), latencies)?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, row: &Latencies) -> fmt::Result {
    let Latencies { count, p50_ms, p90_ms, p99_ms, max_ms } = row;
    writeln!(f, "{name:<18} {count:>6} {p50_ms:>8.2} {p90_ms:>8.2} {p99_ms:>8.2} {max_ms:>8.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let latencies = Latencies::of((1..=100).rev().map(Duration::from_millis).collect());
        let shown = [latencies.p50_ms, latencies.p90_ms, latencies.p99_ms, latencies.max_ms];
        for (shown, expected) in shown.into_iter().zip([50.0, 90.0, 99.0, 100.0]) {
            assert!((shown - expected).abs() < 1e-9, "{shown} {expected}");
        }
        assert_eq!(Latencies::of(Vec::new()).count, 0);
    }
}
