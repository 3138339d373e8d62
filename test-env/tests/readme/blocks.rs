//! The fenced blocks of a Markdown text, and what is to be done with each.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its opening fence, counted from 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// What it prints, as the `text` block below it says.
    pub(crate) prints: String,
}

/// What the opening fence says about it; the head of this test explains each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Server,
    NotRun(String),
    NoCommand,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("run"),
            Self::Server => f.write_str("started in the first terminal"),
            Self::NotRun(reason) => write!(f, "not run: {reason}"),
            Self::NoCommand => f.write_str("no command"),
        }
    }
}

const FENCE: &str = "```";

/// All blocks, in their order.
pub(crate) fn of(markdown: &str) -> Result<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = markdown.lines().zip(1..);
    let mut right_below = false;
    while let Some((opening, line)) = lines.next() {
        // Indented, as in a list: the block's lines are indented as far.
        let (margin, info) = match opening.split_once(FENCE) {
            Some((margin, info)) if margin.trim().is_empty() => (margin, info.trim()),
            _ => {
                right_below &= opening.trim().is_empty();
                continue;
            }
        };
        let mut text = String::new();
        loop {
            let (next, _) =
                lines.next().with_context(|| format!("the block at line {line} is not closed"))?;
            let next = next.strip_prefix(margin).unwrap_or(next);
            if next.trim_end() == FENCE {
                break;
            }
            text.push_str(next);
            text.push('\n');
        }
        match (blocks.last_mut(), info) {
            (Some(above), "text") if right_below => {
                above.prints = text;
                right_below = false;
            }
            _ => {
                let kind = kind(info).with_context(|| format!("line {line}"))?;
                right_below = matches!(kind, Kind::Run | Kind::Server);
                blocks.push(Block { line, kind, text, prints: String::new() });
            }
        }
    }
    Ok(blocks)
}

fn kind(info: &str) -> Result<Kind> {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    match (language, rest) {
        ("sh", "") => Ok(Kind::Run),
        ("sh", "server") => Ok(Kind::Server),
        ("sh", rest) => {
            let reason = rest.strip_prefix("not-run:").map(str::trim);
            let reason = reason.with_context(|| format!("`sh {rest}` is not known"))?;
            ensure!(!reason.is_empty(), "`not-run:` wants a reason");
            Ok(Kind::NotRun(reason.to_owned()))
        }
        ("", _) => bail!("a block must say what it is: ```sh, ```text, …"),
        ("bash" | "shell" | "console", _) => bail!("write ```sh, so that the block is run"),
        _ => Ok(Kind::NoCommand),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(markdown: &str) -> Vec<Kind> {
        of(markdown).unwrap().into_iter().map(|block| block.kind).collect()
    }

    #[test]
    fn each_block_comes_with_its_line_and_text() {
        let blocks = of("# Title\n\n```sh\none\ntwo\n```\nrest\n").unwrap();
        let only = Block { line: 3, kind: Kind::Run, text: "one\ntwo\n".into(), prints: String::new() };
        assert_eq!(blocks, [only]);
    }

    #[test]
    fn a_block_in_a_list_loses_its_margin() {
        let blocks = of("1. do\n\n   ```sh\n   one\n     two\n   ```\n").unwrap();
        assert_eq!(blocks[0].text, "one\n  two\n");
    }

    #[test]
    fn text_right_below_a_command_is_what_it_prints() {
        let blocks = of("```sh\nls\n```\n\n```text\nfile\n```\n").unwrap();
        assert_eq!((blocks.len(), blocks[0].prints.as_str()), (1, "file\n"));
    }

    #[test]
    fn text_elsewhere_is_no_command() {
        let markdown = "```sh\nls\n```\nA drawing:\n```text\n+-+\n```\n```text\n+-+\n```\n";
        assert_eq!(kinds(markdown), [Kind::Run, Kind::NoCommand, Kind::NoCommand]);
        assert_eq!(of(markdown).unwrap()[0].prints, "");
    }

    #[test]
    fn the_opening_fence_decides() {
        let not_run = Kind::NotRun("needs a real name".into());
        let markdown = "```sh server\n```\n```toml\n```\n```sh not-run: needs a real name\n```\n";
        assert_eq!(kinds(markdown), [Kind::Server, Kind::NoCommand, not_run]);
    }

    #[test]
    fn a_block_that_would_silently_not_run_is_an_error() {
        for markdown in
            ["```\nls\n```\n", "```bash\nls\n```\n", "```sh not-run:\n```\n", "```sh later\n```\n", "```sh\n"]
        {
            assert!(of(markdown).is_err(), "{markdown}");
        }
    }
}
