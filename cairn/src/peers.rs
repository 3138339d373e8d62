//! The other processes: a channel to each role that this one needs, by the certificates of the roles that it plays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use cairn_core::api::{NoncePeer, NoncePeers};
use cairn_core::{Clock, Period, Random};
use cairn_proto::transport::{Address, Channel, ChannelConfig, EndpointChannel, Identity, ServerConfig};
use cairn_proto::{RemoteNonceOwner, Role};
use cairn_va::PerspectiveConfig;

use crate::config::Internal;
use crate::lifecycle::Lifecycle;

/// How long a validation authority may take: a validation waits for its turn, for the subscriber, and for other perspectives.
const VALIDATION_TIMEOUT: Period = Period::from_secs(60);

/// Channels, each made when it is first asked for. Clones share them.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    internal: Internal,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    lifecycle: Lifecycle,
    /// Locked while something is made, which waits for nothing but files.
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    identities: BTreeMap<Role, Arc<Identity>>,
    /// By caller, and what is called: a role, or a perspective's name.
    ways: BTreeMap<(Role, String), Way>,
}

struct Way {
    channel: Channel,
    /// Whether the process cannot do its work without it.
    needed: bool,
}

impl Peers {
    /// None are connected to yet.
    #[must_use]
    pub fn new(
        internal: Internal,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        lifecycle: Lifecycle,
    ) -> Self {
        Self(Arc::new(Inner { internal, clock, random, lifecycle, made: Mutex::default() }))
    }

    /// Who this process is when it plays `role`; its certificate is read again when its file changes.
    ///
    /// # Errors
    /// If there is no certificate for it, or none that can be used.
    pub fn identity(&self, role: Role) -> Result<Arc<Identity>> {
        self.with(|made| made.identity(&self.0, role))
    }

    /// The bounds that this process sets the others.
    #[must_use]
    pub fn server_config(&self) -> ServerConfig {
        let max_clock_skew = self.0.internal.calls.max_clock_skew.duration();
        ServerConfig { max_clock_skew, ..ServerConfig::default() }
    }

    /// A channel from `caller`, which this process plays, to all processes that play `callee`. It connects in the background.
    ///
    /// # Errors
    /// If it is not known where they are, or there is no certificate for `caller`.
    pub fn channel(&self, caller: Role, callee: Role) -> Result<Channel> {
        let addresses = &self.0.internal.place(callee).addresses;
        ensure!(
            !addresses.is_empty(),
            "[internal.{callee}] addresses is missing: the role {caller} needs the role {callee}, which this process does not play"
        );
        self.connect(caller, callee, callee.name(), addresses, true)
    }

    /// The front ends that run beside this one, if it is known where.
    ///
    /// # Errors
    /// If there is no certificate for the role `wfe`.
    pub fn front_ends(&self) -> Result<Option<Arc<dyn NoncePeers>>> {
        let addresses = &self.0.internal.wfe.addresses;
        if addresses.is_empty() {
            return Ok(None);
        }
        let channel = self.connect(Role::Wfe, Role::Wfe, Role::Wfe.name(), addresses, false)?;
        Ok(Some(Arc::new(FrontEnds(channel))))
    }

    /// A channel to a remote validation authority.
    ///
    /// # Errors
    /// If an address is none, or there is no certificate for the role `va`.
    pub fn perspective(&self, perspective: &PerspectiveConfig) -> Result<Channel> {
        let addresses = perspective_addresses(perspective)?;
        self.connect(Role::Va, Role::RemoteVa, &perspective.name, &addresses, false)
    }

    /// The channels that this process cannot do without: who calls, what is called, and the way there.
    #[must_use]
    pub fn needed(&self) -> Vec<(Role, String, Channel)> {
        let needed = |made: &mut Made| {
            let ways = made.ways.iter().filter(|(_, way)| way.needed);
            ways.map(|((caller, callee), way)| (*caller, callee.clone(), way.channel.clone())).collect()
        };
        self.with(needed)
    }

    fn connect(
        &self,
        caller: Role,
        callee: Role,
        name: &str,
        addresses: &[Address],
        needed: bool,
    ) -> Result<Channel> {
        let Inner { internal, clock, random, lifecycle, .. } = &*self.0;
        self.with(|made| {
            let key = (caller, name.to_owned());
            if let Some(way) = made.ways.get(&key) {
                return Ok(way.channel.clone());
            }
            let timeout = match callee {
                Role::Va | Role::RemoteVa => VALIDATION_TIMEOUT,
                _ => internal.calls.timeout,
            };
            let config = ChannelConfig {
                caller: made.identity(&self.0, caller)?,
                callee,
                addresses: addresses.to_vec(),
                call_timeout: timeout.duration(),
                clock: Arc::clone(clock),
                random: Arc::clone(random),
            };
            // What was begun is finished over it, so it lives as long as the work.
            let channel = Channel::connect(config, &lifecycle.support, lifecycle.ended.clone());
            made.ways.insert(key, Way { channel: channel.clone(), needed });
            Ok(channel)
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Made) -> T) -> T {
        // What is under the lock is whole after each step.
        f(&mut self.0.made.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Made {
    fn identity(&mut self, inner: &Inner, role: Role) -> Result<Arc<Identity>> {
        if let Some(identity) = self.identities.get(&role) {
            return Ok(Arc::clone(identity));
        }
        let pki = inner.internal.pki.as_deref();
        let pki =
            pki.context("[internal] pki is missing; name the folder that `cairn internal-pki init` made")?;
        let identity = Identity::load(pki, role, Arc::clone(&inner.clock)).context("[internal] pki")?;
        inner.lifecycle.support.spawn(Arc::clone(&identity).watch(inner.lifecycle.ended.clone()));
        self.identities.insert(role, Arc::clone(&identity));
        Ok(identity)
    }
}

/// The addresses of a remote validation authority.
///
/// # Errors
/// If one is none.
pub fn perspective_addresses(perspective: &PerspectiveConfig) -> Result<Vec<Address>> {
    let addresses = perspective.addresses.iter().map(|address| address.parse());
    addresses.collect::<Result<_, _>>().with_context(|| format!("perspective \"{}\"", perspective.name))
}

/// The front ends at the other ends of a channel.
struct FrontEnds(Channel);

#[async_trait]
impl NoncePeers for FrontEnds {
    async fn peers(&self) -> cairn_core::Result<Vec<NoncePeer>> {
        let endpoints = self.0.endpoints().into_iter();
        let peer = |endpoint: EndpointChannel| NoncePeer {
            address: endpoint.address().to_string(),
            owner: Arc::new(RemoteNonceOwner::new(endpoint)),
        };
        Ok(endpoints.map(peer).collect())
    }
}
