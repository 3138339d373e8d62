//! A role's gRPC listener: who may connect, and who may call what.
//!
//! `connection` accepts, makes TLS and learns the peer's name; `call` asks of each call whether it may begin.

mod call;
mod connection;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tower::Service;
use tower::util::BoxCloneSyncService;

use super::metrics::{Calls, Side};
use super::quiet::Quiet;
use super::refusal::Reason;
use super::{Health, Identity};
use crate::Role;

/// How a [`Server`] bounds its peers.
#[derive(Clone, Copy, Debug)]
pub struct ServerConfig {
    /// Calls from a clock that differs by more are refused. Orders, leases and certificates carry times that one service writes and
    /// another reads.
    pub max_clock_skew: Duration,
    /// Calls that are worked on at once; more are refused at once, so that the caller may go to another endpoint while it has time.
    pub max_calls: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { max_clock_skew: Duration::from_secs(5), max_calls: MAX_CALLS }
    }
}

/// Calls at once: some five times of what two cores work off while the first of them waits for a commit.
const MAX_CALLS: usize = 1024;

/// Who called: in the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What it proved to be.
    pub role: Role,
    /// Where it came from.
    pub address: SocketAddr,
}

/// The services of one role, each with the roles that may call it.
#[derive(Clone)]
pub struct Server {
    identity: Arc<Identity>,
    config: ServerConfig,
    services: BTreeMap<&'static str, Listed>,
    health: Health,
    /// A permit for each call that is worked on, on all listeners.
    permits: Arc<Semaphore>,
    calls: Arc<Calls>,
    /// What was said in the log.
    said: Arc<Quiet<Said>>,
}

/// Where a peer was, why it was refused, and of a call, in which role it made it and to which of our services.
type Said = (IpAddr, &'static str, Option<(Role, &'static str)>);

/// A service and who may call it.
#[derive(Clone)]
struct Listed {
    service: BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>,
    allowed: Vec<Role>,
    /// Health answers even when there is too much to do: whoever asks would otherwise take a busy server for a dead one.
    always: bool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("role", &self.identity.role()).finish_non_exhaustive()
    }
}

impl Server {
    /// A server that proves `identity` and offers its health alone, to every role.
    #[must_use]
    pub fn new(identity: Arc<Identity>, config: ServerConfig) -> Self {
        let health = Health::default();
        let calls = Arc::new(Calls::new(Side::Server, identity.role()));
        let mut server = Self {
            identity,
            config,
            services: BTreeMap::new(),
            health: health.clone(),
            permits: Arc::new(Semaphore::new(config.max_calls.min(Semaphore::MAX_PERMITS))),
            calls,
            said: Arc::new(Quiet::new()),
        };
        server.list(HealthServer::new(health), &Role::ALL, true);
        server
    }

    /// Offers `service` to `allowed`, and to nobody else.
    #[must_use]
    pub fn add<S>(mut self, service: S, allowed: &[Role]) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.list(service, allowed, false);
        self
    }

    fn list<S>(&mut self, service: S, allowed: &[Role], always: bool)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.health.add(S::NAME);
        let service = BoxCloneSyncService::new(service);
        self.services.insert(S::NAME, Listed { service, allowed: allowed.to_vec(), always });
    }

    /// Says to others whether this role is ready.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Serves on `listener` until `shutdown`, then tells the peers to go (GOAWAY) and lets the calls that were begun finish. All of it
    /// runs on `tracker`, whose owner bounds the wait. Can be called for several listeners.
    pub fn serve(&self, listener: TcpListener, shutdown: CancellationToken, tracker: &TaskTracker) {
        let accepting =
            connection::Accepting { server: Arc::new(self.clone()), shutdown, tracker: tracker.clone() };
        tracker.spawn(accepting.run(listener));
    }

    /// Counts a refused call; whether to say it in the log as well.
    fn note(&self, peer: Peer, service: &str, reason: Reason) -> bool {
        super::metrics::call_refused(self.identity.role(), reason);
        let service = self.services.get_key_value(service).map_or("", |(name, _)| *name);
        self.said.may_say((peer.address.ip(), reason.name(), Some((peer.role, service))))
    }
}
