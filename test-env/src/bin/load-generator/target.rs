//! The server under load: one of our own, or one that runs already.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use cairn_test_env::acme::Endpoint;
use cairn_test_env::challenges::{Dns01, Http01, Responder, TlsAlpn01};
use cairn_test_env::harness::Cairn;
use cairn_test_env::split::{Layout, Role};

use crate::machine;
use crate::options::{Challenge, Form, Options, Running};
use crate::process::{CpuTime, Memory};

/// A server to load.
pub(crate) struct Target {
    processes: Vec<(String, u32)>,
    database: Option<u32>,
    pub(crate) directory: String,
    pub(crate) endpoint: Arc<Endpoint>,
    http_port: u16,
    tls_port: u16,
    dns_management: SocketAddr,
    /// Our own server, to be stopped in the end.
    own: Option<Cairn>,
}

impl Target {
    /// The running server that was named, or a new one.
    pub(crate) fn find(options: &Options) -> Result<Self> {
        match &options.running {
            Running { directory: Some(directory), pid: Some(pid), roots: Some(roots), .. } => {
                let roots = fs::read_to_string(roots).with_context(|| roots.display().to_string())?;
                Ok(Self {
                    processes: vec![("server".to_owned(), *pid)],
                    database: None,
                    directory: directory.clone(),
                    endpoint: Arc::new(Endpoint::new(directory, &roots)?),
                    http_port: options.running.http_port,
                    tls_port: options.running.tls_port,
                    dns_management: options.running.dns_management,
                    own: None,
                })
            }
            _ => Self::start(options),
        }
    }

    fn start(options: &Options) -> Result<Self> {
        let cairn = start_own(options.form, options.fronts)?;
        let ready = &cairn.ready;
        let roots = fs::read_to_string(cairn.root_file()?).context("cannot read the root")?;
        Ok(Self {
            processes: cairn.processes(),
            database: cairn.database_pid()?,
            directory: ready.directory.clone(),
            endpoint: Arc::new(Endpoint::new(&ready.directory, &roots)?),
            http_port: cairn.http_port(),
            tls_port: cairn.tls_port(),
            dns_management: ready.dns_management,
            own: Some(cairn),
        })
    }

    /// What each process has taken so far, PostgreSQL's as one.
    pub(crate) fn cpu(&self) -> Result<Vec<(String, CpuTime)>> {
        let of = |(name, pid): &(String, u32)| Ok((name.clone(), CpuTime::of(*pid)?));
        let mut all = self.processes.iter().map(of).collect::<Result<Vec<_>>>()?;
        if let Some(pid) = self.database {
            all.push(("postgres".to_owned(), CpuTime::of_family(pid)?));
        }
        Ok(all)
    }

    /// What Cairn's processes have in memory together.
    pub(crate) fn memory(&self) -> Result<Memory> {
        self.processes.iter().map(|(_, pid)| Memory::of(*pid)).sum()
    }

    /// What answers the challenges of the clients.
    pub(crate) async fn responder(&self, challenge: Challenge) -> Result<Responder> {
        Ok(match challenge {
            Challenge::Http01 => Responder::Http01(Arc::new(Http01::start(self.http_port).await?)),
            Challenge::Dns01 => Responder::Dns01(Arc::new(Dns01::new(self.dns_management)?)),
            Challenge::TlsAlpn01 => Responder::TlsAlpn01(Arc::new(TlsAlpn01::start(self.tls_port).await?)),
        })
    }

    /// Stops the server if it is our own.
    pub(crate) fn stop(self) -> Result<()> {
        self.own.map_or(Ok(()), |cairn| cairn.stop().map(drop))
    }
}

/// Starts a server of our own, on a real disk.
pub(crate) fn start_own(form: Form, fronts: u8) -> Result<Cairn> {
    machine::refuse_memory_disks(&std::env::temp_dir())?;
    match form {
        Form::Dev => Cairn::dev().start(),
        Form::Postgres => Cairn::laid_out(&Layout::one_process().with_own_database().by_socket()),
        Form::Split => {
            let scaled = [Role::Wfe, Role::Ra, Role::Va];
            let layout =
                scaled.into_iter().fold(Layout::split(1), |layout, role| layout.with(role, fronts.into()));
            Cairn::laid_out(&layout.with_own_database())
        }
    }
}
