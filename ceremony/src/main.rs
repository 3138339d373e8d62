//! `cairn-ceremony`: key ceremonies on a machine without a network.

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cairn-ceremony", version, about, long_about = None)]
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
