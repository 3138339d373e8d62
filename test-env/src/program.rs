//! Foreign programs: run to their end within a bound, or kept running until the story is over.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::wait;

/// No client needs longer for what it is asked here, on two busy cores, with its own polling pauses and retries.
const PROGRAM_LIMIT: &str = "180";

/// From SIGTERM to SIGKILL for a program that ran too long.
const GRACE: &str = "--kill-after=5";

/// A server is listening within this time, or something is wrong with it.
const LISTENING_LIMIT: Duration = Duration::from_secs(30);

/// A program asked to stop has stopped within this time.
const STOPPING_LIMIT: Duration = Duration::from_secs(30);

/// A program with its arguments, not yet started. It sees none of the test's environment but the search path.
#[derive(Debug)]
pub struct Program {
    name: String,
    command: Command,
    folder: PathBuf,
}

impl Program {
    /// The installed program `name`, to be run in `folder`, which is its home too.
    ///
    /// # Errors
    /// If it is not installed: a story that cannot run has not passed.
    pub fn installed(name: &str, folder: &Path) -> Result<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        ensure!(
            env::split_paths(&path).any(|place| place.join(name).is_file()),
            "{name} is not installed; `./test-env/test clients` installs what its stories need"
        );
        // timeout(1) ends the whole group: a client's hooks with the client.
        let mut command = Command::new("timeout");
        command.args([GRACE, PROGRAM_LIMIT, name]);
        command.current_dir(folder).stdin(Stdio::null());
        command.env_clear().env("PATH", path).env("HOME", folder).env("LANG", "C.UTF-8");
        Ok(Self { name: name.to_owned(), command, folder: folder.to_owned() })
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it and returns what it printed: its output, then its errors.
    ///
    /// # Errors
    /// If it does not end well in time. The error tells what it was asked and what it printed.
    pub fn run(mut self) -> Result<String> {
        let output = self.output()?;
        ensure!(
            output.status.success(),
            "{} ended with {}\n{}",
            self.shown(),
            output.status,
            printed(&output)
        );
        Ok(printed(&output))
    }

    /// Runs it, which must fail by its own decision, and returns what it printed.
    ///
    /// # Errors
    /// If it ends well, or is ended by a signal or by the bound.
    pub fn fails(mut self) -> Result<String> {
        const ENDED_BY_TIMEOUT: i32 = 124;
        let output = self.output()?;
        match output.status.code() {
            Some(code) if code != 0 && code < ENDED_BY_TIMEOUT => Ok(printed(&output)),
            _ => {
                bail!("{} ended with {}, it should fail\n{}", self.shown(), output.status, printed(&output))
            }
        }
    }

    /// Starts it and leaves it running; what it prints goes to a file.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut self) -> Result<Running> {
        let log = self.folder.join(format!("{}.log", self.name));
        let file = File::create(&log)?;
        self.command.stdout(file.try_clone()?).stderr(file);
        let child = self.command.spawn().with_context(|| format!("cannot start {}", self.shown()))?;
        Ok(Running { shown: self.shown(), child, log, ended: false })
    }

    fn output(&mut self) -> Result<Output> {
        self.command.output().with_context(|| format!("cannot start {}", self.shown()))
    }

    fn shown(&self) -> String {
        let words = self.command.get_args().skip(2).map(OsStr::to_string_lossy);
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A program that runs beside the story. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    shown: String,
    child: Child,
    log: PathBuf,
    ended: bool,
}

impl Running {
    /// Waits until somebody accepts connections on this port of 127.0.0.1.
    ///
    /// # Errors
    /// If the program ends before, or nobody listens in time.
    pub fn listens_on(&mut self, port: u16) -> Result<()> {
        wait::until(&format!("{} to listen on port {port}", self.shown), LISTENING_LIMIT, || {
            if let Some(status) = self.child.try_wait()? {
                self.ended = true;
                bail!("{} ended with {status}\n{}", self.shown, self.printed());
            }
            Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
        })
    }

    /// What it printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time, or badly.
    pub fn stop(mut self) -> Result<()> {
        terminate(self.child.id())?;
        let status =
            wait::until(&format!("{} to stop", self.shown), STOPPING_LIMIT, || Ok(self.child.try_wait()?))?;
        self.ended = true;
        ensure!(status.success(), "{} ended with {status}\n{}", self.shown, self.printed());
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // SIGTERM, not SIGKILL: timeout(1) passes it on to the program, and follows with SIGKILL.
            let _ = terminate(self.child.id());
            let _ = self.child.wait();
        }
    }
}

/// Sends SIGTERM.
///
/// # Errors
/// If there is no such process.
pub fn terminate(process: u32) -> Result<()> {
    // The shell's own `kill`: the program of that name is missing on small systems.
    let status =
        Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh"]).arg(process.to_string()).status()?;
    ensure!(status.success(), "cannot send SIGTERM to process {process}");
    Ok(())
}

fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::installed("sh", Path::new("/")).unwrap().args(["-c", script])
    }

    #[test]
    fn what_a_program_prints_comes_back() {
        assert_eq!(shell("echo out; echo err >&2").run().unwrap(), "out\nerr\n");
    }

    #[test]
    fn a_failing_programs_error_shows_command_and_output() {
        let error = shell("echo because; exit 3").run().unwrap_err().to_string();
        assert!(error.contains("sh -c echo because") && error.contains("\nbecause\n"), "{error}");
        assert_eq!(shell("echo because; exit 3").fails().unwrap(), "because\n");
    }

    #[test]
    fn a_program_that_should_fail_must() {
        assert!(shell("true").fails().is_err());
    }

    #[test]
    fn a_program_that_is_not_installed_is_an_error_that_says_how_to_mend_it() {
        let error = Program::installed("no-such-client", Path::new("/")).unwrap_err().to_string();
        assert!(error.contains("no-such-client is not installed"), "{error}");
    }

    #[test]
    fn nothing_of_the_tests_environment_reaches_a_program() {
        let seen = shell("env | sed 's/=.*//' | sort | tr '\\n' ' '").run().unwrap();
        assert_eq!(seen, "HOME LANG PATH PWD ");
    }
}
