//! One process of a Cairn: started, told to end, killed, started again, each by itself.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::Role;
use crate::{harness, program, wait};

/// A start takes a second; one that waits for others that have just been killed, on a busy machine, takes longer.
const START_LIMIT: Duration = Duration::from_secs(90);

/// Longer than the server gives what it still has to finish.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How much of each log is shown when a story fails.
const LOG_LINES_SHOWN: usize = 60;

/// A process, running or not.
#[derive(Debug)]
pub struct Process {
    role: Option<Role>,
    /// What its files are called.
    name: String,
    folder: PathBuf,
    child: Option<Child>,
}

/// What a process writes when it listens, as far as stories look into it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ready {
    #[serde(default)]
    pub(super) management: Vec<SocketAddr>,
    pub(super) root_sha256: Option<String>,
}

impl Process {
    pub(super) fn new(folder: &Path, role: Option<Role>, number: usize) -> Self {
        let name = format!("{}-{number}", role.map_or("cairn", Role::name));
        Self { role, name, folder: folder.to_owned(), child: None }
    }

    /// The role that it plays; `None` if it plays all.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// `ra-0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its configuration.
    pub(super) fn config_file(&self) -> PathBuf {
        self.path("toml")
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// Starts it; it may not listen yet.
    ///
    /// # Errors
    /// If it runs, or cannot be started.
    pub fn spawn(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.name);
        match fs::remove_file(self.path("ready")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut command = harness::command()?;
        command.arg("serve").arg("--config").arg(self.config_file());
        command.arg("--ready-file").arg(self.path("ready"));
        if let Some(role) = self.role {
            command.args(["--role", role.name()]);
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        // Appended: the log of a server that was killed and started again is one story.
        command.stderr(File::options().create(true).append(true).open(self.path("log"))?);
        self.child = Some(command.spawn().with_context(|| format!("cannot start {}", self.name))?);
        Ok(())
    }

    /// Waits until it listens.
    ///
    /// # Errors
    /// If it ends before, or does not listen in time.
    pub(super) fn ready(&mut self) -> Result<Ready> {
        let (name, file) = (self.name.clone(), self.path("ready"));
        let child = self.child.as_mut().with_context(|| format!("{name} was not started"))?;
        wait::until(&format!("{name} to listen"), START_LIMIT, || {
            if let Some(status) = child.try_wait()? {
                bail!("{name} did not come up: it ended with {status}");
            }
            match fs::read(&file) {
                Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.ready().map(drop)
    }

    /// Waits until it says that it can do its work: its storage answers, and those whom it calls. One that serves clients says so over
    /// TLS, and is not asked.
    ///
    /// # Errors
    /// If it does not listen, or does not say so in time.
    pub fn until_ready(&mut self) -> Result<()> {
        let management = self.ready()?.management;
        let address =
            management.first().with_context(|| format!("{} has nothing to be asked at", self.name))?;
        wait::until(&format!("{} to be ready", self.name), START_LIMIT, || {
            Ok(says_ready(*address).unwrap_or(false).then_some(()))
        })
    }

    /// Kills it where it stands (SIGKILL).
    ///
    /// # Errors
    /// If it was not running any more.
    pub fn kill(&mut self) -> Result<()> {
        let name = &self.name;
        let mut child = self.child.take().with_context(|| format!("{name} was not started"))?;
        if let Some(status) = child.try_wait()? {
            bail!("{name} was to be killed, but had ended before, with {status}");
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time, or badly.
    pub fn stop(&mut self) -> Result<()> {
        let name = &self.name;
        let child = self.child.as_mut().with_context(|| format!("{name} was not started"))?;
        program::terminate(child.id())?;
        let status = wait::until(&format!("{name} to stop"), STOP_LIMIT, || Ok(child.try_wait()?))?;
        self.child = None;
        ensure!(status.success(), "{name} was asked to stop and ended with {status}");
        Ok(())
    }

    /// Whether it was started and has not been ended.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// The process's id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What it logged so far.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path("log"))?)
    }

    /// Shows the end of its log, for a story that failed.
    pub(super) fn show_log(&self) {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let shown = lines.split_at(lines.len().saturating_sub(LOG_LINES_SHOWN)).1.join("\n");
        let _ = writeln!(io::stderr(), "--- the end of the log of {}\n{shown}\n---", self.name);
    }
}

fn says_ready(management: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(management)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
