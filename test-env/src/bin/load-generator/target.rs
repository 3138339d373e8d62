//! The server under load: one of our own, or one that runs already.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use cairn_test_env::acme::Endpoint;
use cairn_test_env::challenges::{Dns01, Http01, Responder, TlsAlpn01};
use cairn_test_env::harness::Cairn;

use crate::machine;
use crate::options::{Challenge, Running};

/// A server to load.
pub(crate) struct Target {
    pub(crate) pid: u32,
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
    pub(crate) fn find(running: &Running) -> Result<Self> {
        match running {
            Running { directory: Some(directory), pid: Some(pid), roots: Some(roots), .. } => {
                let roots = fs::read_to_string(roots).with_context(|| roots.display().to_string())?;
                Ok(Self {
                    pid: *pid,
                    directory: directory.clone(),
                    endpoint: Arc::new(Endpoint::new(directory, &roots)?),
                    http_port: running.http_port,
                    tls_port: running.tls_port,
                    dns_management: running.dns_management,
                    own: None,
                })
            }
            _ => Self::start(),
        }
    }

    fn start() -> Result<Self> {
        let cairn = start_own()?;
        let ready = &cairn.ready;
        let roots = fs::read_to_string(cairn.root_file()?).context("cannot read the root")?;
        Ok(Self {
            pid: ready.pid,
            directory: ready.directory.clone(),
            endpoint: Arc::new(Endpoint::new(&ready.directory, &roots)?),
            http_port: cairn.http_port(),
            tls_port: cairn.tls_port(),
            dns_management: ready.dns_management,
            own: Some(cairn),
        })
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
pub(crate) fn start_own() -> Result<Cairn> {
    machine::refuse_memory_disks(&std::env::temp_dir())?;
    Cairn::dev().start()
}
