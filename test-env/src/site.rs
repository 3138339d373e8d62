//! A CA for real use on this machine: what `cairn init` makes, a configuration that fits, and a running `cairn serve`.

use std::{
    fmt::Write as _,
    fs::{self, File},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use challtestsrv::{DnsServer, Zone};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::challenges::{Http01, Responder};
use crate::harness::{self, Binary};
use crate::postgres::{PASSWORD, Server, USER};
use crate::{port, program, wait};

/// Far longer than a start or an end takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `cairn init` has made, in the folder `ca`, and a free port for its ACME API.
#[derive(Debug)]
pub struct Site {
    /// A temporary folder.
    pub home: TempDir,
    /// The port of the ACME API.
    pub port: u16,
    /// What `cairn init` printed.
    pub printed: String,
}

/// What a site validates against; gone when dropped.
#[derive(Debug)]
pub struct Subscribers {
    /// Who answers challenges.
    pub http01: Responder,
    _dns: JoinSet<()>,
}

impl Site {
    /// Runs `cairn init`.
    ///
    /// # Errors
    /// If that fails.
    pub fn new() -> Result<Self> {
        Self::made_by(&Binary::under_test()?)
    }

    /// Runs `init` of that binary.
    ///
    /// # Errors
    /// If that fails.
    pub fn made_by(binary: &Binary) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let port = port::free()?;
        let out = home.path().join("ca").display().to_string();
        let base_url = format!("https://localhost:{port}");
        let (well, printed) =
            binary.run(&["init", "--name", "Example", "--out", &out, "--base-url", &base_url])?;
        ensure!(well, "{printed}");
        Ok(Self { home, port, printed })
    }

    /// A file in the folder that `cairn init` made.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("ca").join(name)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path("cairn.toml")
    }

    /// The ACME directory's URL.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The root's certificate, PEM.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn root(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path("root.pem"))?)
    }

    /// Changes the configuration.
    ///
    /// # Errors
    /// If it does not contain what is to be changed.
    pub fn replace(&self, what: &str, by: &str) -> Result<()> {
        let text = fs::read_to_string(self.config())?;
        ensure!(text.contains(what), "{what} is not in {text}");
        Ok(fs::write(self.config(), text.replace(what, by))?)
    }

    /// Has the configuration listen on the addresses of this site instead of the usual ones, and adds `further` sections.
    ///
    /// # Errors
    /// As [`Site::replace`].
    pub fn settle(&self, further: &str) -> Result<()> {
        self.replace("127.0.0.1:14000", &format!("127.0.0.1:{}", self.port))?;
        let mut text = fs::read_to_string(self.config())?;
        // A program of before serves no relying parties.
        text = text.replace("127.0.0.1:4002", "127.0.0.1:0");
        write!(text, "\n[management]\nlisten = [\"127.0.0.1:0\"]\n{further}")?;
        Ok(fs::write(self.config(), text)?)
    }

    /// Has it ask this name server, and validate http-01 on this port of this machine.
    ///
    /// # Errors
    /// As [`Site::replace`].
    pub fn validate_here(&self, resolver: SocketAddr, http_port: u16) -> Result<()> {
        self.replace("resolvers = []", &format!("resolvers = [\"{resolver}\"]\nhttp_port = {http_port}"))?;
        let text = fs::read_to_string(self.config())?;
        let (before, after) = text.split_once("[va]").context("there is no [va]")?;
        let after = after.replacen("allowed_networks = []", "allowed_networks = [\"127.0.0.0/8\"]", 1);
        Ok(fs::write(self.config(), format!("{before}[va]{after}"))?)
    }

    /// Has it validate for real on this machine: a name server that says 127.0.0.1 of every name, and who answers http-01 there.
    ///
    /// # Errors
    /// As [`Site::replace`], or if there is no free port.
    pub async fn validate_for_real(&self) -> Result<Subscribers> {
        let zone = Zone::new();
        zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
        let dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await?;
        let http_port = port::free()?;
        self.validate_here(dns.local_addr(), http_port)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _stopped = dns.run(CancellationToken::new()).await;
        });
        let http01 = Responder::Http01(Arc::new(Http01::start(http_port).await?));
        Ok(Subscribers { http01, _dns: tasks })
    }

    /// Has it keep everything in the database `cairn` of that server, which it reaches over the network with a password.
    ///
    /// # Errors
    /// As [`Site::replace`], or if a file cannot be written.
    pub fn keep_in(&self, server: &Server) -> Result<()> {
        self.replace("data_dir = \"data\"", "# The database is elsewhere.")?;
        self.password_file()?;
        let mut text = fs::read_to_string(self.config())?;
        write!(
            text,
            "\n[sa]\nengine = \"postgres\"\n\n[sa.postgres]\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{USER}\"\n\
             database = \"cairn\"\npassword_file = \"database.password\"\ntls = \"disable\"\n",
            server.port()
        )?;
        Ok(fs::write(self.config(), text)?)
    }

    /// A file with the password of every test's server.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn password_file(&self) -> Result<PathBuf> {
        let password = self.path("database.password");
        fs::write(&password, format!("{PASSWORD}\n"))?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        Ok(password)
    }

    /// What `check-config` or `serve` says of the configuration, when it ends by itself, and whether it ends well.
    ///
    /// # Errors
    /// If it does not end.
    pub fn judge(&self, subcommand: &str) -> Result<(bool, String)> {
        self.judge_as(&[subcommand])
    }

    /// What a command says of the configuration, and whether it ends well.
    ///
    /// # Errors
    /// If it does not end.
    pub fn judge_as(&self, command: &[&str]) -> Result<(bool, String)> {
        let config = self.config().display().to_string();
        harness::run(&[command, &["--config", &config]].concat())
    }
}

/// A running `cairn serve`; killed if the story fails.
#[derive(Debug)]
pub struct Serve(Child);

impl Serve {
    /// Starts it and waits until it listens; gives what its ready file says.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(site: &Site) -> Result<(Self, Value)> {
        Self::start_of(&Binary::under_test()?, site)
    }

    /// The same with that binary.
    ///
    /// # Errors
    /// As [`Serve::start`].
    pub fn start_of(binary: &Binary, site: &Site) -> Result<(Self, Value)> {
        Self::start_in(binary, site, &[])
    }

    /// The same with these variables in its environment.
    ///
    /// # Errors
    /// As [`Serve::start`].
    pub fn start_in(binary: &Binary, site: &Site, environment: &[(&str, String)]) -> Result<(Self, Value)> {
        let ready_file = site.home.path().join("ready.json");
        let _from_before = fs::remove_file(&ready_file);
        let log = site.home.path().join("log");
        let mut command = binary.command();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.args(["serve", "--config"]).arg(site.config()).arg("--ready-file").arg(&ready_file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let mut serve = Self(command.spawn()?);
        let ready = wait::until("cairn serve to listen", PATIENCE, || {
            if serve.0.try_wait()?.is_some() {
                bail!("it ended: {}", fs::read_to_string(&log)?);
            }
            Ok(fs::read(&ready_file).ok())
        })?;
        Ok((serve, serde_json::from_slice(&ready)?))
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time, or badly.
    pub fn stop(mut self) -> Result<()> {
        program::terminate(self.0.id())?;
        let status = wait::until("cairn serve to stop", PATIENCE, || Ok(self.0.try_wait()?))?;
        ensure!(status.success(), "cairn serve ended with {status}");
        Ok(())
    }

    /// Kills it where it stands (SIGKILL).
    ///
    /// # Errors
    /// If it was not running any more.
    pub fn kill(mut self) -> Result<()> {
        ensure!(self.0.try_wait()?.is_none(), "cairn serve was to be killed, but had ended before");
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}
