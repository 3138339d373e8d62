//! The command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use serde::Serialize;

/// Load a Cairn and say what a certificate costs it.
///
/// The server is one of its own: the binary beside this one, or the one that CAIRN_BIN names. Its data go to a new folder under TMPDIR,
/// which must be on a real disk.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
pub(crate) struct Options {
    /// What to measure
    #[arg(long, value_enum, default_value_t = Measure::Load)]
    pub(crate) measure: Measure,

    /// What the server consists of
    #[arg(long, value_enum, default_value_t = Form::Dev, conflicts_with = "directory")]
    pub(crate) form: Form,

    /// How many front ends, registration and validation authorities there are, with `--form split`
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) fronts: u8,

    /// Clients at the same time, each with one connection
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: u16,

    /// Certificates to measure
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) certificates: u32,

    /// Certificates before that, which are not measured
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) warm_up: u32,

    /// How control over the names is proven
    #[arg(long, value_enum, default_value_t = Challenge::Http01)]
    pub(crate) challenge: Challenge,

    /// Names in each certificate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) names: u16,

    /// Accounts, shared out among the workers
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) accounts: u32,

    /// How often to start the server, with `--measure start`
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,

    /// Add a line to this file for each certificate: what check-invariants holds against the database
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) running: Running,
}

/// A server that runs already, in place of one of our own.
#[derive(Args, Clone, Debug)]
pub(crate) struct Running {
    /// Load the server of this ACME directory instead
    #[arg(long, value_name = "URL", requires_all = ["pid", "roots"])]
    pub(crate) directory: Option<String>,

    /// Its process
    #[arg(long, value_name = "PID", requires = "directory")]
    pub(crate) pid: Option<u32>,

    /// The roots of its TLS certificate, PEM
    #[arg(long, value_name = "FILE", requires = "directory")]
    pub(crate) roots: Option<PathBuf>,

    /// Where it looks for http-01 answers
    #[arg(long, value_name = "PORT", default_value_t = 5002)]
    pub(crate) http_port: u16,

    /// Where it looks for tls-alpn-01 answers
    #[arg(long, value_name = "PORT", default_value_t = 5001)]
    pub(crate) tls_port: u16,

    /// Where its fake DNS is managed
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8055))]
    pub(crate) dns_management: SocketAddr,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// The cost of a certificate under load
    Load,
    /// The time from start to listening, with a new hierarchy and with one that exists
    Start,
    /// What a server takes that has nothing to do
    Idle,
    /// The cost of an OCSP answer, of one from the cache and of one that is signed; needs sqlite3
    Ocsp,
}

/// What a server can consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// `cairn dev`: one process, on SQLite
    Dev,
    /// `cairn serve`: one process, on a PostgreSQL server of its own through its socket
    Postgres,
    /// `cairn serve --role …`: a process for each role, on a PostgreSQL server of its own
    Split,
}

impl Form {
    /// For the report.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Dev => "cairn dev, on SQLite",
            Self::Postgres => "one process, on PostgreSQL through its socket",
            Self::Split => "a process for each role, on PostgreSQL over TCP",
        }
    }
}

/// The challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Challenge {
    /// RFC 8555 §8.3
    #[value(name = "http-01")]
    Http01,
    /// RFC 8555 §8.4
    #[value(name = "dns-01")]
    Dns01,
    /// RFC 8737
    #[value(name = "tls-alpn-01")]
    TlsAlpn01,
}
