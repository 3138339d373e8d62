//! The real `cairn` binary in child processes: started, found, stopped, killed, started again on its data.
//!
//! Most stories are about any Cairn, and ask for [`Cairn::under_test`]: which form that has is chosen by the environment variable
//! `CAIRN_FORM`, so that one suite holds for all.

mod dev;

use std::{
    env,
    ffi::OsString,
    fs,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use self::dev::Dev;
use crate::invariants::Database;
use crate::split::{Layout, Split};
use crate::wait;

/// A start takes well below a second; a busy machine that also generates RSA keys may take longer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Longer than the server gives the requests and validations it still has to finish.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// What a Cairn consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `cairn dev`: one process, on SQLite. `CAIRN_FORM=dev`, or no such variable.
    Dev,
    /// `cairn serve`: one process, on PostgreSQL. `CAIRN_FORM=postgres`.
    Postgres,
    /// `cairn serve --role …`: a process for each role, on PostgreSQL. `CAIRN_FORM=split`.
    Split,
}

impl Form {
    /// The one that the environment chooses.
    ///
    /// # Errors
    /// If it chooses one that there is not.
    pub fn chosen() -> Result<Self> {
        match env::var("CAIRN_FORM").as_deref() {
            Ok("dev") | Err(env::VarError::NotPresent) => Ok(Self::Dev),
            Ok("postgres") => Ok(Self::Postgres),
            Ok("split") => Ok(Self::Split),
            other => bail!("CAIRN_FORM is {other:?}; it may be dev, postgres or split"),
        }
    }
}

/// A running Cairn. A story ends with [`Cairn::stop`]; one that drops the server without it has failed, and the server's log is shown.
#[derive(Debug)]
pub struct Cairn {
    /// What the server said about itself when it listened.
    pub ready: Ready,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Dev(Dev),
    Deployed(Box<Split>),
}

/// The ready file, as far as stories look into it. It is written out here, not taken from the crate that writes it:
/// a change that breaks other programs is to break a test.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// The process.
    pub pid: u32,
    /// The ACME directory's URL.
    pub directory: String,
    /// Where relying parties are served.
    pub pki: Vec<SocketAddr>,
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
    /// A Cairn in the form that the environment chooses, to be started: its own data, ports that nobody else has.
    ///
    /// # Errors
    /// If it chooses a form that there is not.
    pub fn under_test() -> Result<Builder> {
        Ok(Builder { form: Form::chosen()?, ..Self::dev() })
    }

    /// A `cairn dev`, for stories about that command.
    #[must_use]
    pub fn dev() -> Builder {
        Builder { form: Form::Dev, arguments: Vec::new(), environment: Vec::new(), ephemeral: false }
    }

    /// Starts one of these processes, on PostgreSQL.
    ///
    /// # Errors
    /// As [`Split::start`].
    pub fn laid_out(layout: &Layout) -> Result<Self> {
        Self::deployed(Box::new(Split::start(layout)?))
    }

    /// The names and ids of its processes.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, u32)> {
        match &self.running {
            Running::Dev(_) => vec![("cairn".to_owned(), self.ready.pid)],
            Running::Deployed(split) => split.pids(),
        }
    }

    /// The database server's first process, if it has a server of its own.
    ///
    /// # Errors
    /// If that does not run.
    pub fn database_pid(&self) -> Result<Option<u32>> {
        match &self.running {
            Running::Dev(_) => Ok(None),
            Running::Deployed(split) => split.database_pid(),
        }
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
        match &self.running {
            Running::Dev(dev) => dev.world.http_port,
            Running::Deployed(split) => split.http_port(),
        }
    }

    /// The port where tls-alpn-01 looks for the client's answer.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        match &self.running {
            Running::Dev(dev) => dev.world.tls_port,
            Running::Deployed(split) => split.tls_port(),
        }
    }

    /// The data of a `cairn dev`: the hierarchy and the database.
    ///
    /// # Errors
    /// If it is none.
    pub fn data_dir(&self) -> Result<PathBuf> {
        Ok(self.as_dev()?.world.data_dir())
    }

    /// Its database, for those who look into it from outside.
    #[must_use]
    pub fn database(&self) -> Database {
        match &self.running {
            Running::Dev(dev) => Database::Sqlite(dev.world.data_dir().join("cairn.db")),
            Running::Deployed(split) => split.database(),
        }
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

    /// How `cairn admin` reaches it: the option and its value.
    #[must_use]
    pub fn admin(&self) -> [String; 2] {
        match &self.running {
            Running::Dev(dev) => {
                let socket = dev.world.data_dir().join("admin.sock");
                ["--socket".to_owned(), socket.display().to_string()]
            }
            Running::Deployed(split) => split.admin(),
        }
    }

    /// What the process has logged that decides: the registration authority's, where it has one of its own.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn deciders_log(&self) -> Result<String> {
        match &self.running {
            Running::Dev(dev) => Ok(fs::read_to_string(dev.world.path("log"))?),
            Running::Deployed(split) => split.deciders_log(),
        }
    }

    /// What a `cairn dev` printed for the person who started it.
    ///
    /// # Errors
    /// If it is none.
    pub fn banner(&self) -> Result<String> {
        Ok(fs::read_to_string(self.as_dev()?.world.path("stdout"))?)
    }

    /// Asks it to end, as a service manager does (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time, or with another exit code than 0.
    pub fn stop(self) -> Result<Stopped> {
        Ok(match self.running {
            Running::Dev(dev) => Stopped(Left::Dev(dev.stop()?)),
            Running::Deployed(mut split) => {
                split.stop_all()?;
                split.dismiss();
                Stopped(Left::Deployed(split))
            }
        })
    }

    /// Kills it where it stands (SIGKILL), as a power cut would.
    ///
    /// # Errors
    /// If it was not running any more.
    pub fn kill(self) -> Result<Stopped> {
        Ok(match self.running {
            Running::Dev(dev) => Stopped(Left::Dev(dev.kill()?)),
            Running::Deployed(mut split) => {
                split.kill_all()?;
                split.dismiss();
                Stopped(Left::Deployed(split))
            }
        })
    }

    fn as_dev(&self) -> Result<&Dev> {
        match &self.running {
            Running::Dev(dev) => Ok(dev),
            Running::Deployed(_) => bail!("this is no cairn dev"),
        }
    }

    fn deployed(split: Box<Split>) -> Result<Self> {
        let process = split.first_pid().context("it does not run")?;
        let (dns, dns_management) = split.dns();
        let ready = Ready {
            pid: process,
            directory: split.directory(),
            pki: split.relying_parties().to_vec(),
            management: split.management().to_vec(),
            dns,
            dns_management,
            root_file: Some(split.root_file()),
            root_sha256: split.root_sha256().to_owned(),
        };
        Ok(Self { ready, running: Running::Deployed(split) })
    }
}

/// What a Cairn that does not run leaves behind.
#[derive(Debug)]
pub struct Stopped(Left);

#[derive(Debug)]
enum Left {
    Dev(dev::World),
    Deployed(Box<Split>),
}

impl Stopped {
    /// Starts it again on the same data. The ACME API and the ports of the challenges are where they were.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(self) -> Result<Cairn> {
        match self.0 {
            Left::Dev(world) => {
                let (dev, ready) = world.start()?;
                Ok(Cairn { ready, running: Running::Dev(dev) })
            }
            Left::Deployed(mut split) => {
                split.attend();
                split.start_all()?;
                Cairn::deployed(split)
            }
        }
    }

    /// The data of a `cairn dev`.
    ///
    /// # Errors
    /// If it was none.
    pub fn data_dir(&self) -> Result<PathBuf> {
        match &self.0 {
            Left::Dev(world) => Ok(world.data_dir()),
            Left::Deployed(_) => bail!("this is no cairn dev"),
        }
    }
}

/// A Cairn to be started.
#[derive(Debug)]
pub struct Builder {
    form: Form,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    ephemeral: bool,
}

impl Builder {
    /// Adds arguments of `cairn dev`.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable in the environment of `cairn dev`.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// A `cairn dev` that keeps nothing: a restart finds nothing.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// If the binary is not built or does not come up; if another form than `cairn dev` was given what only that command takes.
    pub fn start(self) -> Result<Cairn> {
        let layout = match self.form {
            Form::Dev => {
                let (dev, ready) = Dev::start(self)?;
                return Ok(Cairn { ready, running: Running::Dev(dev) });
            }
            Form::Postgres => Layout::one_process(),
            Form::Split => Layout::split(1),
        };
        ensure!(
            self.arguments.is_empty() && self.environment.is_empty() && !self.ephemeral,
            "{self:?} is told what only `cairn dev` takes"
        );
        Cairn::laid_out(&layout)
    }
}

/// A `cairn` to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary(PathBuf);

impl Binary {
    /// The one under test: what `CAIRN_BIN` names, else the one built beside this test.
    ///
    /// # Errors
    /// If it is not built.
    pub fn under_test() -> Result<Self> {
        match env::var_os("CAIRN_BIN") {
            Some(named) => Self::at(&PathBuf::from(named)),
            None => Self::at(&beside(&env::current_exe()?)?),
        }
    }

    /// The one before: it knows the database's schema up to the last step but one. `CAIRN_PREVIOUS_BIN` names it.
    ///
    /// # Errors
    /// If nothing names it, or it is not built.
    pub fn previous() -> Result<Self> {
        let named = env::var_os("CAIRN_PREVIOUS_BIN").context(
            "CAIRN_PREVIOUS_BIN does not name a cairn of the schema before; `./test-env/test upgrade` builds it",
        )?;
        Self::at(&PathBuf::from(named))
    }

    fn at(path: &Path) -> Result<Self> {
        ensure!(
            path.is_file(),
            "there is no {}; build it with `cargo build -p cairn`, or name another in CAIRN_BIN",
            path.display()
        );
        // The server runs in a folder of its own, where a relative path would lead elsewhere.
        Ok(Self(path.canonicalize()?))
    }

    /// For what is not `cairn dev`: the caller adds the subcommand and minds the process.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Runs it, which must end by itself, and gives what it printed: whether it ended well, and its words.
    ///
    /// # Errors
    /// If it does not end.
    pub fn run(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = self.command();
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
}

/// [`Binary::command`] of the binary under test.
///
/// # Errors
/// If it is not built.
pub fn command() -> Result<Command> {
    Ok(Binary::under_test()?.command())
}

/// [`Binary::run`] of the binary under test.
///
/// # Errors
/// If it is not built, or does not end.
pub fn run(arguments: &[&str]) -> Result<(bool, String)> {
    Binary::under_test()?.run(arguments)
}

/// `target/debug/cairn` for `target/debug/deps/clients-0123` and for `target/debug/load-generator`.
fn beside(executable: &Path) -> Result<PathBuf> {
    let folder = executable.parent().context("this program is nowhere")?;
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(profile.join("cairn"))
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
