//! What `dev` and `serve` have in common: from bound sockets and wired services to a server that listens, and to its end.

use std::sync::Arc;

use anyhow::Result;
use cairn_core::Clock;
use cairn_core::api::ListenerCertificates;
use cairn_ra::Orphans;
use cairn_x509::Certificate;
use rustls_pki_types::CertificateDer;
use tokio_rustls::TlsAcceptor;
use tracing::info;

use crate::lifecycle::Lifecycle;
use crate::listener::{Listener, Sockets};
use crate::management::{self, Management};
use crate::storage::Storage;
use crate::tls::{Files, SelfIssued};
use crate::wiring::Services;

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
    /// What signs.
    pub intermediate: Certificate,
}

/// Bound sockets, before anything is accepted.
#[derive(Debug)]
pub struct Bound {
    /// For the ACME API.
    pub api: Sockets,
    /// For the management listener.
    pub management: Sockets,
}

/// Starts: takes up what an earlier process left, gets the listeners' certificate, accepts.
///
/// # Errors
/// If the certificate cannot be had, or the storage fails.
pub async fn start(
    services: Services,
    orphans: Orphans,
    hierarchy: &Hierarchy,
    tls: ListenerTls,
    bound: Bound,
    lifecycle: &Lifecycle,
) -> Result<()> {
    let Services { ra, storage, acme, clock } = services;
    ra.start_sweeper(orphans);
    let tls = acceptor(tls, hierarchy, ra.clone(), clock, lifecycle).await?;
    let management = management::router(Management {
        roots: vec![hierarchy.root.to_pem()],
        intermediates: vec![hierarchy.intermediate.to_pem()],
        storage,
        shutdown: lifecycle.stopping.clone(),
    });
    for (sockets, router) in [(bound.api, acme), (bound.management, management)] {
        let listener = Listener {
            router,
            tls: tls.clone(),
            shutdown: lifecycle.stopping.clone(),
            tracker: lifecycle.work.clone(),
        };
        listener.start(sockets);
    }
    Ok(())
}

async fn acceptor(
    tls: ListenerTls,
    hierarchy: &Hierarchy,
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
            let chain = vec![CertificateDer::from(hierarchy.intermediate.der().to_vec())];
            let issued = SelfIssued { issuer, clock, chain };
            let (served, renew_at) = issued.start().await?;
            lifecycle.work.spawn(issued.renew(Arc::clone(&served), renew_at, stopping));
            Ok(Some(served.acceptor()?))
        }
    }
}

/// Runs until a signal, then stops in order; the storage is closed last.
///
/// # Errors
/// If signals cannot be listened for.
pub async fn run_to_end(lifecycle: &Lifecycle, storage: &Storage) -> Result<()> {
    lifecycle.signalled().await?;
    lifecycle.stop().await;
    storage.close().await;
    info!("stopped");
    Ok(())
}
