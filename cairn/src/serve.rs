//! `cairn serve`: the engine for real use, as its configuration says; and `cairn check-config`, which is the same up to the moment
//! where something would be opened or bound.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use cairn_ca::Issuer;
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Identifier};
use cairn_sa::{Credentials, Engine};
use cairn_x509::Certificate;
use tracing::info;

use crate::cli::{CheckConfigArgs, ServeArgs};
use crate::config::{self, Config, Tls};
use crate::hierarchy;
use crate::lifecycle::Lifecycle;
use crate::listener::{Bind, Sockets};
use crate::names;
use crate::ready_file::Ready;
use crate::server::{self, Bound, Hierarchy, ListenerTls};
use crate::storage::{self, Storage};
use crate::telemetry;
use crate::tls::Files;
use crate::wiring::{self, Configs, Foundation};

/// Runs until a signal.
///
/// # Errors
/// With what is wrong and what to do.
pub async fn run(args: ServeArgs) -> Result<()> {
    let config = Config::read(&args.config)?;
    telemetry::start(&config.log)?;
    let prepared = prepare(&config).map_err(|complaints| complaints.about(&args.config))?;

    let lifecycle = Lifecycle::default();
    let _lock = storage::take_data_dir(&config)?;
    let bound = Bound {
        api: Sockets::bind("ACME API", &Bind::Addresses(config.api.listen.clone())).await?,
        management: Sockets::bind("management listener", &Bind::Addresses(config.management.listen.clone()))
            .await?,
    };
    let Prepared { hierarchy, issuer, tls, listener_names, credentials } = prepared;
    let storage = Storage::open(&config, &credentials).await?;
    let certificates = vec![hierarchy.intermediate.clone(), hierarchy.root.clone()];
    let services = wiring::wire(
        Foundation::new(storage.authority(), issuer, certificates, listener_names),
        configs(&config),
        &lifecycle,
    )?;
    let ready = ready(&config, &bound, &hierarchy);
    server::start(services, storage.orphans(), &hierarchy, tls, bound, &lifecycle).await?;
    info!(directory = %ready.directory, api = ?ready.api, management = ?ready.management, "ready");
    if let Some(file) = &args.ready_file {
        ready.write(file)?;
    }
    server::run_to_end(&lifecycle, &storage).await
}

/// Says what is wrong in a configuration file; touches nothing.
///
/// # Errors
/// With everything that is wrong.
pub fn check(args: &CheckConfigArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    let prepared = prepare(&config).map_err(|complaints| complaints.about(&args.config))?;
    let issuer = prepared.hierarchy.intermediate.subject().to_string();
    Ok(format!("{} is good. Certificates will be issued by {issuer}.\n", args.config.display()))
}

/// What a good configuration gives.
pub struct Prepared {
    hierarchy: Hierarchy,
    issuer: Issuer,
    tls: ListenerTls,
    listener_names: Vec<Identifier>,
    credentials: Credentials,
}

/// What is wrong in a configuration: everything, not only the first.
#[derive(Debug, Default)]
pub struct Complaints(Vec<String>);

impl Complaints {
    /// Keeps the value of `result`, or what is wrong with `key`.
    fn note<T, E: Into<anyhow::Error>>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(key, format!("{:#}", error.into()))).ok()
    }

    fn add(&mut self, key: &str, what: impl fmt::Display) {
        self.0.push(format!("{key}: {what}"));
    }

    fn about(&self, file: &Path) -> anyhow::Error {
        let list: String = self.0.iter().map(|complaint| format!("\n  {complaint}")).collect();
        anyhow!("{} cannot be used:{list}", file.display())
    }
}

/// Judges a configuration, and loads what it names.
///
/// # Errors
/// With everything that is wrong.
pub fn prepare(config: &Config) -> Result<Prepared, Complaints> {
    let mut complaints = Complaints::default();
    complaints.note("log.level", config.log.filter());
    complaints.note("[wfe]", config.wfe.validate());
    complaints.note("[ra]", config.ra.validate());
    complaints.note("[va]", config.va.validate());
    complaints.note("[ca]", config.ca.validate());
    complaints.note("[sa]", config.sa.validate());
    complaints.note("[pa]", config.pa.validate());
    let credentials = storage_credentials(config, &mut complaints);
    if !config.ca.profiles.contains_key(&config.ra.profile) {
        complaints.add(
            "ra.profile",
            format!("[ca] has no profile \"{0}\"; add [ca.profiles.{0}]", config.ra.profile),
        );
    }
    if config.api.listen.is_empty() {
        complaints.add(
            "api.listen",
            "is empty, so that no client could connect; write for example [\"127.0.0.1:14000\"]",
        );
    }
    let tls = listener_tls(config, &mut complaints);
    let issuer = load_issuer(&config.issuer, &mut complaints);
    let listener_names = own_name(config).map(|name| vec![name]).unwrap_or_default();
    match (tls, issuer, credentials) {
        (Some(tls), Some((hierarchy, issuer)), Some(credentials)) if complaints.0.is_empty() => {
            Ok(Prepared { hierarchy, issuer, tls, listener_names, credentials })
        }
        _ => Err(complaints),
    }
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
            if config.wfe.trusted_proxies.is_empty() {
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
fn storage_credentials(config: &Config, complaints: &mut Complaints) -> Option<Credentials> {
    match config.sa.engine {
        Engine::Sqlite => {
            complaints.note("data_dir", storage::data_dir(config)).map(|_| Credentials::default())
        }
        Engine::Postgres => complaints.note("[sa.postgres]", storage::credentials(&config.sa.postgres)),
    }
}

/// The host in the base URL: what the listener's own certificate is for.
fn own_name(config: &Config) -> Result<Identifier> {
    let base_url =
        config.wfe.base_url.as_ref().context("is missing; write the URL that clients reach the CA under")?;
    names::parse(base_url.host())
}

fn load_issuer(files: &config::Issuer, complaints: &mut Complaints) -> Option<(Hierarchy, Issuer)> {
    let root = complaints.note("issuer.root", certificate(&files.root));
    let intermediate = complaints.note("issuer.certificate", certificate(&files.certificate));
    let key =
        complaints.note("issuer.key", hierarchy::read_key_file(&files.key, files.passphrase_file.as_deref()));
    let (root, intermediate, key) = (root?, intermediate?, key?);
    if hierarchy::is_dev(&root) || hierarchy::is_dev(&intermediate) {
        complaints.add(
            "issuer",
            "this hierarchy was made by `cairn dev`, whose root key lies on a disk unprotected; make one with `cairn init`",
        );
        return None;
    }
    let loaded = Issuer::load(&intermediate.to_pem(), &root.to_pem(), Box::new(key), SystemClock.now());
    let issuer = complaints.note("issuer", loaded)?;
    Some((Hierarchy { root, intermediate }, issuer))
}

fn certificate(path: &Path) -> Result<Certificate> {
    let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Certificate::from_pem(&pem).with_context(|| path.display().to_string())
}

fn configs(config: &Config) -> Configs {
    Configs {
        wfe: config.wfe.clone(),
        ra: config.ra.clone(),
        va: config.va.clone(),
        ca: config.ca.clone(),
        pa: config.pa.clone(),
    }
}

fn ready(config: &Config, bound: &Bound, hierarchy: &Hierarchy) -> Ready {
    Ready {
        pid: std::process::id(),
        directory: config.wfe.base_url.as_ref().map(|url| format!("{url}/dir")).unwrap_or_default(),
        api: bound.api.addresses(),
        management: bound.management.addresses(),
        dns: None,
        dns_management: None,
        root_file: Some(config.issuer.root.display().to_string()),
        root_sha256: hierarchy::fingerprint(&hierarchy.root),
    }
}
