//! Runs README.md, docs/CEREMONY.md and docs/OPERATIONS.md: what they tell somebody to type is typed here.
//!
//! The words that open a fenced block say what happens to it:
//!
//! - `sh`: run by bash, stopping at the first command that fails, in the folder of a fresh checkout. Blocks run in their
//!   order, each in a shell of its own.
//! - `sh server`: the first terminal. It starts a Cairn and stays open; the next block begins when that Cairn is ready.
//!   It is asked to stop (SIGTERM, which must be answered with exit code 0) at the next `sh server` or at the end.
//! - `text` right below one of those: what the block prints. Each of its lines must be printed, in this order; `…`
//!   stands for any text, lines between may be left out.
//! - `sh not-run: …`: nobody runs it; the rest of the line is the reason.
//! - any other word (`toml`, …), and `text` elsewhere: no command.
//!
//! The second word is not shown where the page is rendered. `./test-env/test readme` makes the fresh checkout, installs the clients that
//! README.md uses, and names the folder in `CAIRN_CHECKOUT`. What docs/OPERATIONS.md says would change the machine that it is typed on:
//! `./test-env/test operate` starts another one (`test-env/machine`), and names it in `CAIRN_MACHINE`.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod blocks;
mod terminal;

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, ensure};

use blocks::{Block, Kind};
use terminal::{FirstTerminal, Terminal};

#[test]
fn the_readme_does_what_it_says() -> Result<()> {
    let checkout = named("CAIRN_CHECKOUT", "readme")?;
    follow("README.md", &Terminal::in_folder(&checkout))
}

#[test]
fn the_ceremony_page_does_what_it_says() -> Result<()> {
    let checkout = named("CAIRN_CHECKOUT", "readme")?;
    follow("docs/CEREMONY.md", &Terminal::in_folder(&checkout))
}

#[test]
fn the_operations_page_does_what_it_says() -> Result<()> {
    let (checkout, machine) = (named("CAIRN_CHECKOUT", "operate")?, named("CAIRN_MACHINE", "operate")?);
    follow("docs/OPERATIONS.md", &Terminal::on_machine(&checkout, &machine))
}

fn named(variable: &str, part: &str) -> Result<PathBuf> {
    let folder = env::var_os(variable).map(PathBuf::from);
    folder.with_context(|| format!("{variable} is not set; run `./test-env/test {part}`"))
}

/// Types what a page of the checkout says.
fn follow(page: &str, terminal: &Terminal) -> Result<()> {
    let mut first_terminal: Option<FirstTerminal> = None;
    let mut commands_run = 0;

    for Block { line, kind, text, prints } in blocks::of(&fs::read_to_string(terminal.file(page))?)? {
        println!("{page} line {line}: {kind}");
        let at = || format!("in the block at line {line} of {page}:\n{text}");
        match kind {
            Kind::Run => terminal.run(&text, &prints).with_context(at)?,
            Kind::Server => {
                first_terminal.take().map_or(Ok(()), FirstTerminal::stop)?;
                first_terminal = Some(terminal.start(&text, &prints).with_context(at)?);
            }
            Kind::NotRun(_) | Kind::NoCommand => continue,
        }
        commands_run += 1;
    }
    first_terminal.take().map_or(Ok(()), FirstTerminal::stop)?;
    ensure!(commands_run > 0, "{page} has no block that can be run");
    Ok(())
}
