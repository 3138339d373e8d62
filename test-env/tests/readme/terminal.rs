//! The terminals of the person who follows README.md.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// One block; the longest builds Cairn from nothing on two cores.
const BLOCK_LIMIT: &str = "2400";

/// From the start of the first terminal's command, which may build Cairn first, until that Cairn is ready.
const READY_LIMIT: Duration = Duration::from_secs(2400);

/// Where `dev` and `serve` say that they are ready, if nothing else is configured.
const READY_URL: &str = "https://localhost:15000/readyz";

const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Pause between two looks at something awaited.
const PAUSE: Duration = Duration::from_millis(100);

/// Where blocks are run one after the other.
pub(crate) struct Terminal {
    folder: PathBuf,
}

impl Terminal {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Runs a block and returns what it printed.
    pub(crate) fn run(&self, script: &str) -> Result<String> {
        let mut bash = Command::new("timeout");
        bash.args(["--kill-after=5", BLOCK_LIMIT, "bash", "-ec", &format!("exec 2>&1\n{script}")]);
        let output = bash.current_dir(&self.folder).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "it ended with {}\n{printed}", output.status);
        Ok(printed)
    }

    /// Runs each command of a `console` block and compares what it prints.
    pub(crate) fn converse(&self, text: &str) -> Result<()> {
        let turns = text.strip_prefix("$ ").context("a console block begins with `$ `")?;
        for turn in turns.split("\n$ ") {
            let (command, expected) = turn.split_once('\n').unwrap_or((turn, ""));
            let printed = self.run(command)?;
            ensure!(matches(expected, &printed), "`{command}` printed something else:\n{printed}");
        }
        Ok(())
    }

    /// Runs a block in the first terminal, which stays open, and waits for the Cairn it starts.
    pub(crate) fn start(&self, script: &str) -> Result<FirstTerminal> {
        let screen = std::env::temp_dir().join(format!("cairn-readme-{}.log", std::process::id()));
        let file = File::create(&screen)?;
        let mut bash = Command::new("bash");
        bash.args(["-ec", script]).current_dir(&self.folder).stdin(Stdio::null());
        // A group of its own, so that stopping reaches whatever the block started.
        bash.stdout(file.try_clone()?).stderr(file).process_group(0);
        let mut terminal = FirstTerminal { bash: bash.spawn()?, screen, closed: false };

        let begin = Instant::now();
        while !self.answers(READY_URL)? {
            if let Some(status) = terminal.bash.try_wait()? {
                bail!("it ended with {status}\n{}", terminal.shows());
            }
            ensure!(begin.elapsed() < READY_LIMIT, "{READY_URL} did not answer\n{}", terminal.shows());
            thread::sleep(PAUSE);
        }
        Ok(terminal)
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
        let begin = Instant::now();
        loop {
            if let Some(status) = self.bash.try_wait()? {
                self.closed = true;
                ensure!(status.success(), "asked to stop, it ended with {status}\n{}", self.shows());
                return Ok(());
            }
            ensure!(begin.elapsed() < STOP_LIMIT, "asked to stop, it did not\n{}", self.shows());
            thread::sleep(PAUSE);
        }
    }

    fn shows(&self) -> String {
        fs::read_to_string(&self.screen).unwrap_or_default()
    }

    fn signal(&self, name: &str) -> Result<()> {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -\"$1\" -- -\"$2\"", "sh", name]).arg(self.bash.id().to_string());
        ensure!(kill.status()?.success(), "cannot send SIG{name}");
        Ok(())
    }
}

impl Drop for FirstTerminal {
    fn drop(&mut self) {
        if !self.closed {
            let _ = self.signal("KILL");
            let _ = self.bash.wait();
        }
        let _ = fs::remove_file(&self.screen);
    }
}

/// `expected` with any text for each `…`. Space at the end does not count.
fn matches(expected: &str, printed: &str) -> bool {
    let mut pieces = expected.trim_end().split('…');
    let Some(mut rest) = pieces.next().and_then(|first| printed.trim_end().strip_prefix(first)) else {
        return false;
    };
    let mut last = "";
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => (rest, last) = (after, piece),
            None => return false,
        }
    }
    // The last piece stands at the end, not merely somewhere.
    rest.is_empty() || (expected.contains('…') && (last.is_empty() || rest.ends_with(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_any_text() {
        assert!(matches("ready\n", "ready\n"));
        assert!(matches("serial=…", "serial=03AB\n"));
        assert!(matches("a…c", "abc") && matches("…c", "cbc") && matches("…", "anything\nat all"));
        assert!(!matches("ready", "not ready") && !matches("ready", "ready or not"));
        assert!(!matches("a…c", "abcd") && !matches("a…c", "ac d"));
    }

    #[test]
    fn a_conversation_compares_each_answer() {
        let terminal = Terminal::in_folder(Path::new("/"));
        terminal.converse("$ echo one\none\n$ echo two; pwd\ntwo\n/\n").unwrap();
        assert!(terminal.converse("$ echo one\ntwo\n").is_err());
        assert!(terminal.converse("echo one\n").is_err());
    }

    #[test]
    fn a_block_stops_at_the_first_command_that_fails() {
        let error = Terminal::in_folder(Path::new("/")).run("echo before\nfalse\necho after").unwrap_err();
        assert!(error.to_string().contains("before") && !error.to_string().contains("after"), "{error}");
    }
}
