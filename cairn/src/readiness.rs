//! Whether the process can do what it is there for: it is not stopping, its storage answers, its key signs, and of every role that it needs there is
//! a process that it can reach.
//!
//! What the others need in turn is their own affair: if every front end called itself unready because the certificate authority is
//! away, a balancer would take all of them out, and clients would get no answer at all instead of a 503 for the one request that
//! needs it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cairn_ca::{Ca, Crls};
use cairn_core::api::Storage;
use cairn_proto::transport::Health;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::lifecycle::Lifecycle;
use crate::peers::Peers;
use crate::wiring::Services;

/// How often the answer of the gRPC health services is made anew.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What readiness looks at.
pub struct Readiness {
    storage: Option<Arc<dyn Storage>>,
    ca: Option<Arc<Ca>>,
    crls: Option<Arc<Crls>>,
    peers: Peers,
    leaving: CancellationToken,
    notices: Arc<Notices>,
}

/// What somebody should do soon, and what keeps the process from nothing.
#[derive(Debug, Default)]
pub struct Notices(ArcSwap<Vec<String>>);

impl Notices {
    /// Those that there are.
    #[must_use]
    pub fn get(&self) -> Arc<Vec<String>> {
        self.0.load_full()
    }

    /// Replaces them all.
    pub fn set(&self, notices: Vec<String>) {
        self.0.store(Arc::new(notices));
    }
}

/// Why the process is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It is about to end.
    Stopping,
    /// Its storage does not answer.
    Storage,
    /// The issuer's key cannot sign.
    Key,
    /// No process with this role, or at this perspective, can be reached.
    Peer(String),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("shutting down"),
            Self::Storage => f.write_str("the storage does not answer; see the log"),
            Self::Key => f.write_str("the issuer's key cannot sign; see the log"),
            Self::Peer(name) => write!(f, "no {name} can be reached; see the log"),
        }
    }
}

impl Readiness {
    /// Of the services of this process.
    pub fn of(services: &Services, lifecycle: &Lifecycle) -> Self {
        Self {
            storage: services.sa.clone(),
            ca: services.ca.clone(),
            crls: services.crls.clone(),
            peers: services.peers.clone(),
            leaving: lifecycle.leaving.clone(),
            notices: Arc::clone(&services.notices),
        }
    }

    /// What somebody should do soon.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let crls = self.crls.iter().flat_map(|crls| crls.overdue());
        self.notices.get().iter().cloned().chain(crls).collect()
    }

    /// Looks.
    ///
    /// # Errors
    /// The first reason why the process is not ready.
    pub async fn check(&self) -> Result<(), Unready> {
        self.check_self().await?;
        for (caller, name, channel) in self.peers.needed() {
            if let Err(error) = cairn_proto::transport::check(&channel).await {
                warn!(%error, %caller, peer = name, "not ready");
                return Err(Unready::Peer(name));
            }
        }
        Ok(())
    }

    /// What others are told by gRPC: whether this process itself works.
    async fn check_self(&self) -> Result<(), Unready> {
        if self.leaving.is_cancelled() {
            return Err(Unready::Stopping);
        }
        if let Some(storage) = &self.storage {
            storage.ping().await.map_err(|error| {
                warn!(%error, "not ready");
                Unready::Storage
            })?;
        }
        let Some(ca) = &self.ca else { return Ok(()) };
        ca.check_keys().await.map_err(|error| {
            warn!(%error, "not ready");
            Unready::Key
        })
    }

    /// Keeps what the roles' gRPC health services answer true, until the process stops; then they say no.
    pub fn tell(self: &Arc<Self>, health: Vec<Health>, lifecycle: &Lifecycle) {
        let readiness = Arc::clone(self);
        let say = move |ready| health.iter().for_each(|health| health.set_serving(ready));
        lifecycle.work.spawn(async move {
            let looking = async {
                loop {
                    say(readiness.check_self().await.is_ok());
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            readiness.leaving.run_until_cancelled(looking).await;
            say(false);
        });
    }
}
