//! From names to IP addresses and ports.
//!
//! All of it is hickory's work, hosts file included, and none the C library's: SRV records need a resolver anyway, one resolver means
//! one view of the world and one timeout, and a binary without the C library's plug-ins (an empty container) resolves the same.
//!
//! A resolver is made anew for each round, with no cache: a hosts file or `resolv.conf` that changed counts at once, and a container
//! runtime's own DNS gives its records far longer lives than its containers have.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{Resolver, TokioResolver};

use super::Address;

/// Where the system's name servers are written down.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// What name servers listen on.
const DNS_PORT: u16 = 53;
/// How long a name server may take, and how often all are asked again.
const TIMEOUT: Duration = Duration::from_secs(2);
const RETRIES: usize = 1;
/// How long all names of a channel may take together.
const ROUND: Duration = Duration::from_secs(10);
/// Most endpoints of one role; more are left out. A role with more instances than this wants another way to find them.
const MAX_ENDPOINTS: usize = 64;
/// Most hosts that one SRV name is followed to.
const MAX_TARGETS: usize = 64;

/// What a round found. Both can be there: a list with one bad name still leads somewhere.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) endpoints: BTreeSet<SocketAddr>,
    /// Why an address led nowhere: the last one's reason.
    pub(super) error: Option<String>,
}

/// Looks all of `addresses` up.
pub(super) async fn resolve(addresses: &[Address]) -> Found {
    let resolv_conf = ResolvConf::parse(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default());
    resolve_by(resolv_conf, addresses).await
}

async fn resolve_by(conf: ResolvConf, addresses: &[Address]) -> Found {
    let mut found = Found::default();
    let resolver = match resolver(conf) {
        Ok(resolver) => resolver,
        Err(error) => return Found { error: Some(error.to_string()), ..found },
    };
    let lookups = join_all(addresses.iter().map(|address| one(&resolver, address)));
    match tokio::time::timeout(ROUND, lookups).await {
        Ok(results) => {
            for (address, result) in addresses.iter().zip(results) {
                match result {
                    Ok(endpoints) => found.endpoints.extend(endpoints),
                    Err(error) => found.error = Some(format!("{address}: {error}")),
                }
            }
        }
        Err(_) => found.error = Some("no answer from the name servers in time".to_owned()),
    }
    while found.endpoints.len() > MAX_ENDPOINTS {
        found.endpoints.pop_last();
    }
    found
}

async fn one(resolver: &TokioResolver, address: &Address) -> Result<Vec<SocketAddr>, String> {
    match address {
        Address::Host { host, port } => host_addresses(resolver, host, *port).await,
        Address::Service { name } => {
            let lookup = resolver.srv_lookup(absolute(name)?).await.map_err(|error| text(&error))?;
            // Priorities and weights are not looked at: load is spread over whoever answers.
            let targets = lookup.answers().iter().filter_map(|record| match &record.data {
                RData::SRV(srv) => Some((srv.target.to_ascii(), srv.port)),
                _ => None,
            });
            let targets: Vec<_> = targets.take(MAX_TARGETS).collect();
            let lookups = targets.iter().map(|(host, port)| host_addresses(resolver, host, *port));
            let (mut endpoints, mut error) = (Vec::new(), "the name has no SRV records".to_owned());
            for result in join_all(lookups).await {
                match result {
                    Ok(found) => endpoints.extend(found),
                    Err(text) => error = text,
                }
            }
            if endpoints.is_empty() { Err(error) } else { Ok(endpoints) }
        }
    }
}

async fn host_addresses(resolver: &TokioResolver, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let found = resolver.lookup_ip(host).await.map_err(|error| text(&error))?;
    Ok(found.iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// SRV names are never completed by search domains.
fn absolute(name: &str) -> Result<Name, String> {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|error| error.to_string())
}

fn text(error: &NetError) -> String {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => {
            "the name does not exist or has no addresses".to_owned()
        }
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the name server answered {code}"),
        NetError::Timeout => "no answer from the name servers in time".to_owned(),
        NetError::NoConnections => {
            format!("no name server can be reached; {RESOLV_CONF} must name one")
        }
        error => error.to_string(),
    }
}

/// A machine without `resolv.conf` still has a hosts file and IP addresses.
fn resolver(conf: ResolvConf) -> Result<TokioResolver, NetError> {
    let servers = conf.servers.into_iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.to_vec())
    });
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Always;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = TIMEOUT;
    options.attempts = RETRIES;
    options.try_tcp_on_error = true;
    options.ndots = conf.ndots;
    Resolver::builder_with_config(
        ResolverConfig::from_parts(None, conf.search, servers.collect()),
        TokioRuntimeProvider::default(),
    )
    .with_options(options)
    .build()
}

/// What of resolv.conf(5) matters here.
#[derive(Debug, PartialEq, Eq)]
struct ResolvConf {
    servers: Vec<SocketAddr>,
    search: Vec<Name>,
    ndots: usize,
}

impl ResolvConf {
    fn parse(text: &str) -> Self {
        let mut conf = Self { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => conf.servers.extend(
                    words.next().and_then(|word| Some(SocketAddr::new(word.parse().ok()?, DNS_PORT))),
                ),
                // The last of these lines counts.
                Some("search" | "domain") => {
                    conf.search = words.filter_map(|word| absolute(word).ok()).collect();
                }
                Some("options") => {
                    let ndots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    conf.ndots = ndots.unwrap_or(conf.ndots);
                }
                _ => {}
            }
        }
        conf
    }
}

#[cfg(test)]
mod tests;
