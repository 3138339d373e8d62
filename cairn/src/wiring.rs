//! The one place where a service trait meets its implementation: who is handed what. A service that this process plays is handed to
//! those that need it as it is; one that it does not play is a [`Peers`] channel to those that do.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use cairn_ca::{Ca, Crls, Issuer};
use cairn_core::api::{
    CertificateAuthority, CertificateStore, CrlStore, ListenerCertificates, NoncePeers, NonceService,
    OcspResponder, PkiRead, PolicyAuthority, RegistrationAuthority, Storage, StorageAuthority, StorageRead,
    ValidationAuthority,
};
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Identifier, Random, SystemRandom};
use cairn_pa::Pa;
use cairn_proto::{
    RemoteCertificateAuthority, RemoteCertificateStore, RemoteCrlStore, RemoteListenerCertificates,
    RemoteOcspResponder, RemotePkiRead, RemotePolicyAuthority, RemoteRegistrationAuthority,
    RemoteStorageAuthority, RemoteStorageRead, RemoteValidationAuthority, Role,
};
use cairn_ra::Ra;
use cairn_va::{Perspective, Va};
use cairn_wfe::pki::{self, Pki};
use cairn_wfe::{Chains, Nonces, RoutedNonces};
use cairn_x509::Certificate;
use tracing::warn;

use crate::crl_push;
use crate::lifecycle::Lifecycle;
use crate::peers::Peers;
use crate::readiness::Notices;
use crate::roles::Roles;

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
    /// The front end for relying parties.
    pub pki: pki::Config,
    /// CRLs for others to serve.
    pub crl_push: crl_push::Config,
}

/// What the services stand on.
pub struct Foundation {
    /// Which services there shall be in this process.
    pub roles: Roles,
    /// Open storage; needed to play the storage authority.
    pub storage: Option<Arc<dyn Storage>>,
    /// What front ends read, where that is not the storage itself.
    pub reads: Option<Arc<dyn StorageRead>>,
    /// What signs; needed to play the certificate authority.
    pub issuers: Option<cairn_ca::Hierarchy>,
    /// Root and intermediates that are configured, of which the front end makes chains.
    pub certificates: Vec<Certificate>,
    /// The names under which clients reach the front end.
    pub listener_names: Vec<Identifier>,
    /// The other processes.
    pub peers: Peers,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

impl Foundation {
    /// For a process that plays every role, on the machine's own clock and randomness.
    pub fn whole(
        storage: Arc<dyn Storage>,
        issuer: Issuer,
        certificates: Vec<Certificate>,
        listener_names: Vec<Identifier>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) =
            (Arc::new(SystemClock), Arc::new(SystemRandom));
        let internal = crate::config::Internal::default();
        Self {
            roles: Roles::new(&[], &internal),
            storage: Some(storage),
            reads: None,
            issuers: Some(issuer.into()),
            certificates,
            listener_names,
            peers: Peers::new(internal, Arc::clone(&clock), Arc::clone(&random), lifecycle.clone()),
            clock,
            random,
        }
    }
}

/// The services that this process plays, wired.
pub struct Services {
    /// The ACME API, and the nonces that it gave out.
    pub wfe: Option<FrontEnd>,
    /// Serves relying parties.
    pub pki: Option<Router>,
    /// Decides; takes up what a process left unfinished.
    pub ra: Option<Arc<Ra>>,
    /// Validates.
    pub va: Option<Arc<dyn ValidationAuthority>>,
    /// Validates for a validation authority elsewhere.
    pub remote_va: Option<Arc<dyn ValidationAuthority>>,
    /// Signs, with issuers that can be exchanged.
    pub ca: Option<Arc<Ca>>,
    /// Makes CRLs, if there is a place where they are looked for.
    pub crls: Option<Arc<Crls>>,
    /// Remembers.
    pub sa: Option<Arc<dyn Storage>>,
    /// What front ends read of it, where that is not the same.
    pub near: Option<Arc<dyn StorageRead>>,
    /// Knows the policy.
    pub pa: Option<Arc<dyn PolicyAuthority>>,
    /// The other processes.
    pub peers: Peers,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What `/readyz` says besides.
    pub notices: Arc<Notices>,
}

impl Services {
    /// What front ends read of the storage `sa`.
    pub fn reads(&self, sa: &Arc<dyn Storage>) -> Arc<dyn StorageRead> {
        reads(self.near.as_ref(), sa)
    }
}

fn reads(near: Option<&Arc<dyn StorageRead>>, sa: &Arc<dyn Storage>) -> Arc<dyn StorageRead> {
    near.map_or_else(|| sa.clone() as Arc<dyn StorageRead>, Arc::clone)
}

/// The front end.
pub struct FrontEnd {
    /// The ACME API.
    pub acme: Router,
    /// Its nonces, which other front ends ask for.
    pub nonces: Arc<Nonces>,
    /// Where its listeners can have their certificate from.
    pub listener_certificates: Arc<dyn ListenerCertificates>,
    /// What goes out below a leaf.
    pub chains: Arc<Chains>,
}

/// Wires the services of this process, from those that need nobody to those that need others.
///
/// # Errors
/// If a configuration is not valid, or a service is needed that is not played here nor known where.
pub fn wire(foundation: Foundation, configs: Configs, lifecycle: &Lifecycle) -> Result<Services> {
    let Foundation {
        roles,
        storage: sa,
        reads: near,
        issuers,
        certificates,
        listener_names,
        peers,
        clock,
        random,
    } = foundation;
    let wiring = Wiring { lifecycle, sa, near, peers, clock, random };

    let pa = roles.play(Role::Pa).then(|| Pa::new(configs.pa)).transpose().context("[pa]")?;
    let pa = pa.map(|pa| Arc::new(pa) as Arc<dyn PolicyAuthority>);
    let remote_va = roles.play(Role::RemoteVa).then(|| Va::alone(&configs.va)).transpose().context("[va]")?;
    let remote_va = remote_va.map(|va| Arc::new(va) as Arc<dyn ValidationAuthority>);
    let va = roles.play(Role::Va).then(|| wiring.validation_authority(&configs.va)).transpose()?;
    let ca = issuers.map(|issuers| wiring.certificate_authority(configs.ca, issuers)).transpose()?;
    let crls = ca.as_ref().map(|ca| wiring.crls(ca, &configs.crl_push)).transpose()?.flatten();
    let ra = roles.play(Role::Ra).then(|| {
        let deps = cairn_ra::Deps {
            sa: wiring.storage_authority()?,
            pa: or(&pa, || {
                Ok(Arc::new(RemotePolicyAuthority::new(wiring.peers.channel(Role::Ra, Role::Pa)?)))
            })?,
            va: or(&va, || {
                Ok(Arc::new(RemoteValidationAuthority::new(wiring.peers.channel(Role::Ra, Role::Va)?)))
            })?,
            ca: or(&ca.clone().map(|ca| ca as Arc<dyn CertificateAuthority>), || {
                Ok(Arc::new(RemoteCertificateAuthority::new(wiring.peers.channel(Role::Ra, Role::Ca)?)))
            })?,
            listener_names,
            clock: Arc::clone(&wiring.clock),
            random: Arc::clone(&wiring.random),
            tracker: lifecycle.work.clone(),
            shutdown: lifecycle.stopping.clone(),
        };
        Ra::new(configs.ra, deps).map(Arc::new).context("[ra]")
    });
    let ra = ra.transpose()?;
    let wfe = roles
        .play(Role::Wfe)
        .then(|| wiring.front_end(configs.wfe, ra.as_ref(), certificates))
        .transpose()?;
    let pki = roles.play(Role::Pki).then(|| wiring.relying_parties(configs.pki, ca.as_ref())).transpose()?;
    let Wiring { sa, near, peers, clock, .. } = wiring;
    Ok(Services {
        wfe,
        pki,
        ra,
        va,
        remote_va,
        ca,
        crls,
        sa,
        near,
        pa,
        peers,
        clock,
        notices: Arc::default(),
    })
}

/// How often it is looked whether an OCSP responder is due: far more often than one ever is.
const LOOK_AT_RESPONDERS: Duration = Duration::from_secs(60);

/// Keeps delegated OCSP responders in time, also while nobody asks for anything.
async fn keep_responders(ca: &Ca) {
    loop {
        if let Err(error) = ca.renew_responders().await {
            warn!(%error, "an OCSP responder cannot be made; trying again");
        }
        tokio::time::sleep(LOOK_AT_RESPONDERS).await;
    }
}

/// A service of this process, or else a peer.
fn or<T: ?Sized>(own: &Option<Arc<T>>, peer: impl FnOnce() -> Result<Arc<T>>) -> Result<Arc<T>> {
    own.as_ref().map_or_else(peer, |own| Ok(Arc::clone(own)))
}

/// What wires a service.
struct Wiring<'a> {
    lifecycle: &'a Lifecycle,
    sa: Option<Arc<dyn Storage>>,
    near: Option<Arc<dyn StorageRead>>,
    peers: Peers,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Wiring<'_> {
    /// What the registration authority remembers with.
    fn storage_authority(&self) -> Result<Arc<dyn StorageAuthority>> {
        match &self.sa {
            Some(sa) => Ok(sa.clone()),
            None => Ok(Arc::new(RemoteStorageAuthority::new(self.peers.channel(Role::Ra, Role::Sa)?))),
        }
    }

    /// The validation authority that asks the remote ones.
    fn validation_authority(&self, config: &cairn_va::Config) -> Result<Arc<dyn ValidationAuthority>> {
        let perspectives = config.perspectives.iter().map(|perspective| {
            let channel = self.peers.perspective(perspective)?;
            let va: Arc<dyn ValidationAuthority> = Arc::new(RemoteValidationAuthority::new(channel));
            Ok(Perspective { name: perspective.name.clone(), va })
        });
        let perspectives = perspectives.collect::<Result<_>>()?;
        Ok(Arc::new(Va::new(config, perspectives).context("[va]")?))
    }

    /// The certificate authority, with a store that only records what it signs.
    fn certificate_authority(
        &self,
        config: cairn_ca::Config,
        issuers: cairn_ca::Hierarchy,
    ) -> Result<Arc<Ca>> {
        let store: Arc<dyn CertificateStore> = match &self.sa {
            Some(sa) => sa.clone(),
            None => Arc::new(RemoteCertificateStore::new(self.peers.channel(Role::Ca, Role::Sa)?)),
        };
        let ca = Ca::new(config, issuers, store, Arc::clone(&self.clock), Arc::clone(&self.random));
        let ca = Arc::new(ca.context("[ca]")?);
        let (current, stopping) = (Arc::clone(&ca), self.lifecycle.stopping.clone());
        self.lifecycle
            .work
            .spawn(async move { stopping.run_until_cancelled(keep_responders(&current)).await });
        Ok(ca)
    }

    /// What makes CRLs, from now on until the process stops. What is half made then is never served.
    fn crls(&self, ca: &Arc<Ca>, push: &crl_push::Config) -> Result<Option<Arc<Crls>>> {
        let store: Arc<dyn CrlStore> = match &self.sa {
            Some(sa) => sa.clone(),
            None => Arc::new(RemoteCrlStore::new(self.peers.channel(Role::Ca, Role::Sa)?)),
        };
        let Some(crls) = Crls::new(Arc::clone(ca), store).map(Arc::new) else { return Ok(None) };
        let (current, stopping) = (Arc::clone(&crls), self.lifecycle.stopping.clone());
        self.lifecycle.work.spawn(async move { stopping.run_until_cancelled(current.keep_current()).await });
        for place in push.places().context("[crl_push]")? {
            let published = self.published(Role::Ca)?;
            let pushing = crl_push::push(place, Arc::clone(&crls), published);
            let stopping = self.lifecycle.stopping.clone();
            self.lifecycle.work.spawn(async move { stopping.run_until_cancelled(pushing).await });
        }
        Ok(Some(crls))
    }

    /// Nonces of this front end and of those beside it.
    fn route(&self, own: &Arc<Nonces>, peers: Arc<dyn NoncePeers>) -> Arc<dyn NonceService> {
        let routed = Arc::new(RoutedNonces::new(Arc::clone(own), peers));
        // For as long as the last requests may ask for it.
        let (current, ended) = (Arc::clone(&routed), self.lifecycle.ended.clone());
        self.lifecycle.support.spawn(async move { ended.run_until_cancelled(current.keep_current()).await });
        routed
    }

    /// The front end, with a storage that only reads.
    fn front_end(
        &self,
        config: cairn_wfe::Config,
        ra: Option<&Arc<Ra>>,
        certificates: Vec<Certificate>,
    ) -> Result<FrontEnd> {
        config.validate().context("[wfe]")?;
        let sa: Arc<dyn StorageRead> = match &self.sa {
            Some(sa) => reads(self.near.as_ref(), sa),
            None => Arc::new(RemoteStorageRead::new(self.peers.channel(Role::Wfe, Role::Sa)?)),
        };
        let (ra, listener_certificates): (Arc<dyn RegistrationAuthority>, Arc<dyn ListenerCertificates>) =
            match ra {
                Some(ra) => (ra.clone(), ra.clone()),
                None => {
                    let channel = self.peers.channel(Role::Wfe, Role::Ra)?;
                    let listener_certificates = RemoteListenerCertificates::new(channel.clone());
                    (Arc::new(RemoteRegistrationAuthority::new(channel)), Arc::new(listener_certificates))
                }
            };
        let nonces = Arc::new(Nonces::new(self.random.as_ref()));
        let routed = match self.peers.front_ends()? {
            Some(peers) => self.route(&nonces, peers),
            None => nonces.clone() as Arc<dyn NonceService>,
        };
        let chains = self.chains(&config, certificates, &sa);
        let deps = cairn_wfe::Deps {
            ra,
            sa,
            nonces: routed,
            clock: Arc::clone(&self.clock),
            chains: Arc::clone(&chains),
        };
        Ok(FrontEnd { acme: cairn_wfe::router(deps, config), nonces, listener_certificates, chains })
    }

    /// What is published, for this role of the process.
    fn published(&self, caller: Role) -> Result<Arc<dyn PkiRead>> {
        match &self.sa {
            Some(sa) => Ok(sa.clone()),
            None => Ok(Arc::new(RemotePkiRead::new(self.peers.channel(caller, Role::Sa)?))),
        }
    }

    /// The front end for relying parties, kept current for as long as it answers.
    fn relying_parties(&self, config: pki::Config, ca: Option<&Arc<Ca>>) -> Result<Router> {
        config.validate().context("[pki]")?;
        let published = self.published(Role::Pki)?;
        let ocsp: Arc<dyn OcspResponder> = match ca {
            Some(ca) => ca.clone(),
            None => Arc::new(RemoteOcspResponder::new(self.peers.channel(Role::Pki, Role::Ca)?)),
        };
        let deps = pki::Deps { published, ocsp, clock: Arc::clone(&self.clock) };
        let front_end = Arc::new(Pki::new(deps, config));
        let (current, ended) = (Arc::clone(&front_end), self.lifecycle.ended.clone());
        self.lifecycle.support.spawn(async move { ended.run_until_cancelled(current.keep_current()).await });
        Ok(pki::router(front_end))
    }

    /// The chains that the front end sends along, kept current for as long as it answers.
    fn chains(
        &self,
        config: &cairn_wfe::Config,
        certificates: Vec<Certificate>,
        sa: &Arc<dyn StorageRead>,
    ) -> Arc<Chains> {
        let preferred = config.preferred_root.clone();
        let chains = Arc::new(Chains::new(certificates, preferred, Arc::clone(sa), Arc::clone(&self.clock)));
        let (current, ended) = (Arc::clone(&chains), self.lifecycle.ended.clone());
        self.lifecycle.support.spawn(async move { ended.run_until_cancelled(current.keep_current()).await });
        chains
    }
}
