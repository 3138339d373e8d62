//! `cairn dev`: one process with its data in a folder of its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::{Builder, Ready, START_LIMIT, STOP_LIMIT, command};
use crate::{port, program, wait};

/// How much of the log is shown when a story fails: the end of it, where the reason is.
const LOG_LINES_SHOWN: usize = 200;

/// A running `cairn dev`.
#[derive(Debug)]
pub(super) struct Dev {
    server: Server,
    pub(super) world: World,
}

impl Dev {
    /// Starts one, and waits until it listens.
    pub(super) fn start(builder: Builder) -> Result<(Self, Ready)> {
        World {
            folder: tempfile::Builder::new().prefix("cairn-dev-").tempdir()?,
            api_port: port::free()?,
            pki_port: port::free()?,
            http_port: port::free()?,
            tls_port: port::free()?,
            arguments: builder.arguments,
            environment: builder.environment,
            ephemeral: builder.ephemeral,
        }
        .start()
    }

    pub(super) fn stop(self) -> Result<World> {
        let Self { mut server, world } = self;
        program::terminate(server.child.id())?;
        let status = wait::until("cairn to stop", STOP_LIMIT, || Ok(server.child.try_wait()?))?;
        ensure!(status.success(), "cairn was asked to stop and ended with {status}");
        server.log_to_show = None;
        Ok(world)
    }

    pub(super) fn kill(self) -> Result<World> {
        let Self { mut server, world } = self;
        if let Some(status) = server.child.try_wait()? {
            bail!("cairn was to be killed, but had ended before, with {status}");
        }
        server.child.kill()?;
        server.child.wait()?;
        server.log_to_show = None;
        Ok(world)
    }
}

/// What outlives the process.
#[derive(Debug)]
pub(super) struct World {
    folder: TempDir,
    api_port: u16,
    /// It stands in certificates, which outlive the process.
    pki_port: u16,
    pub(super) http_port: u16,
    pub(super) tls_port: u16,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    ephemeral: bool,
}

impl World {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    pub(super) fn start(self) -> Result<(Dev, Ready)> {
        let ready_file = self.path("ready.json");
        remove_if_there(&ready_file)?;

        let mut command = command()?;
        command.arg("dev");
        if self.ephemeral {
            command.arg("--ephemeral");
        } else {
            command.arg("--data-dir").arg(self.data_dir());
        }
        command.arg("--listen").arg(format!("127.0.0.1:{}", self.api_port));
        command.arg("--pki").arg(format!("127.0.0.1:{}", self.pki_port));
        command.args([
            "--management",
            "127.0.0.1:0",
            "--dns",
            "127.0.0.1:0",
            "--dns-management",
            "127.0.0.1:0",
        ]);
        command.arg("--http-port").arg(self.http_port.to_string());
        command.arg("--tls-port").arg(self.tls_port.to_string());
        command.arg("--ready-file").arg(&ready_file);
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(File::create(self.path("stdout"))?);
        // Appended: the log of a server that was killed and started again is one story.
        command.stderr(File::options().create(true).append(true).open(self.path("log"))?);

        let child = command.spawn().context("cannot start cairn")?;
        let mut server = Server { child, log_to_show: Some(self.path("log")) };
        let ready = wait::until("cairn's ready file", START_LIMIT, || {
            if let Some(status) = server.child.try_wait()? {
                bail!("cairn did not come up: it ended with {status}");
            }
            match fs::read(&ready_file) {
                Ok(json) => {
                    Ok(Some(serde_json::from_slice(&json).context("the ready file is not as expected")?))
                }
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error).context("the ready file cannot be read"),
            }
        })?;
        Ok((Dev { server, world: self }, ready))
    }
}

/// The child process. Dropping it kills it; if nobody stopped it before, the story has failed and its log is shown.
#[derive(Debug)]
struct Server {
    child: Child,
    log_to_show: Option<PathBuf>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let Some(log) = self.log_to_show.take() else { return };
        let log = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let shown = lines.split_at(lines.len().saturating_sub(LOG_LINES_SHOWN)).1.join("\n");
        let _ = writeln!(std::io::stderr(), "--- the end of cairn's log\n{shown}\n---");
    }
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
