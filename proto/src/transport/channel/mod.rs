//! The way to all endpoints of another role.
//!
//! `find` keeps the list of endpoints as names say; each `endpoint` keeps itself connected, by `connect`; `call` chooses among those
//! that are, and decides whether a call that failed may be made again.

mod call;
mod connect;
mod endpoint;
mod find;

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use cairn_core::{Clock, Random};
use http::uri::Authority;
use http::{Request, Response};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use self::endpoint::Endpoint;
use super::metrics::{Calls, Side};
use super::quiet::Quiet;
use super::refusal::not_processed;
use super::{Address, Identity, deadline};
use crate::Role;
use crate::calls::is_idempotent;

/// Who calls whom, and where.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// What to prove to the callee.
    pub caller: Arc<Identity>,
    /// What the callee must prove.
    pub callee: Role,
    /// Where to find it; all of them lead to equal endpoints.
    pub addresses: Vec<Address>,
    /// How long a call may take that is made outside of any deadline.
    pub call_timeout: Duration,
    /// Goes along with each call, for the callee to compare.
    pub clock: Arc<dyn Clock>,
    /// Spreads out the attempts to connect of many callers.
    pub random: Arc<dyn Random>,
}

/// Calls another role, on whichever of its endpoints is there. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Channel {
    link: Arc<Link>,
    _alive: Arc<DropGuard>,
}

/// Calls one endpoint of another role.
#[derive(Clone)]
pub struct EndpointChannel {
    link: Arc<Link>,
    endpoint: Arc<Endpoint>,
    _alive: Arc<DropGuard>,
}

/// What clones of a channel share with the tasks behind it.
struct Link {
    config: ChannelConfig,
    /// The callee's name, as requests have it.
    authority: Option<Authority>,
    /// Which calls, by their paths, may be made again although the first may have been begun.
    idempotent: fn(&str) -> bool,
    /// Written by `find` alone.
    endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    /// Why some address leads nowhere.
    unresolved: ArcSwapOption<String>,
    /// Where the next choice among equals begins.
    next: AtomicUsize,
    /// Wakes calls that wait for an endpoint.
    changed: watch::Sender<()>,
    /// Wakes `find`: an endpoint is gone, and names may lead elsewhere by now.
    failed: Notify,
    said: Quiet<(SocketAddr, String)>,
    calls: Arc<Calls>,
    /// Where connections run. Nobody waits for them: at the end of the process they must last as long as the work that calls through
    /// them, and they end when the last clone of the channel is dropped.
    connections: TaskTracker,
}

impl Channel {
    /// A channel that begins to look for its endpoints; returns at once.
    ///
    /// `tracker` and `shutdown` are for the tasks that look for endpoints and connect. Connections that are open then stay for the work
    /// that is being finished.
    #[must_use]
    pub fn connect(config: ChannelConfig, tracker: &TaskTracker, shutdown: CancellationToken) -> Self {
        Self::with(config, is_idempotent, tracker, shutdown)
    }

    /// A channel on which the calls are idempotent that `idempotent` says.
    pub(super) fn with(
        config: ChannelConfig,
        idempotent: fn(&str) -> bool,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let calls = Arc::new(Calls::new(Side::Client, config.callee));
        let link = Arc::new(Link {
            authority: Authority::try_from(config.callee.dns_name()).ok(),
            config,
            idempotent,
            endpoints: ArcSwap::default(),
            unresolved: ArcSwapOption::default(),
            next: AtomicUsize::new(0),
            changed: watch::Sender::new(()),
            failed: Notify::new(),
            said: Quiet::new(),
            calls,
            connections: TaskTracker::new(),
        });
        let stop = shutdown.child_token();
        tracker.spawn(find::find(Arc::clone(&link), tracker.clone(), stop.clone()));
        Self { link, _alive: Arc::new(stop.drop_guard()) }
    }

    /// Whom it leads to.
    #[must_use]
    pub fn callee(&self) -> Role {
        self.link.config.callee
    }

    /// Every endpoint that is known now, whether connected or not.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointChannel> {
        let endpoints = self.link.endpoints.load();
        let channel = |endpoint: &Arc<Endpoint>| EndpointChannel {
            link: Arc::clone(&self.link),
            endpoint: Arc::clone(endpoint),
            _alive: Arc::clone(&self._alive),
        };
        endpoints.iter().map(channel).collect()
    }

    /// Wakes when an endpoint comes or goes.
    #[cfg(test)]
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.link.changed.subscribe()
    }

    /// Why nobody answers, in a sentence for the operator.
    pub(super) fn nobody_answers(&self) -> Status {
        self.link.nobody_answers(None)
    }
}

impl EndpointChannel {
    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address
    }

    /// Whether a connection to it is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.endpoint.is_live()
    }
}

impl Link {
    /// A status for a call that found no endpoint, or not the `only` one that would do.
    fn nobody_answers(&self, only: Option<&Endpoint>) -> Status {
        let mut reasons: Vec<String> = match only {
            Some(endpoint) => endpoint.failure().into_iter().collect(),
            None => self.endpoints.load().iter().filter_map(|endpoint| endpoint.failure()).collect(),
        };
        reasons.extend(self.unresolved.load().iter().map(|error| error.as_ref().clone()));
        reasons.sort();
        reasons.dedup();
        if reasons.is_empty() {
            reasons.push("no connection yet".to_owned());
        }
        let addresses: Vec<String> = match only {
            Some(endpoint) => vec![endpoint.address.to_string()],
            None => self.config.addresses.iter().map(Address::to_string).collect(),
        };
        let text =
            format!("no {} answers at {}: {}", self.config.callee, addresses.join(", "), reasons.join("; "));
        not_processed(Status::unavailable(text))
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // A call waits for an endpoint itself: it knows for how long.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        Box::pin(call::call(Arc::clone(&self.link), None, request, deadline::current()))
    }
}

impl Service<Request<Body>> for EndpointChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let endpoint = Arc::clone(&self.endpoint);
        Box::pin(call::call(Arc::clone(&self.link), Some(endpoint), request, deadline::current()))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("callee", &self.link.config.callee).finish_non_exhaustive()
    }
}

impl fmt::Debug for EndpointChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (callee, address) = (self.link.config.callee, self.endpoint.address);
        f.debug_struct("EndpointChannel")
            .field("callee", &callee)
            .field("address", &address)
            .finish_non_exhaustive()
    }
}
