//! What runs in the test's own process beside the services: relays, and the fake DNS. On a runtime of its own, so that stories that block
//! can have it too, and that it lives as long as they do.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use challtestsrv::{DnsServer, Zone};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A runtime that ends without waiting for anything: dropping one may not block where the test's own runtime is.
#[derive(Debug)]
pub(super) struct Background(Option<Runtime>, Handle);

impl Background {
    pub(super) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context("cannot start a runtime for what runs beside the services")?;
        let handle = runtime.handle().clone();
        Ok(Self(Some(runtime), handle))
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.1
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Where the fake DNS is asked, and where it is managed. It says 127.0.0.1 for every name unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct FakeDns {
    pub(super) address: SocketAddr,
    pub(super) management: SocketAddr,
}

impl FakeDns {
    /// Starts one. May be called from inside another runtime.
    pub(super) fn start(background: &Background) -> Result<Self> {
        let (started, starting) = std::sync::mpsc::channel();
        background.handle().spawn(async move {
            // Whoever waits for it is gone when nothing can be told.
            let _told = match bind().await {
                Ok((dns, zone, management)) => {
                    let addresses = management
                        .local_addr()
                        .map(|management| Self { address: dns.local_addr(), management });
                    Handle::current().spawn(dns.run(CancellationToken::new()));
                    Handle::current().spawn(manage(management, zone));
                    started.send(addresses.map_err(Into::into))
                }
                Err(error) => started.send(Err(error)),
            };
        });
        starting.recv().context("the fake DNS did not start")?
    }
}

async fn bind() -> Result<(DnsServer, Zone, TcpListener)> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let zone = Zone::new();
    zone.set_default_ipv4(Some(Ipv4Addr::LOCALHOST));
    let dns = DnsServer::bind(anywhere, zone.clone()).await.context("cannot start the fake DNS")?;
    let management = TcpListener::bind(anywhere).await.context("cannot manage the fake DNS")?;
    Ok((dns, zone, management))
}

async fn manage(listener: TcpListener, zone: Zone) {
    let service = TowerToHyperService::new(challtestsrv::management(zone));
    let mut connections = JoinSet::new();
    loop {
        // A connection that was gone before it was accepted is nobody's loss.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}
