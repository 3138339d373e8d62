//! Runs README.md: what it tells a newcomer to type is typed here.
//!
//! The words that open a fenced block in README.md say what happens to it:
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
//! The second word is not shown where README.md is rendered. `./test-env/test readme` makes the fresh checkout, installs
//! the clients that README.md uses, and names the folder in `CAIRN_CHECKOUT`.

mod blocks;
mod terminal;

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, ensure};

use blocks::{Block, Kind};
use terminal::{FirstTerminal, Terminal};

#[test]
fn the_readme_does_what_it_says() -> Result<()> {
    let folder = env::var_os("CAIRN_CHECKOUT").map(PathBuf::from);
    let folder = folder.context("CAIRN_CHECKOUT is not set; run `./test-env/test readme`")?;
    let terminal = Terminal::in_folder(&folder);
    let mut first_terminal: Option<FirstTerminal> = None;
    let mut commands_run = 0;

    for Block { line, kind, text, prints } in blocks::of(&fs::read_to_string(folder.join("README.md"))?)? {
        println!("README.md line {line}: {kind}");
        let at = || format!("in the block at line {line} of README.md:\n{text}");
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
    ensure!(commands_run > 0, "README.md has no block that can be run");
    Ok(())
}
