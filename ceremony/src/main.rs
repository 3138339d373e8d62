//! `cairn-ceremony`: key ceremonies on a machine without a network.

use std::process::ExitCode;

use clap::Parser;

/// Key ceremonies: an offline root, its intermediates, and what they need for their whole life. No network is used.
#[derive(Debug, Parser)]
#[command(name = "cairn-ceremony", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: cairn_ceremony::cli::Command,
}

fn main() -> ExitCode {
    match cairn_ceremony::cli::execute(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cairn_ceremony::terminal::complain(&error);
            ExitCode::FAILURE
        }
    }
}
