//! `cairn dev`: a whole CA with nothing to configure. Everything insecure that makes development easy is here and nowhere else: a fake
//! DNS, any name, any address, the root's key on the same disk.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use cairn_ca::{Issuer, OcspSigner};
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Identifier, Period, PkiUrl, SystemRandom};
use cairn_sa::SqliteStorage;
use cairn_x509::Certificate;
use challtestsrv::{DnsServer, Zone};
use ipnet::IpNet;
use tracing::error;

use crate::banner::Banner;
use crate::cli::DevArgs;
use crate::hierarchy::{self, DevHierarchy, HierarchySpec};
use crate::internal;
use crate::issuers::Inventory;
use crate::issuers::rotation::{Rotation, keep_telling};
use crate::lifecycle::{Lifecycle, Signals};
use crate::listener::{Bind, Listener, Sockets};
use crate::lock::DirectoryLock;
use crate::names;
use crate::operators::{self, Door};
use crate::ready_file::Ready;
use crate::server::{self, Bound, Hierarchy, ListenerTls};
use crate::storage::Storage;
use crate::wiring::{self, Configs, Foundation};

/// The ports of the API and of the management listener, the same as Pebble's; and of the listener for relying parties, the same as
/// Boulder's.
const API_PORT: u16 = 14000;
const PKI_PORT: u16 = 4002;
const MANAGEMENT_PORT: u16 = 15000;

/// What clients are told to wait between polls: nobody wants to wait for a test.
const RETRY_AFTER: Period = Period::from_secs(1);

/// Runs until a signal.
///
/// # Errors
/// With what is wrong and what to do, when something that it needs is not to be had.
pub async fn run(args: DevArgs) -> Result<()> {
    let lifecycle = Lifecycle::default();
    let names = own_names(&args.names)?;
    let _lock = if args.ephemeral { None } else { Some(take(&args.data_dir)?) };
    let bound = Bound {
        api: Sockets::bind("ACME API", &Bind::or_loopback(args.listen.clone(), API_PORT)).await?,
        api_proxies: Vec::new(),
        pki: Sockets::bind("listener for relying parties", &Bind::Addresses(pki_addresses(&args))).await?,
        management: Sockets::bind(
            "management listener",
            &Bind::or_loopback(args.management.clone(), MANAGEMENT_PORT),
        )
        .await?,
        internal: internal::Bound::default(),
        operators: operators(&args),
    };
    let dns = FakeDns::bind(&args).await?;
    let (issuing, made) = hierarchy(&args)?;
    let storage = Storage::Sqlite(Arc::new(open(&args)?));

    let hierarchy = Hierarchy {
        root: issuing.root.clone(),
        intermediate: issuing.intermediate.clone(),
        others: issuing.alternates,
    };
    let issuer = Issuer::load(
        &hierarchy.intermediate.to_pem(),
        &hierarchy.root.to_pem(),
        Box::new(issuing.intermediate_key),
        SystemClock.now(),
    )?;
    let pki = bound.pki.addresses();
    let configs = configs(&args, &names, dns.address, &pki, &hierarchy.root)?;
    let profiles = configs.ca.profiles.clone();
    let services = wiring::wire(
        Foundation::whole(storage.authority(), issuer, hierarchy.certificates(), names.clone(), &lifecycle),
        configs,
        &lifecycle,
    )?;
    let rotation = Rotation::new(profiles, Arc::clone(&services.notices));
    let inventory = Inventory::of(hierarchy.intermediate.clone(), hierarchy.root.clone());
    lifecycle.work.spawn(keep_telling(
        rotation,
        inventory,
        Arc::clone(&services.clock),
        lifecycle.stopping.clone(),
    ));

    let api = bound.api.addresses();
    let management = bound.management.addresses();
    let dns_addresses = (dns.address, dns.management_address);
    dns.start(&lifecycle);
    // Before anybody is told that it is ready, and may tell it to stop.
    let signals = Signals::listen()?;
    server::start(services, storage.orphans(), Some(&hierarchy), ListenerTls::SelfIssued, bound, &lifecycle)
        .await?;

    storage.keep_pruned(cairn_sa::Config::default().keep, &lifecycle);

    let banner = Banner {
        made,
        api,
        pki,
        management,
        dns: dns_addresses.0,
        dns_management: dns_addresses.1,
        data_dir: (!args.ephemeral).then(|| args.data_dir.clone()),
        root: &hierarchy.root,
        intermediate: &hierarchy.intermediate,
        args: &args,
    };
    banner.print();
    if let Some(file) = &args.ready_file {
        ready(&banner).write(file)?;
    }
    server::run_to_end(signals, &lifecycle, Some(&storage)).await;
    Ok(())
}

/// The operators' socket, unless nothing is kept. Development goes on without: a folder's path may be too long for a socket.
fn operators(args: &DevArgs) -> Option<Door> {
    if args.ephemeral {
        return None;
    }
    let door = Door::bind(operators::socket_in(&args.data_dir));
    door.inspect_err(|error| tracing::warn!("no `cairn admin`: {error:#}")).ok()
}

fn take(data_dir: &Path) -> Result<DirectoryLock> {
    std::fs::create_dir_all(data_dir).with_context(|| {
        format!("cannot make the data directory {}; choose another with --data-dir", data_dir.display())
    })?;
    DirectoryLock::take(data_dir)
}

fn own_names(further: &[String]) -> Result<Vec<Identifier>> {
    let further = further.iter().map(String::as_str);
    names::LOCAL.into_iter().chain(further).map(names::parse).collect::<Result<_>>().context("--name")
}

/// The hierarchy, and whether it was made just now.
fn hierarchy(args: &DevArgs) -> Result<(DevHierarchy, bool)> {
    let spec = HierarchySpec {
        organization: hierarchy::DEV_ORGANIZATION.to_owned(),
        root_key: args.hierarchy.root_key,
        intermediate_key: args.hierarchy.intermediate_key,
        root_lifetime: args.hierarchy.root_lifetime,
        intermediate_lifetime: args.hierarchy.intermediate_lifetime,
        alternate_roots: args.hierarchy.alternate_roots,
    };
    let (clock, random) = (SystemClock, SystemRandom);
    if args.ephemeral {
        return Ok((DevHierarchy::in_memory(&spec, &clock, &random)?, true));
    }
    match hierarchy::load_dev(&args.data_dir)? {
        Some(issuing) => Ok((issuing, false)),
        None => Ok((hierarchy::create_dev(&args.data_dir, &spec, &clock, &random)?, true)),
    }
}

fn open(args: &DevArgs) -> Result<SqliteStorage> {
    if args.ephemeral {
        return SqliteStorage::open_ephemeral().context("cannot open a database in memory");
    }
    let mut config = cairn_sa::Config::default();
    config.path = args.data_dir.join(&config.path);
    SqliteStorage::open(&config)
        .with_context(|| format!("cannot open the database {}", config.path.display()))
}

fn configs(
    args: &DevArgs,
    names: &[Identifier],
    dns: SocketAddr,
    pki: &[SocketAddr],
    root: &Certificate,
) -> Result<Configs> {
    let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let everywhere: Vec<IpNet> = everywhere.into_iter().filter_map(|ip| IpNet::new(ip, 0).ok()).collect();
    let mut configs = Configs::default();
    configs.wfe.allowed_hosts = names.iter().map(ToString::to_string).collect();
    configs.wfe.retry_after = RETRY_AFTER;
    // All roots are alike, and one of them is the one that clients are told to trust.
    configs.wfe.preferred_root = Some(hierarchy::fingerprint(root).try_into()?);
    // Each order is validated anew: that is what a test wants to see.
    configs.ra.reuse_orders = false;
    configs.ra.reuse_authorizations = false;
    configs.va.http_port = args.http_port;
    configs.va.https_port = args.https_port;
    configs.va.tls_alpn_port = args.tls_port;
    configs.va.resolvers = vec![dns];
    configs.va.allowed_networks.clone_from(&everywhere);
    configs.pa.single_labels = true;
    configs.pa.allowed_networks = everywhere;
    configs.ca.pki_url = pki_url(pki);
    if args.delegated_ocsp {
        configs.ca.ocsp.signer = OcspSigner::Delegated;
    }
    for profile in configs.ca.profiles.values_mut() {
        profile.lifetime = args.certificate_lifetime;
        profile.backdate = args.certificate_backdate;
        profile.must_staple = args.must_staple;
    }
    Ok(configs)
}

/// One address, not one of each family: it stands in certificates, and who looks there may know no name of this machine.
fn pki_addresses(args: &DevArgs) -> Vec<SocketAddr> {
    match args.pki.as_slice() {
        [] => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PKI_PORT))],
        addresses => addresses.to_vec(),
    }
}

/// Where certificates send relying parties: to the first address. One that means every address of this machine is no place to go to.
fn pki_url(pki: &[SocketAddr]) -> Option<PkiUrl> {
    let first = pki.first()?;
    let reachable = match first.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, first.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, first.port())),
        _ => *first,
    };
    format!("http://{reachable}").parse().ok()
}

/// The fake DNS and its management API, bound.
struct FakeDns {
    server: DnsServer,
    address: SocketAddr,
    management: Sockets,
    management_address: SocketAddr,
    zone: Zone,
}

impl FakeDns {
    async fn bind(args: &DevArgs) -> Result<Self> {
        let zone = Zone::new();
        zone.set_default_ipv4(Some(args.default_ipv4));
        zone.set_default_ipv6(args.default_ipv6);
        let server = DnsServer::bind(args.dns, zone.clone()).await.with_context(|| {
            format!(
                "cannot listen on {} for the fake DNS; free the address, or choose another with --dns",
                args.dns
            )
        })?;
        let management =
            Sockets::bind("fake DNS's management", &Bind::Addresses(vec![args.dns_management])).await?;
        let management_address = management.addresses().first().copied().unwrap_or(args.dns_management);
        Ok(Self { address: server.local_addr(), server, management, management_address, zone })
    }

    /// Answers until all work that may ask has ended.
    fn start(self, lifecycle: &Lifecycle) {
        let ended = lifecycle.ended.clone();
        let server = self.server;
        lifecycle.support.spawn(async move {
            if let Err(error) = server.run(ended).await {
                error!(%error, "the fake DNS has stopped");
            }
        });
        let listener = Listener {
            router: challtestsrv::management(self.zone),
            tls: None,
            proxies: Arc::from([]),
            leaving: lifecycle.ended.clone(),
            shutdown: lifecycle.ended.clone(),
            tracker: lifecycle.support.clone(),
        };
        listener.start(self.management);
    }
}

fn ready(banner: &Banner<'_>) -> Ready {
    Ready {
        pid: std::process::id(),
        directory: Some(banner.directory()),
        api: banner.api.clone(),
        pki: banner.pki.clone(),
        management: banner.management.clone(),
        dns: Some(banner.dns),
        dns_management: Some(banner.dns_management),
        root_file: banner.root_file().map(|path| path.display().to_string()),
        root_sha256: Some(hierarchy::fingerprint(banner.root)),
        internal: BTreeMap::new(),
    }
}
