//! The other processes: a channel to each role that this one needs, by the certificates of the roles that it plays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use cairn_core::{Clock, Period, Random};
use cairn_proto::Role;
use cairn_proto::transport::{Address, Channel, ChannelConfig, Identity};
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
    channels: BTreeMap<(Role, String), Channel>,
}

impl Peers {
    /// None are connected to yet.
    #[must_use]
    pub fn new(internal: Internal, clock: Arc<dyn Clock>, random: Arc<dyn Random>, lifecycle: Lifecycle) -> Self {
        Self(Arc::new(Inner { internal, clock, random, lifecycle, made: Mutex::default() }))
    }

    /// Who this process is when it plays `role`; its certificate is read again when its file changes.
    ///
    /// # Errors
    /// If there is no certificate for it, or none that can be used.
    pub fn identity(&self, role: Role) -> Result<Arc<Identity>> {
        self.with(|made| made.identity(&self.0, role))
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
        self.connect(caller, callee, callee.name(), addresses)
    }

    /// A channel to a remote validation authority.
    ///
    /// # Errors
    /// If an address is none, or there is no certificate for the role `va`.
    pub fn perspective(&self, perspective: &PerspectiveConfig) -> Result<Channel> {
        let addresses = perspective_addresses(perspective)?;
        self.connect(Role::Va, Role::RemoteVa, &perspective.name, &addresses)
    }

    /// The channels that were made: who calls, what is called, and the way there.
    #[must_use]
    pub fn channels(&self) -> Vec<(Role, String, Channel)> {
        let channels = |made: &mut Made| {
            let channels = made.channels.iter();
            channels.map(|((caller, callee), channel)| (*caller, callee.clone(), channel.clone())).collect()
        };
        self.with(channels)
    }

    fn connect(&self, caller: Role, callee: Role, name: &str, addresses: &[Address]) -> Result<Channel> {
        let Inner { internal, clock, random, lifecycle, .. } = &*self.0;
        self.with(|made| {
            let key = (caller, name.to_owned());
            if let Some(channel) = made.channels.get(&key) {
                return Ok(channel.clone());
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
            made.channels.insert(key, channel.clone());
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
        let pki = pki.context("[internal] pki is missing; name the folder that `cairn internal-pki init` made")?;
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
