//! What `dev` and `serve` have in common: from bound sockets and wired services to a server that listens, and to its end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use cairn_core::api::ListenerCertificates;
use cairn_core::{Clock, ErrorKind, Timestamp};
use cairn_ra::Orphans;
use cairn_wfe::Chains;
use cairn_x509::Certificate;
use ipnet::IpNet;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::internal;
use crate::lifecycle::{Lifecycle, Signals};
use crate::listener::{Listener, Sockets};
use crate::management::{self, Management};
use crate::metrics;
use crate::operators::Door;
use crate::readiness::Readiness;
use crate::service_manager::ServiceManager;
use crate::storage::Storage;
use crate::telemetry;
use crate::tls::{Files, SelfIssued, Served};
use crate::wiring::{FrontEnd, Services};

/// Pause before the listeners' first certificate is asked for again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Where the listeners' certificate comes from.
#[derive(Debug)]
pub enum ListenerTls {
    /// The CA issues it.
    SelfIssued,
    /// Two files.
    Files(Files),
    /// A proxy in front does TLS.
    Off,
}

/// The certificates of the hierarchy.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    /// What clients trust.
    pub root: Certificate,
    /// What signs, or the first of several.
    pub intermediate: Certificate,
    /// Every other CA certificate that is known; those two may be among them.
    pub others: Vec<Certificate>,
}

impl Hierarchy {
    /// Roots and intermediates, PEM, each once: those that the server itself leads to first.
    fn published(&self) -> (Vec<String>, Vec<String>) {
        let mut seen = BTreeSet::new();
        let all = [&self.root, &self.intermediate].into_iter().chain(&self.others);
        let once: Vec<_> = all.filter(|certificate| seen.insert(certificate.sha256_fingerprint())).collect();
        let pem = |is_root: bool| -> Vec<String> {
            let of_a_kind = once.iter().filter(|it| (it.issuer() == it.subject()) == is_root);
            of_a_kind.map(|certificate| certificate.to_pem()).collect()
        };
        (pem(true), pem(false))
    }

    /// What the front end makes chains of.
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        let own = [&self.intermediate, &self.root].into_iter();
        own.chain(&self.others).cloned().collect()
    }
}

/// Bound sockets, before anything is accepted.
#[derive(Debug)]
pub struct Bound {
    /// For the ACME API.
    pub api: Sockets,
    /// From whom connections to the API begin with a PROXY header.
    pub api_proxies: Vec<IpNet>,
    /// For relying parties.
    pub pki: Sockets,
    /// For the management listener.
    pub management: Sockets,
    /// For the services in other processes.
    pub internal: internal::Bound,
    /// For operators on this machine.
    pub operators: Option<Door>,
}

/// Starts: takes up what an earlier process left, answers the other processes, gets the listeners' certificate, accepts.
///
/// # Errors
/// If the certificate cannot be had, or the storage fails.
pub async fn start(
    services: Services,
    orphans: Orphans,
    hierarchy: Option<&Hierarchy>,
    tls: ListenerTls,
    bound: Bound,
    lifecycle: &Lifecycle,
) -> Result<()> {
    let readiness = Arc::new(Readiness::of(&services, lifecycle));
    let health = internal::serve(bound.internal, &services, lifecycle)?;
    readiness.tell(health, lifecycle);
    if let Some(ra) = &services.ra {
        ra.start_sweeper(orphans);
        if let Some(door) = bound.operators {
            door.open(Arc::clone(ra), lifecycle);
        }
    }
    lifecycle.support.spawn(metrics::keep_up(lifecycle.ended.clone()));
    let (roots, intermediates) = hierarchy.map(Hierarchy::published).unwrap_or_default();
    let management = management::router(Management { roots, intermediates, readiness });
    let mut listeners = vec![(bound.management, Vec::new(), management)];
    if let Some(pki) = services.pki {
        listen(pki, bound.pki, None, Vec::new(), lifecycle);
    }
    let mut acceptor = None;
    if let Some(wfe) = services.wfe {
        let FrontEnd { acme, listener_certificates, chains, .. } = wfe;
        acceptor = accepting(tls, chains, listener_certificates, services.clock, lifecycle).await?;
        listeners.push((bound.api, bound.api_proxies, acme));
    }
    for (sockets, proxies, router) in listeners {
        listen(router, sockets, acceptor.clone(), proxies, lifecycle);
    }
    Ok(())
}

/// Accepts, until the process stops.
fn listen(
    router: Router,
    sockets: Sockets,
    tls: Option<TlsAcceptor>,
    proxies: Vec<IpNet>,
    lifecycle: &Lifecycle,
) {
    let listener = Listener {
        router,
        tls,
        proxies: proxies.into(),
        leaving: lifecycle.leaving.clone(),
        shutdown: lifecycle.stopping.clone(),
        tracker: lifecycle.work.clone(),
    };
    listener.start(sockets);
}

async fn accepting(
    tls: ListenerTls,
    chains: Arc<Chains>,
    issuer: Arc<dyn ListenerCertificates>,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> Result<Option<TlsAcceptor>> {
    let stopping = lifecycle.stopping.clone();
    match tls {
        ListenerTls::Off => Ok(None),
        ListenerTls::Files(files) => {
            let served = files.start()?;
            lifecycle.work.spawn(files.reload(Arc::clone(&served), stopping));
            Ok(Some(served.acceptor()?))
        }
        ListenerTls::SelfIssued => {
            let issued = SelfIssued { issuer, clock, chains };
            let (served, renew_at) = first(&issued).await?;
            lifecycle.work.spawn(issued.renew(Arc::clone(&served), renew_at, stopping));
            Ok(Some(served.acceptor()?))
        }
    }
}

/// The listeners' first certificate. A registration authority in another process may start later than this one, so it is waited for.
async fn first(issued: &SelfIssued) -> Result<(Arc<Served>, Timestamp)> {
    loop {
        match issued.start().await {
            Err(error) if is_unavailable(&error) => {
                warn!(error = format!("{error:#}"), "no certificate for the listeners yet; trying again");
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<cairn_core::Error>();
    error.is_some_and(|error| error.kind == ErrorKind::Unavailable)
}

/// What `start` gives, unless the process is told to end before: then `None`.
///
/// # Errors
/// Those of `start`.
pub async fn unless_signalled<T>(
    start: impl Future<Output = Result<T>>,
    signals: &mut Signals,
) -> Result<Option<T>> {
    tokio::select! {
        started = start => started.map(Some),
        () = signals.next() => Ok(None),
    }
}

/// Runs until a signal, then stops in order. A service manager that asked for it is told.
pub async fn run_to_end(mut signals: Signals, lifecycle: &Lifecycle, storage: Option<&Storage>) {
    let service_manager = ServiceManager::of_the_environment();
    service_manager.ready(lifecycle);
    signals.next().await;
    service_manager.stopping();
    end(signals, lifecycle, storage).await;
}

/// Stops in order; the storage is closed last.
pub async fn end(mut signals: Signals, lifecycle: &Lifecycle, storage: Option<&Storage>) {
    lifecycle.stop(signals.next()).await;
    if let Some(storage) = storage {
        storage.close().await;
    }
    telemetry::traces::stop().await;
    info!("stopped");
}
