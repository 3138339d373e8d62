//! `cairn`: reads the command line and does what it says.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cairn::cli::{Cli, Command};
use cairn::config::Internal;
use cairn::roles::Roles;
use cairn::{admin, ca_command, dev, init, internal_pki, runtime, serve, telemetry};
use clap::Parser;
use mimalloc::MiMalloc;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Dev(args) => {
            telemetry::start(
                &telemetry::Config::default(),
                &telemetry::Trace::default(),
                &Roles::new(&[], &Internal::default()),
            )?;
            whole()?.block_on(dev::run(*args))
        }
        Command::Serve(args) => serve::run(&args),
        Command::CheckConfig(args) => say(&serve::check(&args)?),
        Command::Init(args) => init::run(&args),
        Command::Ceremony(command) => cairn_ceremony::cli::execute(&command),
        Command::Ca(command) => ca_command::run(command),
        Command::InternalPki { command } => internal_pki::run(command),
        Command::Admin(command) => whole()?.block_on(admin::run(command)),
    }
}

/// A runtime for what is a whole CA, or reaches into one.
fn whole() -> Result<Runtime> {
    runtime::start(&runtime::Config::default(), &Roles::new(&[], &Internal::default()))
}

fn say(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
