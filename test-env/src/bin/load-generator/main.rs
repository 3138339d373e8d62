//! Loads a Cairn and says what a certificate costs it.
//!
//! ```sh
//! cargo build --release --workspace && target/release/load-generator
//! ```
//!
//! It starts a `cairn dev` of its own (the one beside it, or what `CAIRN_BIN` names) with its data in a new folder, and closes the
//! loop: each worker asks for one certificate after the other, over one connection that it keeps. Keys, CSRs and accounts are made
//! before the clock starts. The figure to compare is the server's CPU time per certificate, because it hardly depends on what else
//! the machine does; certificates per second do, all the more as client and server share the machine.

mod load;
mod machine;
mod ocsp;
mod options;
mod process;
mod report;
mod start;
mod target;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::options::{Measure, Options};

/// One thread: a client that takes more than one core would take it from the server.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(Outcome { text, clean }) => {
            let written = writeln!(std::io::stdout(), "{text}");
            if clean && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _written = writeln!(std::io::stderr(), "load-generator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What to print, and whether everything went well.
struct Outcome {
    text: String,
    clean: bool,
}

async fn run(options: &Options) -> Result<Outcome> {
    match options.measure {
        Measure::Load => {
            let report = load::measure(options).await?;
            let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
            Ok(Outcome { text, clean: report.errors.is_empty() })
        }
        Measure::Start => {
            let report = start::measure_starts(options.rounds)?;
            let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
            Ok(Outcome { text, clean: true })
        }
        Measure::Ocsp => {
            let report = ocsp::measure().await?;
            let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
            Ok(Outcome { text, clean: true })
        }
        Measure::Idle => {
            let report = start::measure_idling().await?;
            let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
            Ok(Outcome { text, clean: true })
        }
    }
}
