//! `cairn serve`: the engine for real use, as its configuration says; and `cairn check-config`, which is the same up to the moment
//! where something would be opened or bound.

mod prepare;

use std::sync::Arc;

use anyhow::Result;
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Random, SystemRandom};
use cairn_proto::Role;
use cairn_ra::Orphans;
use tracing::info;

pub use self::prepare::{Complaints, Prepared, prepare};
use crate::cli::{CheckConfigArgs, ServeArgs};
use crate::config::Config;
use crate::hierarchy;
use crate::internal;
use crate::issuers::rotation::Rotation;
use crate::issuers::watch::say_refused;
use crate::issuers::{Refusal, watch};
use crate::lifecycle::{Lifecycle, Signals};
use crate::listener::{Bind, Sockets};
use crate::lock::DirectoryLock;
use crate::operators::{self, Door};
use crate::peers::Peers;
use crate::ready_file::Ready;
use crate::roles::Roles;
use crate::runtime;
use crate::server::{self, Bound, Hierarchy};
use crate::storage::{self, Storage};
use crate::telemetry;
use crate::wiring::{self, Configs, Foundation};

/// Runs until a signal.
///
/// # Errors
/// With what is wrong and what to do.
pub fn run(args: &ServeArgs) -> Result<()> {
    let mut config = Config::read(&args.config)?;
    if let Some(management) = &args.management {
        config.management.listen.clone_from(management);
    }
    let roles = Roles::new(&args.roles, &config.internal);
    let runtime = runtime::start(&config.runtime, &roles)?;
    runtime::run(runtime, serve(args, config))
}

async fn serve(args: &ServeArgs, config: Config) -> Result<()> {
    telemetry::start(&config.log, &config.trace, &Roles::new(&args.roles, &config.internal))?;
    let prepared = prepare(&config, &args.roles).map_err(|complaints| complaints.about(&args.config))?;
    let Prepared { roles, hierarchy, issuers, tls, listener_names, credentials } = prepared;
    say_refused(issuers.iter().flat_map(|issuers| &issuers.loaded().refused));

    let lifecycle = Lifecycle::new(config.lifecycle.clone());
    let plays_sa = roles.play(Role::Sa);
    let _lock: Option<DirectoryLock> = if plays_sa { storage::take_data_dir(&config)? } else { None };
    let api = if roles.play(Role::Wfe) { config.api.listen.clone() } else { Vec::new() };
    let pki = if roles.play(Role::Pki) { config.pki.listen.clone() } else { Vec::new() };
    let bound = Bound {
        api: Sockets::bind("ACME API", &Bind::Addresses(api)).await?,
        api_proxies: config.api.proxy_protocol.clone(),
        pki: Sockets::bind("listener for relying parties", &Bind::Addresses(pki)).await?,
        management: Sockets::bind("management listener", &Bind::Addresses(config.management.listen.clone()))
            .await?,
        internal: internal::Bound::bind(&roles, &config.internal).await?,
        operators: operators(&config, &roles)?,
    };
    let storage = if plays_sa { Some(Storage::open(&config, &credentials).await?) } else { None };
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let peers =
        Peers::new(config.internal.clone(), Arc::clone(&clock), Arc::clone(&random), lifecycle.clone());
    let foundation = Foundation {
        roles: roles.clone(),
        storage: storage.as_ref().map(Storage::authority),
        reads: storage.as_ref().and_then(Storage::reads),
        issuers: issuers.as_ref().map(|issuers| issuers.loaded().hierarchy.clone()),
        certificates: hierarchy.as_ref().map(Hierarchy::certificates).unwrap_or_default(),
        listener_names,
        peers,
        clock,
        random,
    };
    let services = wiring::wire(foundation, configs(&config), &lifecycle)?;
    if let (Some(issuers), Some(ca)) = (issuers, &services.ca) {
        let rotation = Rotation::new(config.ca.profiles.clone(), Arc::clone(&services.notices));
        lifecycle.work.spawn(watch(issuers, rotation, Arc::clone(ca), lifecycle.stopping.clone()));
    }
    let ready = ready(&config, &bound, hierarchy.as_ref(), roles.play(Role::Wfe));
    let mut signals = Signals::listen()?;
    let started = server::start(
        services,
        orphans(&config, storage.as_ref()),
        hierarchy.as_ref(),
        tls,
        bound,
        &lifecycle,
    );
    if server::unless_signalled(started, &mut signals).await?.is_none() {
        server::end(signals, &lifecycle, storage.as_ref()).await;
        return Ok(());
    }
    if let Some(storage) = &storage {
        storage.keep_pruned(config.sa.keep, &lifecycle);
    }
    info!(%roles, directory = ready.directory, api = ?ready.api, pki = ?ready.pki, management = ?ready.management, "ready");
    if let Some(file) = &args.ready_file {
        ready.write(file)?;
    }
    server::run_to_end(signals, &lifecycle, storage.as_ref()).await;
    Ok(())
}

/// Says what is wrong in a configuration file; touches nothing.
///
/// # Errors
/// With everything that is wrong.
pub fn check(args: &CheckConfigArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    let prepared = prepare(&config, &args.roles).map_err(|complaints| complaints.about(&args.config))?;
    if let Some(issuers) = &prepared.issuers {
        let mut complaints = Complaints::default();
        for Refusal { what, why } in &issuers.loaded().refused {
            complaints.add(&format!("issuer.folder: {what}"), why);
        }
        complaints.end().map_err(|complaints| complaints.about(&args.config))?;
    }
    let file = args.config.display();
    Ok(match (prepared.hierarchy, args.roles.as_slice()) {
        (Some(hierarchy), []) => {
            format!("{file} is good. Certificates will be issued by {}.\n", hierarchy.intermediate.subject())
        }
        _ => format!("{file} is good for the roles {}.\n", prepared.roles),
    })
}

/// The operators' socket of a registration authority. The usual one lies in the data directory, which a process has that plays the
/// storage authority.
fn operators(config: &Config, roles: &Roles) -> Result<Option<Door>> {
    let has_socket = config.admin.socket.is_some() || roles.play(Role::Sa);
    let path = operators::socket(config).filter(|_| roles.play(Role::Ra) && has_socket);
    path.map(Door::bind).transpose()
}

/// What a registration authority finds left undone that nobody is at work on: all of it, if no other one can reach the storage.
fn orphans(config: &Config, storage: Option<&Storage>) -> Orphans {
    match storage {
        Some(storage) if config.internal.place(Role::Sa).listen.is_empty() => storage.orphans(),
        _ => Orphans::Silent,
    }
}

fn configs(config: &Config) -> Configs {
    Configs {
        wfe: config.wfe.clone(),
        ra: config.ra.clone(),
        va: config.va.clone(),
        ca: config.ca.clone(),
        pa: config.pa.clone(),
        pki: config.pki.clone().into(),
        crl_push: config.crl_push.clone(),
    }
}

fn ready(config: &Config, bound: &Bound, hierarchy: Option<&Hierarchy>, plays_wfe: bool) -> Ready {
    let base_url = config.wfe.base_url.as_ref().filter(|_| plays_wfe);
    let internal = bound.internal.addresses().into_iter();
    Ready {
        pid: std::process::id(),
        directory: base_url.map(|url| format!("{url}/dir")),
        api: bound.api.addresses(),
        pki: bound.pki.addresses(),
        management: bound.management.addresses(),
        internal: internal.map(|(role, addresses)| (role.to_string(), addresses)).collect(),
        dns: None,
        dns_management: None,
        root_file: hierarchy.and(config.issuer.root.as_ref()).map(|root| root.display().to_string()),
        root_sha256: hierarchy.map(|hierarchy| hierarchy::fingerprint(&hierarchy.root)),
    }
}
