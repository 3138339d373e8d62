//! Talking with the people at the terminal. What they are told goes to standard error, so that what a command makes can be taken from
//! standard output.

use std::io::{BufRead, Write};

use anyhow::{Context, Result, ensure};
use zeroize::Zeroizing;

/// Longest answer to a question in bytes: a share of a long secret.
const MAX_ANSWER: u64 = 4096;

/// Who asks and is told. The real one is [`Terminal`]; tests answer by themselves.
pub trait Dialogue {
    /// Shows a line.
    fn tell(&mut self, line: &str);

    /// Asks for a line.
    ///
    /// # Errors
    /// If nobody answers.
    fn ask(&mut self, question: &str) -> Result<String>;

    /// Asks for a line that nobody sees.
    ///
    /// # Errors
    /// If nobody answers.
    fn ask_secretly(&mut self, question: &str) -> Result<Zeroizing<String>>;

    /// Shows something for one person's eyes until they say that they have it, and takes it away.
    ///
    /// # Errors
    /// If nobody answers.
    fn show_alone(&mut self, text: &str, question: &str) -> Result<()>;
}

/// The terminal of this process.
#[derive(Debug, Default)]
pub struct Terminal;

impl Dialogue for Terminal {
    fn tell(&mut self, line: &str) {
        // A terminal that is gone hears nothing; the questions that follow fail.
        let _gone = writeln!(std::io::stderr(), "{line}");
    }

    fn ask(&mut self, question: &str) -> Result<String> {
        write!(std::io::stderr(), "{question} ").context("the terminal cannot be written to")?;
        let mut answer = String::new();
        let mut input = std::io::Read::take(std::io::stdin().lock(), MAX_ANSWER);
        let length = input.read_line(&mut answer).context("the terminal cannot be read")?;
        ensure!(length > 0, "nobody answers: standard input is at its end");
        Ok(answer.trim().to_owned())
    }

    fn ask_secretly(&mut self, question: &str) -> Result<Zeroizing<String>> {
        let answer = rpassword::prompt_password(format!("{question} ")).context(
            "there is no terminal to ask for a secret; name a file or a descriptor in the machine file",
        )?;
        Ok(Zeroizing::new(answer))
    }

    fn show_alone(&mut self, text: &str, question: &str) -> Result<()> {
        self.tell(text);
        self.ask(question)?;
        // Clears the screen and what can be scrolled back to.
        write!(std::io::stderr(), "\x1b[2J\x1b[3J\x1b[H").context("the terminal cannot be written to")?;
        Ok(())
    }
}

/// Says what went wrong, with its causes.
pub fn complain(error: &anyhow::Error) {
    Terminal.tell(&format!("error: {error:#}"));
}
