//! The one place where a service trait meets its implementation: who is handed what.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use cairn_ca::{Ca, Issuer};
use cairn_core::api::{CertificateAuthority, CertificateStore, PolicyAuthority, Storage, StorageRead};
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Identifier, Random, SystemRandom};
use cairn_pa::Pa;
use cairn_ra::Ra;
use cairn_va::Va;
use cairn_wfe::Nonces;
use cairn_x509::Certificate;

use crate::lifecycle::Lifecycle;

/// What each service is told.
#[derive(Clone, Debug, Default)]
pub struct Configs {
    /// The front end.
    pub wfe: cairn_wfe::Config,
    /// The registration authority.
    pub ra: cairn_ra::Config,
    /// The validation authority.
    pub va: cairn_va::Config,
    /// The certificate authority.
    pub ca: cairn_ca::Config,
    /// The policy authority.
    pub pa: cairn_pa::Config,
}

/// What the services stand on.
pub struct Foundation {
    /// Open storage.
    pub storage: Arc<dyn Storage>,
    /// What signs.
    pub issuer: Issuer,
    /// Root and intermediates.
    pub certificates: Vec<Certificate>,
    /// The names under which clients reach the front end.
    pub listener_names: Vec<Identifier>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

impl Foundation {
    /// On the machine's own clock and randomness.
    pub fn new(
        storage: Arc<dyn Storage>,
        issuer: Issuer,
        certificates: Vec<Certificate>,
        listener_names: Vec<Identifier>,
    ) -> Self {
        Self {
            storage,
            issuer,
            certificates,
            listener_names,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }
}

/// The services that the process itself uses, wired.
pub struct Services {
    /// Takes up what an earlier process left unfinished, and gives the listeners their certificate.
    pub ra: Arc<Ra>,
    /// Answers whether it is ready.
    pub storage: Arc<dyn StorageRead>,
    /// The ACME API.
    pub acme: Router,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Wires all services in one process. Each gets the narrowest trait that does: the CA a store that only records what it signs, the front
/// end a storage that only reads.
///
/// # Errors
/// If a configuration is not valid.
pub fn wire(foundation: Foundation, configs: Configs, lifecycle: &Lifecycle) -> Result<Services> {
    let Foundation { storage, issuer, certificates, listener_names, clock, random } = foundation;
    let pa: Arc<dyn PolicyAuthority> = Arc::new(Pa::new(configs.pa).context("[pa]")?);
    let va = Arc::new(Va::new(&configs.va, Vec::new()).context("[va]")?);
    let store: Arc<dyn CertificateStore> = storage.clone();
    let ca = Ca::new(configs.ca, issuer, store, Arc::clone(&clock), Arc::clone(&random)).context("[ca]")?;
    let ca: Arc<dyn CertificateAuthority> = Arc::new(ca);
    let reads: Arc<dyn StorageRead> = storage.clone();
    let ra = Arc::new(
        Ra::new(
            configs.ra,
            cairn_ra::Deps {
                sa: storage,
                pa,
                va,
                ca,
                listener_names,
                clock: Arc::clone(&clock),
                random: Arc::clone(&random),
                tracker: lifecycle.work.clone(),
                shutdown: lifecycle.stopping.clone(),
            },
        )
        .context("[ra]")?,
    );
    configs.wfe.validate().context("[wfe]")?;
    let acme = cairn_wfe::router(
        cairn_wfe::Deps {
            ra: ra.clone(),
            sa: Arc::clone(&reads),
            nonces: Arc::new(Nonces::new(random.as_ref())),
            clock: Arc::clone(&clock),
            issuers: certificates,
        },
        configs.wfe,
    );
    Ok(Services { ra, storage: reads, acme, clock })
}
