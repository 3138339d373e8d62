//! The terminals of the person who follows a page.

use std::{
    env,
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use cairn_test_env::wait;

/// One block; the longest builds Cairn from nothing on two cores.
const BLOCK_LIMIT: &str = "2400";

/// From the start of the first terminal's command, which may build Cairn first, until that Cairn is ready.
const READY_LIMIT: Duration = Duration::from_secs(2400);

/// Where `dev` and `serve` say that they are ready, if nothing else is configured.
const READY_URL: &str = "https://localhost:15000/readyz";

/// From then until it has printed what the page says it prints.
const PRINTED_LIMIT: Duration = Duration::from_secs(10);

const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Where blocks are run one after the other.
pub(crate) struct Terminal {
    /// The checkout.
    folder: PathBuf,
    /// That of the machine on which the checkout is seen, if it is another than this one.
    machine: Option<PathBuf>,
}

impl Terminal {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), machine: None }
    }

    /// As root, on a machine of its own.
    pub(crate) fn on_machine(folder: &Path, machine: &Path) -> Self {
        Self { folder: folder.to_owned(), machine: Some(machine.to_owned()) }
    }

    /// A file of the checkout.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a block, which must end well and print what is expected.
    pub(crate) fn run(&self, script: &str, expected: &str) -> Result<()> {
        let mut bash = self.shell("timeout");
        bash.args(["--kill-after=5", BLOCK_LIMIT, "bash", "-ec", &format!("exec 2>&1\n{script}")]);
        let output = bash.stderr(Stdio::inherit()).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "it ended with {}\n{printed}", output.status);
        missing(expected, &printed)
            .map_or(Ok(()), |line| bail!("it does not print `{line}`, but:\n{printed}"))
    }

    /// Runs a block in the first terminal, which stays open, and waits for the Cairn it starts.
    pub(crate) fn start(&self, script: &str, expected: &str) -> Result<FirstTerminal> {
        let screen = env::temp_dir().join(format!("cairn-readme-{}.log", std::process::id()));
        let file = File::create(&screen)?;
        let mut bash = self.shell("bash");
        // Bash would die of the SIGTERM that is meant for what it runs; with a trap it waits for that to end.
        bash.args(["-ec", &format!("trap : TERM\n{script}")]);
        // A group of its own, so that stopping reaches whatever the block started.
        bash.stdout(file.try_clone()?).stderr(file).process_group(0);
        let mut terminal = FirstTerminal { bash: bash.spawn()?, screen, closed: false };

        wait::until(READY_URL, READY_LIMIT, || {
            if let Some(status) = terminal.bash.try_wait()? {
                bail!("it ended with {status}");
            }
            Ok(self.answers(READY_URL)?.then_some(()))
        })
        .with_context(|| terminal.shows())?;
        let awaited = format!("the first terminal to show\n{expected}");
        wait::until(&awaited, PRINTED_LIMIT, || {
            Ok(missing(expected, &terminal.shows()).is_none().then_some(()))
        })
        .with_context(|| terminal.shows())?;
        Ok(terminal)
    }

    /// `program` in the checkout, without what cargo has told this test: a cargo that README.md calls is another.
    fn shell(&self, program: &str) -> Command {
        let mut command = match &self.machine {
            Some(machine) => {
                let mut command = Command::new(self.file("test-env/machine"));
                command.arg("do").arg(machine).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(&self.folder).stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text == "CARGO" || text.starts_with("CARGO_") && text != "CARGO_HOME" {
                command.env_remove(name);
            }
        }
        command
    }

    fn answers(&self, url: &str) -> Result<bool> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--insecure", "--max-time", "5", "--output", "/dev/null", url]);
        Ok(curl.status().context("curl is needed to see whether Cairn is ready")?.success())
    }
}

/// Where a Cairn runs while the other blocks are tried.
pub(crate) struct FirstTerminal {
    bash: Child,
    screen: PathBuf,
    closed: bool,
}

impl FirstTerminal {
    /// Asks what runs there to stop, which must end well.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal("TERM")?;
        let awaited = "the first terminal's command to stop";
        let status =
            wait::until(awaited, STOP_LIMIT, || Ok(self.bash.try_wait()?)).with_context(|| self.shows())?;
        self.closed = true;
        ensure!(status.success(), "asked to stop, it ended with {status}\n{}", self.shows());
        Ok(())
    }

    fn shows(&self) -> String {
        fs::read_to_string(&self.screen).unwrap_or_default()
    }

    fn signal(&self, name: &str) -> Result<()> {
        // bash's own `kill`: that of other shells does not take a group, and the program of that name is not everywhere.
        let mut kill = Command::new("bash");
        kill.args(["-c", "kill -s \"$0\" -- \"-$1\"", name]).arg(self.bash.id().to_string());
        ensure!(kill.status()?.success(), "cannot send SIG{name}");
        Ok(())
    }
}

impl Drop for FirstTerminal {
    fn drop(&mut self) {
        if !self.closed {
            let _ = self.signal("KILL");
            let _ = self.bash.kill();
            let _ = self.bash.wait();
        }
        let _ = fs::remove_file(&self.screen);
    }
}

/// The first line of `expected` that `printed` lacks, if any. Printed lines between do not count.
fn missing<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines();
    expected.lines().find(|line| !printed.by_ref().any(|candidate| is_like(line, candidate)))
}

/// Whether `line` is `pattern`, with any text for each `…`. Space at the end does not count.
fn is_like(pattern: &str, line: &str) -> bool {
    let (pattern, line) = (pattern.trim_end(), line.trim_end());
    let Some((head, tail)) = pattern.split_once('…') else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = tail.split('…').collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_any_text_of_a_line() {
        assert!(is_like("ready", "ready ") && is_like("serial=…", "serial=03AB") && is_like("…", ""));
        assert!(is_like("a…c", "abc") && is_like("a…c", "abcbc") && is_like("a…b…c", "a b c"));
        assert!(!is_like("ready", "not ready") && !is_like("a…c", "abcd") && !is_like("a…b…c", "acb"));
        assert!(!is_like("ab…ba", "aba"));
    }

    #[test]
    fn every_expected_line_must_be_printed_in_its_order() {
        assert_eq!(missing("one\n…\nthree\n", "zero\none\ntwo\nthree\n"), None);
        assert_eq!(missing("two\none\n", "one\ntwo\n"), Some("one"));
    }

    #[test]
    fn a_block_stops_at_the_first_command_that_fails() {
        let error =
            Terminal::in_folder(Path::new("/")).run("echo before\nfalse\necho after", "").unwrap_err();
        assert!(error.to_string().contains("before") && !error.to_string().contains("after"), "{error}");
    }

    #[test]
    fn a_block_that_prints_something_else_fails() {
        let terminal = Terminal::in_folder(Path::new("/"));
        terminal.run("echo one; echo two >&2", "one\ntwo\n").unwrap();
        assert!(terminal.run("echo one", "two\n").is_err());
    }
}
