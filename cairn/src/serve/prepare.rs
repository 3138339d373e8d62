//! Judging a configuration for the roles that are to be played: everything that is wrong, not only the first.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Identifier};
use cairn_proto::Role;
use cairn_proto::transport::Identity;
use cairn_sa::{Credentials, Engine};
use cairn_x509::Certificate;

use crate::config::{Config, Tls};
use crate::hierarchy;
use crate::issuers::watch::Watch;
use crate::issuers::{CONFIGURED, Inventory, Refusal};
use crate::names;
use crate::peers::perspective_addresses;
use crate::roles::Roles;
use crate::server::{Hierarchy, ListenerTls};
use crate::storage;
use crate::tls::Files;

/// What a good configuration gives.
pub struct Prepared {
    /// The roles to play.
    pub roles: Roles,
    /// Root and intermediate, for the front end and the certificate authority.
    pub hierarchy: Option<Hierarchy>,
    /// What signs, for the certificate authority, and what of it cannot.
    pub issuers: Option<Watch>,
    /// For the front end's listener.
    pub tls: ListenerTls,
    /// The names under which clients reach the front end.
    pub listener_names: Vec<Identifier>,
    /// What opens the storage.
    pub credentials: Credentials,
}

/// What is wrong in a configuration.
#[derive(Debug, Default)]
pub struct Complaints(Vec<String>);

impl Complaints {
    /// Keeps the value of `result`, or what is wrong with `key`.
    fn note<T, E: Into<anyhow::Error>>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(key, format!("{:#}", error.into()))).ok()
    }

    /// Nothing, if nothing is wrong.
    ///
    /// # Errors
    /// All that is.
    pub fn end(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// What is wrong with `key`.
    pub fn add(&mut self, key: &str, what: impl fmt::Display) {
        self.0.push(format!("{key}: {what}"));
    }

    /// All of it, about `file`.
    pub fn about(&self, file: &Path) -> anyhow::Error {
        let list: String = self.0.iter().map(|complaint| format!("\n  {complaint}")).collect();
        anyhow!("{} cannot be used:{list}", file.display())
    }
}

/// Judges a configuration for the roles that are `asked` for, and loads what it names for them.
///
/// # Errors
/// With everything that is wrong.
pub fn prepare(config: &Config, asked: &[Role]) -> Result<Prepared, Complaints> {
    let roles = Roles::new(asked, &config.internal);
    let mut complaints = Complaints::default();
    complaints.note("log.level", config.log.filter());
    complaints.note("[lifecycle]", config.lifecycle.validate());
    complaints.note("[runtime]", config.runtime.validate());
    complaints.note("[trace]", config.trace.validate());
    judge_services(config, &roles, &mut complaints);
    judge_meetings(config, &roles, &mut complaints);
    let tls = front_end(config, &roles, &mut complaints);
    let credentials = storage_credentials(config, &roles, &mut complaints);
    let inventory = Inventory::read(&config.issuer);
    let hierarchy = load_hierarchy(config, &roles, &inventory, &mut complaints);
    let issuers = load_issuers(config, &roles, hierarchy.as_ref(), &mut complaints);
    let listener_names = own_name(config).map(|name| vec![name]).unwrap_or_default();
    complaints.end()?;
    Ok(Prepared { roles, hierarchy, issuers, tls, listener_names, credentials })
}

/// The services' own sections.
fn judge_services(config: &Config, roles: &Roles, complaints: &mut Complaints) {
    if roles.play(Role::Wfe) {
        complaints.note("[wfe]", config.wfe.validate());
    }
    if roles.play(Role::Ra) {
        complaints.note("[ra]", config.ra.validate());
    }
    if roles.play(Role::Va) || roles.play(Role::RemoteVa) {
        complaints.note("[va]", config.va.validate());
    }
    if roles.play(Role::Ca) {
        complaints.note("[ca]", config.ca.validate());
        complaints.note("[crl_push]", config.crl_push.places());
    }
    if roles.play(Role::Sa) {
        complaints.note("[sa]", config.sa.validate());
    }
    if roles.play(Role::Pa) {
        complaints.note("[pa]", config.pa.validate());
    }
    if roles.play(Role::Pki) {
        complaints.note("[pki]", cairn_wfe::pki::Config::from(config.pki.clone()).validate());
        let plays_nothing_else = roles.iter().all(|role| role == Role::Pki);
        if plays_nothing_else && config.pki.listen.is_empty() {
            complaints.add(
                "pki.listen",
                "is empty, so that nobody could connect; write for example [\"0.0.0.0:80\", \"[::]:80\"]",
            );
        }
    }
    if roles.play(Role::Ra) && roles.play(Role::Ca) && !config.ca.profiles.contains_key(&config.ra.profile) {
        complaints.add(
            "ra.profile",
            format!("[ca] has no profile \"{0}\"; add [ca.profiles.{0}]", config.ra.profile),
        );
    }
}

/// How this process and the others find and know each other.
fn judge_meetings(config: &Config, roles: &Roles, complaints: &mut Complaints) {
    let internal = &config.internal;
    complaints.note("[internal.calls]", internal.calls.validate());
    let mut known_as: Vec<Role> =
        roles.iter().filter(|role| !internal.place(*role).listen.is_empty()).collect();
    for (caller, callee) in roles.needs() {
        known_as.push(caller);
        if internal.place(callee).addresses.is_empty() {
            complaints.add(
                &format!("[internal.{callee}] addresses"),
                format!(
                    "is missing; the role {caller} needs the role {callee}, which this process does not play"
                ),
            );
        }
    }
    for role in roles.iter() {
        if roles.called_from_elsewhere(role) && internal.place(role).listen.is_empty() {
            complaints.add(
                &format!("[internal.{role}] listen"),
                format!("is missing; those that need the role {role} are in other processes, and could not reach it"),
            );
        }
    }
    if roles.play(Role::Va) {
        for perspective in &config.va.perspectives {
            known_as.push(Role::Va);
            complaints.note("va.perspectives", perspective_addresses(perspective));
        }
    }
    known_as.sort_unstable();
    known_as.dedup();
    for role in known_as {
        match &internal.pki {
            None => complaints.add(
                "internal.pki",
                format!(
                    "is missing; name the folder that `cairn internal-pki init` made, for the role {role}"
                ),
            ),
            Some(pki) => {
                complaints.note("internal.pki", Identity::load(pki, role, Arc::new(SystemClock)));
            }
        }
    }
}

/// The front end's listener.
fn front_end(config: &Config, roles: &Roles, complaints: &mut Complaints) -> ListenerTls {
    if !roles.play(Role::Wfe) {
        return ListenerTls::Off;
    }
    if config.api.listen.is_empty() {
        complaints.add(
            "api.listen",
            "is empty, so that no client could connect; write for example [\"127.0.0.1:14000\"]",
        );
    }
    listener_tls(config, complaints).unwrap_or(ListenerTls::Off)
}

fn listener_tls(config: &Config, complaints: &mut Complaints) -> Option<ListenerTls> {
    let api = &config.api;
    if api.tls != Tls::Files && (api.certificate.is_some() || api.key.is_some()) {
        complaints.add(
            "api.tls",
            "api.certificate and api.key are only used with tls = \"files\"; write that, or leave them out",
        );
    }
    match (api.tls, &api.certificate, &api.key) {
        (Tls::SelfIssued, ..) => {
            complaints.note("wfe.base_url", own_name(config)).map(|_| ListenerTls::SelfIssued)
        }
        (Tls::Files, Some(certificate), Some(key)) => {
            let files = Files { certificate: certificate.clone(), key: key.clone() };
            complaints.note("api.certificate", files.start()).map(|_| ListenerTls::Files(files))
        }
        (Tls::Files, ..) => {
            complaints.add("api.tls", "\"files\" needs api.certificate and api.key");
            None
        }
        (Tls::Off, ..) => {
            if config.wfe.trusted_proxies.is_empty() && api.proxy_protocol.is_empty() {
                complaints.add(
                    "wfe.trusted_proxies",
                    "with api.tls = \"off\" there must be a proxy in front; name its network, for example [\"127.0.0.1/32\"]",
                );
            }
            Some(ListenerTls::Off)
        }
    }
}

/// What opens the storage, besides the configuration.
fn storage_credentials(config: &Config, roles: &Roles, complaints: &mut Complaints) -> Credentials {
    if !roles.play(Role::Sa) {
        return Credentials::default();
    }
    let credentials = match config.sa.engine {
        Engine::Sqlite => {
            complaints.note("data_dir", storage::data_dir(config)).map(|_| Credentials::default())
        }
        Engine::Postgres => complaints.note("[sa.postgres]", storage::credentials(&config.sa.postgres)),
    };
    credentials.unwrap_or_default()
}

/// The host in the base URL: what the listener's own certificate is for.
fn own_name(config: &Config) -> Result<Identifier> {
    let base_url =
        config.wfe.base_url.as_ref().context("is missing; write the URL that clients reach the CA under")?;
    names::parse(base_url.host())
}

/// The certificates, for who sends them along and who signs for them.
fn load_hierarchy(
    config: &Config,
    roles: &Roles,
    inventory: &Inventory,
    complaints: &mut Complaints,
) -> Option<Hierarchy> {
    if !roles.play(Role::Wfe) && !roles.play(Role::Ca) {
        return None;
    }
    let root = complaints.note("issuer.root", certificate(config.issuer.root.as_deref()));
    // An issuer of the folder may be the only one.
    let in_folder = inventory.issuers.first().filter(|_| config.issuer.certificate.is_none());
    let intermediate = match in_folder {
        Some(issuer) => Some(issuer.certificate.clone()),
        None => complaints.note("issuer.certificate", certificate(config.issuer.certificate.as_deref())),
    };
    let (root, intermediate) = (root?, intermediate?);
    if hierarchy::is_dev(&root) || hierarchy::is_dev(&intermediate) {
        complaints.add(
            "issuer",
            "this hierarchy was made by `cairn dev`, whose root key lies on a disk unprotected; make one with `cairn init`",
        );
        return None;
    }
    Some(Hierarchy { root, intermediate, others: inventory.authorities().cloned().collect() })
}

/// The keys, for the certificate authority alone. What is wrong with the configured issuer ends here; what is wrong with one of the
/// folder does not, as long as there is another to issue with.
fn load_issuers(
    config: &Config,
    roles: &Roles,
    hierarchy: Option<&Hierarchy>,
    complaints: &mut Complaints,
) -> Option<Watch> {
    if !roles.play(Role::Ca) {
        return None;
    }
    if !config.issuer.key_place().is_named()
        && (config.issuer.certificate.is_some() || config.issuer.folder.is_none())
    {
        complaints.add("issuer.key", "is missing; name the intermediate's key");
        return None;
    }
    hierarchy?;
    let clock = Arc::new(SystemClock);
    let ended = config.issuer.certificate.as_deref().is_some_and(|path| has_ended(path, clock.as_ref()));
    let watch = Watch::start(&config.issuer, config.ca.profiles.keys(), clock);
    let loaded = watch.loaded();
    let is_alone = loaded.hierarchy.issuers.is_empty();
    for Refusal { what, why } in &loaded.refused {
        // An intermediate that has ended is replaced by leaving it where it is and installing the next.
        if is_alone || (what == CONFIGURED && !ended) {
            let key = if what == CONFIGURED { "issuer".to_owned() } else { format!("issuer.folder: {what}") };
            complaints.add(&key, why);
        }
    }
    if is_alone && loaded.refused.is_empty() {
        complaints.add(
            "issuer",
            "there is no issuer; install one with `cairn ca`, or name its certificate and key",
        );
    }
    Some(watch)
}

fn has_ended(path: &Path, clock: &dyn Clock) -> bool {
    certificate(Some(path)).is_ok_and(|issuer| clock.now().unix() > issuer.validity().not_after)
}

fn certificate(path: Option<&Path>) -> Result<Certificate> {
    let path = path.context("is missing; `cairn init` makes a hierarchy")?;
    let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Certificate::from_pem(&pem).with_context(|| path.display().to_string())
}
