//! A whole Cairn from the real binary on this machine: its PostgreSQL database, its hierarchy, its internal PKI, a fake DNS, and the
//! processes of a [`Layout`], each of which can be killed, stopped and started by itself, with relays between them where a test wants the
//! network to fail.
//!
//! Clients connect to one port: that of the one process, or of a balancer before the front ends.

mod layout;
mod role;

mod background;
mod config;
mod database;
mod operator;
mod process;

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::postgres::{PASSWORD, Server};
use crate::relay::Relay;
use crate::{harness, invariants, port};

use self::background::{Background, FakeDns};
use self::config::{Own, Shared};
use self::database::Database;

pub use self::layout::Layout;
pub use self::process::Process;
pub use self::role::Role;

/// What an operator's command reads who reaches a Cairn over the network.
const OPERATORS_CONFIG: &str = "operator/cairn.toml";

/// A running Cairn. A story ends with [`Split::stop`]; one that drops it without has failed, and the logs are shown.
#[derive(Debug)]
pub struct Split {
    /// First, so that they end before what they lean on.
    processes: Vec<Process>,
    balancer: Option<Relay>,
    fronts: Vec<SocketAddr>,
    /// Spreads relying parties.
    _pki_balancer: Option<Relay>,
    pkis: Vec<SocketAddr>,
    inside: Vec<u16>,
    relays: Vec<PlacedRelay>,
    database_relay: Option<Relay>,
    shared: Shared,
    dns: FakeDns,
    database: Database,
    management: Vec<SocketAddr>,
    management_inside: Vec<SocketAddr>,
    root_sha256: String,
    ras: Vec<SocketAddr>,
    folder: TempDir,
    _background: Background,
    show_logs: bool,
}

/// A relay before a process, for the calls of a role.
#[derive(Debug)]
struct PlacedRelay {
    from: Role,
    to: Role,
    relay: Relay,
}

impl Split {
    /// Starts one, and waits until all its processes listen.
    ///
    /// # Errors
    /// If the binary is not built, PostgreSQL is not installed, or something does not come up.
    pub fn start(layout: &Layout) -> Result<Self> {
        let mut split = Self::prepare(layout)?;
        split.start_all()?;
        Ok(split)
    }

    fn prepare(layout: &Layout) -> Result<Self> {
        let background = Background::start()?;
        let dns = FakeDns::start(&background)?;
        let database = Database::create(layout.own_database, layout.standby)?;
        let relay = |targets| -> Result<Relay> {
            Relay::start(background.handle(), port::free()?, targets).context("cannot start a relay")
        };
        let database_relay =
            layout.database_relayed.then(|| relay(vec![local(database.port)])).transpose()?;
        let shared = Shared {
            front: local(port::free()?),
            pki: local(port::free()?),
            http_port: port::free()?,
            tls_port: port::free()?,
            resolver: dns.address,
            database: database.name.clone(),
            database_hosts: match &database_relay {
                Some(relay) => relay.address().to_string(),
                None if layout.by_socket => database.socket(),
                None => database.hosts(),
            },
            database_port: database.port,
            answer_grace: if layout.patient { "10s" } else { "50ms" },
        };
        let folder = tempfile::Builder::new().prefix("cairn-split-").tempdir()?;
        let ca = folder.path().join("ca");
        make_hierarchy(&ca, &shared)?;
        if layout.processes.iter().any(Option::is_some) {
            make_internal_pki(&ca)?;
        }

        let mut plans = Vec::new();
        for (number, role) in layout.processes.iter().enumerate() {
            let api = match role {
                None => shared.front,
                Some(_) => local(port::free()?),
            };
            plans.push(Plan {
                process: Process::new(&ca, *role, number),
                role: *role,
                api,
                pki: match role {
                    None => Some(shared.pki),
                    Some(Role::Pki) => Some(local(port::free()?)),
                    Some(_) => None,
                },
                internal: local(port::free()?),
            });
        }
        let mut relays = Vec::new();
        for (from, to) in &layout.relayed {
            for plan in plans.iter().filter(|plan| plan.role == Some(*to)) {
                relays.push(PlacedRelay { from: *from, to: *to, relay: relay(vec![plan.internal])? });
            }
        }
        for (number, plan) in plans.iter().enumerate() {
            let own = Own {
                api: plan.api,
                pki: plan.pki,
                internal: plan.role.map(|_| plan.internal),
                role: plan.role,
                serial_prefix: number + 1,
                others: others(plan.role, &plans, &relays),
            };
            fs::write(plan.process.config_file(), config::text(&shared, &own)?)?;
        }
        let fronts: Vec<SocketAddr> =
            plans.iter().filter(|plan| plan.role == Some(Role::Wfe)).map(|plan| plan.api).collect();
        let pkis: Vec<SocketAddr> = plans.iter().filter_map(|plan| plan.pki).collect();
        let has_pki_alone = plans.iter().any(|plan| plan.role == Some(Role::Pki));
        let ras: Vec<SocketAddr> =
            plans.iter().filter(|plan| plan.role == Some(Role::Ra)).map(|plan| plan.internal).collect();
        if !ras.is_empty() {
            operator::equip(&folder.path().join(OPERATORS_CONFIG), &ca.join("internal-pki"), &ras)?;
        }
        let inside = plans.iter().map(|plan| plan.internal.port()).chain([database.port]).collect();
        let balancer = if fronts.is_empty() {
            None
        } else {
            Some(
                Relay::start(background.handle(), shared.front.port(), fronts.clone())
                    .context("cannot start a balancer")?,
            )
        };
        let pki_balancer =
            has_pki_alone.then(|| Relay::start(background.handle(), shared.pki.port(), pkis.clone()));
        let pki_balancer = pki_balancer.transpose().context("cannot start a balancer")?;
        Ok(Self {
            processes: plans.into_iter().map(|plan| plan.process).collect(),
            balancer,
            fronts,
            _pki_balancer: pki_balancer,
            pkis,
            inside,
            relays,
            database_relay,
            shared,
            dns,
            database,
            management: Vec::new(),
            management_inside: Vec::new(),
            root_sha256: String::new(),
            ras,
            folder,
            _background: background,
            show_logs: true,
        })
    }

    /// Starts what does not run, all at once, and waits until everything listens.
    ///
    /// # Errors
    /// If something does not come up.
    pub fn start_all(&mut self) -> Result<()> {
        for process in self.processes.iter_mut().filter(|process| !process.runs()) {
            process.spawn()?;
        }
        self.management.clear();
        self.management_inside.clear();
        for process in &mut self.processes {
            let ready = process.ready()?;
            if process.role().is_none_or(|role| role == Role::Wfe) {
                self.management.extend(ready.management);
                self.root_sha256 = ready.root_sha256.unwrap_or_default();
            } else {
                self.management_inside.extend(ready.management);
            }
        }
        Ok(())
    }

    /// Kills all processes at once (SIGKILL); the database goes on.
    ///
    /// # Errors
    /// If one was not running any more.
    pub fn kill_all(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::kill)
    }

    /// Stops all processes, callers before those whom they call.
    ///
    /// # Errors
    /// If one does not end in time, or badly.
    pub fn stop_all(&mut self) -> Result<()> {
        for role in std::iter::once(None).chain(Role::ALL.map(Some)) {
            let those = self.processes.iter_mut().filter(|process| process.role() == role && process.runs());
            those.into_iter().try_for_each(Process::stop)?;
        }
        Ok(())
    }

    /// The story is over: everything ends, and must end well.
    ///
    /// # Errors
    /// As [`Split::stop_all`].
    pub fn stop(mut self) -> Result<()> {
        self.stop_all()?;
        self.dismiss();
        Ok(())
    }

    /// From now on nothing is wrong when it is dropped.
    pub(crate) fn dismiss(&mut self) {
        self.show_logs = false;
    }

    /// From now on the logs are shown when it is dropped.
    pub(crate) fn attend(&mut self) {
        self.show_logs = true;
    }

    /// The processes of a role.
    pub fn of_role(&mut self, role: Role) -> impl Iterator<Item = &mut Process> {
        self.processes.iter_mut().filter(move |process| process.role() == Some(role))
    }

    /// All processes.
    pub fn processes(&mut self) -> &mut [Process] {
        &mut self.processes
    }

    /// The relays through which `from` calls `to`, one for each process of `to`.
    pub fn relays(&self, from: Role, to: Role) -> impl Iterator<Item = &Relay> {
        self.relays.iter().filter(move |placed| (placed.from, placed.to) == (from, to)).map(|it| &it.relay)
    }

    /// The relay before the database.
    ///
    /// # Errors
    /// If the layout has none.
    pub fn database_relay(&self) -> Result<&Relay> {
        self.database_relay.as_ref().context("the database is not reached through a relay")
    }

    /// The database server, to be killed.
    ///
    /// # Errors
    /// If it is not this Cairn's own.
    pub fn database_server(&mut self) -> Result<&mut Server> {
        self.database.server().context("the database server is not this Cairn's own")
    }

    /// Makes the database's standby the primary; the one before must be gone.
    ///
    /// # Errors
    /// If there is none, or it cannot be promoted.
    pub fn promote_standby(&mut self) -> Result<()> {
        self.database.promote_standby()
    }

    /// The database as those see it who look into it from outside.
    #[must_use]
    pub fn database(&self) -> invariants::Database {
        self.database.seen_from_outside()
    }

    /// The certificates of all roles, and the key that makes more.
    #[must_use]
    pub fn internal_pki(&self) -> PathBuf {
        self.folder.path().join("ca/internal-pki")
    }

    /// Where the registration authorities listen for the others; nowhere if everything is one process.
    #[must_use]
    pub fn registration_authorities(&self) -> &[SocketAddr] {
        &self.ras
    }

    /// How `cairn admin` reaches it: the option and its value.
    #[must_use]
    pub fn admin(&self) -> [String; 2] {
        let (option, file) = match self.ras.as_slice() {
            [] => ("--socket", "ca/admin.sock"),
            _ => ("--config", OPERATORS_CONFIG),
        };
        [option.to_owned(), self.folder.path().join(file).display().to_string()]
    }

    /// What those processes have logged that decide, and so are asked by operators.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn deciders_log(&self) -> Result<String> {
        let decide = |process: &&Process| process.role().is_none_or(|role| role == Role::Ra);
        self.processes.iter().filter(decide).map(Process::log).collect()
    }

    /// The ACME directory's URL.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.shared.front.port())
    }

    /// The hierarchy folder of whoever signs, of which no other process is told.
    #[must_use]
    pub fn hierarchy(&self) -> PathBuf {
        self.folder.path().join("ca").join(config::HIERARCHY)
    }

    /// The file that holds the root to trust.
    #[must_use]
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("ca/root.pem")
    }

    /// The SHA-256 fingerprint of the root, as the front ends say it.
    #[must_use]
    pub fn root_sha256(&self) -> &str {
        &self.root_sha256
    }

    /// The process of the first front end, or of everything.
    #[must_use]
    pub fn first_pid(&self) -> Option<u32> {
        self.processes.first().and_then(Process::pid)
    }

    /// The names and ids of the processes that run.
    #[must_use]
    pub fn pids(&self) -> Vec<(String, u32)> {
        let named = |process: &Process| Some((process.name().to_owned(), process.pid()?));
        self.processes.iter().filter_map(named).collect()
    }

    /// The first process of the database server, if that is this Cairn's own.
    ///
    /// # Errors
    /// If it does not run.
    pub fn database_pid(&self) -> Result<Option<u32>> {
        self.database.pid()
    }

    /// The port where http-01 looks for the client's answer.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.shared.http_port
    }

    /// The port where tls-alpn-01 looks for the client's answer.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.shared.tls_port
    }

    /// Where the fake DNS is asked, and where it is managed.
    #[must_use]
    pub fn dns(&self) -> (SocketAddr, SocketAddr) {
        (self.dns.address, self.dns.management)
    }

    /// Where each front end listens, behind the balancer.
    #[must_use]
    pub fn fronts(&self) -> &[SocketAddr] {
        &self.fronts
    }

    /// Where each process listens that serves relying parties, behind the balancer if it does nothing else.
    #[must_use]
    pub fn relying_parties(&self) -> &[SocketAddr] {
        &self.pkis
    }

    /// The ports at which the processes call each other, and their database.
    #[must_use]
    pub fn inside(&self) -> &[u16] {
        &self.inside
    }

    /// Where the management listeners of all others listen, without TLS.
    #[must_use]
    pub fn management_inside(&self) -> &[SocketAddr] {
        &self.management_inside
    }

    /// Where the management listeners of the front ends listen.
    #[must_use]
    pub fn management(&self) -> &[SocketAddr] {
        &self.management
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        if self.show_logs {
            self.processes.iter().for_each(Process::show_log);
            let seen = self.balancer.as_ref().map(Relay::address);
            let _ = writeln!(std::io::stderr(), "(clients connected to {seen:?})");
        }
    }
}

/// A process that is not written down yet.
struct Plan {
    process: Process,
    role: Option<Role>,
    api: SocketAddr,
    pki: Option<SocketAddr>,
    internal: SocketAddr,
}

/// Where a role finds all others.
fn others(of: Option<Role>, plans: &[Plan], relays: &[PlacedRelay]) -> Vec<(Role, Vec<SocketAddr>)> {
    let found = |role: Role| {
        let relayed = relays.iter().filter(|placed| (Some(placed.from), placed.to) == (of, role));
        let relayed: Vec<SocketAddr> = relayed.map(|placed| placed.relay.address()).collect();
        if !relayed.is_empty() {
            return relayed;
        }
        plans.iter().filter(|plan| plan.role == Some(role)).map(|plan| plan.internal).collect()
    };
    Role::ALL.into_iter().map(|role| (role, found(role))).collect()
}

/// What every process reads: the hierarchy, and the database's password.
fn make_hierarchy(folder: &Path, shared: &Shared) -> Result<()> {
    let out = folder.display().to_string();
    let base_url = format!("https://localhost:{}", shared.front.port());
    let (well, printed) =
        harness::run(&["init", "--name", "Example", "--out", &out, "--base-url", &base_url])?;
    ensure!(well, "{printed}");
    let password = folder.join("database.password");
    fs::write(&password, format!("{PASSWORD}\n"))?;
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// The certificates by which the roles know each other.
fn make_internal_pki(folder: &Path) -> Result<()> {
    let out = folder.join("internal-pki").display().to_string();
    let (well, printed) = harness::run(&["internal-pki", "init", "--out", &out])?;
    ensure!(well, "{printed}");
    Ok(())
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
