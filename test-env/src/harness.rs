//! The real `cairn` binary in a child process: started, found, stopped, killed, started again on its data.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{port, program, wait};

/// A start takes well below a second; a busy machine that also generates RSA keys may take longer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Longer than the server gives the requests and validations it still has to finish.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How much of the log is shown when a story fails: the end of it, where the reason is.
const LOG_LINES_SHOWN: usize = 200;

/// A running `cairn dev`. A story ends with [`Cairn::stop`]; one that drops the server without it has failed, and the
/// server's log is shown.
#[derive(Debug)]
pub struct Cairn {
    /// What the server said about itself when it listened.
    pub ready: Ready,
    server: Server,
    world: World,
}

/// The ready file, as far as stories look into it. It is written out here, not taken from the crate that writes it:
/// a change that breaks other programs is to break a test.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// The process.
    pub pid: u32,
    /// The ACME directory's URL.
    pub directory: String,
    /// Where the management listener listens.
    pub management: Vec<SocketAddr>,
    /// Where the fake DNS listens.
    pub dns: SocketAddr,
    /// Where the fake DNS is managed.
    pub dns_management: SocketAddr,
    /// The root to trust, PEM; absent when nothing is kept in files.
    pub root_file: Option<PathBuf>,
    /// The SHA-256 fingerprint of the root.
    pub root_sha256: String,
}

impl Cairn {
    /// A `cairn dev` to be started: its own data, ports that nobody else has.
    #[must_use]
    pub fn dev() -> Builder {
        Builder { arguments: Vec::new(), ephemeral: false }
    }

    /// The file that holds the root to trust.
    ///
    /// # Errors
    /// If nothing is kept in files.
    pub fn root_file(&self) -> Result<&Path> {
        self.ready.root_file.as_deref().context("this cairn keeps nothing in files")
    }

    /// The port where http-01 looks for the client's answer.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.world.http_port
    }

    /// The port where tls-alpn-01 looks for the client's answer.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.world.tls_port
    }

    /// Its data: the hierarchy and the database.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.world.data_dir()
    }

    /// The URL of `path` on the management listener.
    ///
    /// # Errors
    /// If it has none.
    pub fn management_url(&self, path: &str) -> Result<String> {
        let address = self.ready.management.first().context("there is no management listener")?;
        Ok(format!("https://{address}{path}"))
    }

    /// The URL of a command of the fake DNS, such as `/set-txt`.
    #[must_use]
    pub fn dns_management_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready.dns_management)
    }

    /// What it printed for the person who started it.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn banner(&self) -> Result<String> {
        Ok(fs::read_to_string(self.world.path("stdout"))?)
    }

    /// What it logged so far.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.world.path("log"))?)
    }

    /// Asks it to end, as a service manager does (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time, or with another exit code than 0.
    pub fn stop(self) -> Result<Stopped> {
        let Self { mut server, world, .. } = self;
        program::terminate(server.child.id())?;
        let status = wait::until("cairn to stop", STOP_LIMIT, || Ok(server.child.try_wait()?))?;
        ensure!(status.success(), "cairn was asked to stop and ended with {status}");
        server.log_to_show = None;
        Ok(Stopped { world })
    }

    /// Kills it where it stands (SIGKILL), as a power cut would.
    ///
    /// # Errors
    /// If it was not running any more.
    pub fn kill(self) -> Result<Stopped> {
        let Self { mut server, world, .. } = self;
        if let Some(status) = server.child.try_wait()? {
            bail!("cairn was to be killed, but had ended before, with {status}");
        }
        server.child.kill()?;
        server.child.wait()?;
        server.log_to_show = None;
        Ok(Stopped { world })
    }
}

/// What a server that does not run leaves behind.
#[derive(Debug)]
pub struct Stopped {
    world: World,
}

impl Stopped {
    /// Starts it again on the same data. The ACME API and the ports of the challenges are where they were.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(self) -> Result<Cairn> {
        self.world.start()
    }

    /// Its data: the hierarchy and the database.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.world.data_dir()
    }
}

/// A `cairn dev` to be started.
#[derive(Debug)]
pub struct Builder {
    arguments: Vec<OsString>,
    ephemeral: bool,
}

impl Builder {
    /// Adds arguments of `cairn dev`.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// It keeps nothing: a restart finds nothing.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// If the binary is not built or does not come up.
    pub fn start(self) -> Result<Cairn> {
        World {
            folder: tempfile::Builder::new().prefix("cairn-dev-").tempdir()?,
            api_port: port::free()?,
            http_port: port::free()?,
            tls_port: port::free()?,
            arguments: self.arguments,
            ephemeral: self.ephemeral,
        }
        .start()
    }
}

/// What outlives the process.
#[derive(Debug)]
struct World {
    folder: TempDir,
    api_port: u16,
    http_port: u16,
    tls_port: u16,
    arguments: Vec<OsString>,
    ephemeral: bool,
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    fn start(self) -> Result<Cairn> {
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
        command.args(&self.arguments);
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
        Ok(Cairn { ready, server, world: self })
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

/// The binary under test, for what is not `cairn dev`: the caller adds the subcommand and minds the process.
///
/// # Errors
/// If it is not built.
pub fn command() -> Result<Command> {
    Ok(Command::new(binary()?))
}

/// Runs the binary, which must end by itself, and gives what it printed: whether it ended well, and its words.
///
/// # Errors
/// If it does not end.
pub fn run(arguments: &[&str]) -> Result<(bool, String)> {
    let mut command = command()?;
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let status = wait::until("cairn to end by itself", STOP_LIMIT, || Ok(child.try_wait()?));
    let status = status.inspect_err(|_| {
        let _killed = child.kill();
    })?;
    let mut printed = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut printed)?;
    child.stderr.take().context("no errors")?.read_to_string(&mut printed)?;
    Ok((status.success(), printed))
}

/// The binary under test: what `CAIRN_BIN` names, else the one built beside this test.
fn binary() -> Result<PathBuf> {
    let binary = match env::var_os("CAIRN_BIN") {
        Some(named) => PathBuf::from(named),
        None => beside(&env::current_exe()?)?,
    };
    ensure!(
        binary.is_file(),
        "there is no {}; build it with `cargo build -p cairn`, or name another in CAIRN_BIN",
        binary.display()
    );
    // The server runs in a folder of its own, where a relative path would lead elsewhere.
    Ok(binary.canonicalize()?)
}

/// `target/debug/cairn` for `target/debug/deps/clients-0123` and for `target/debug/load-generator`.
fn beside(executable: &Path) -> Result<PathBuf> {
    let folder = executable.parent().context("this program is nowhere")?;
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(profile.join("cairn"))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_looked_for_in_the_folder_of_the_profile() {
        for executable in ["/target/debug/deps/clients-0123", "/target/debug/load-generator"] {
            assert_eq!(beside(Path::new(executable)).unwrap(), Path::new("/target/debug/cairn"));
        }
    }
}
