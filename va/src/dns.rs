//! Asks the configured recursive name servers, and says of each failure whose it is.
//!
//! Every lookup is fresh: there is no cache here, because a subscriber publishes the answer to a challenge moments before it is
//! looked for (RFC 8555 §8.4). Names are always absolute, and neither search domains nor the hosts file count. Aliases (CNAME)
//! are the resolver's work. Case randomisation makes forged UDP answers harder; a truncated or suspicious one is asked for
//! again over TCP.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use cairn_core::{Problem, ProblemType};
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use tokio::time::{Instant, timeout_at};

use crate::config::{Config, ConfigError};
use crate::failure::{Failure, out_of_descriptors, unavailable};
use crate::metrics::{self, Answer, Question};

/// Where the system's name servers are written down.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// What name servers listen on.
const DNS_PORT: u16 = 53;
/// How often a question is asked again, on all servers, after the first attempt failed. The attempts share `lookup_timeout`.
const RETRIES: u32 = 1;
/// Most TXT records of one name that are compared: more than any honest name has.
const MAX_TEXTS: usize = 100;
/// Most addresses of one family that are looked at: they are stored with the authorization and named in problems.
const MAX_ADDRESSES: usize = 16;

/// The resolver that all validations share.
pub(crate) struct Dns {
    resolver: TokioResolver,
    timeout: Duration,
}

impl Dns {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let servers = match config.resolvers.as_slice() {
            [] => system_servers(Path::new(RESOLV_CONF))?,
            servers => servers.to_vec(),
        };
        let servers = servers.into_iter().map(name_server).collect();
        let timeout = config.lookup_timeout.duration();
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = timeout / (RETRIES + 1);
        options.attempts = RETRIES as usize;
        // One server at a time: the second is for when the first fails, not for every question.
        options.num_concurrent_reqs = 1;
        options.try_tcp_on_error = true;
        options.case_randomization = true;
        let resolver = Resolver::builder_with_config(
            ResolverConfig::from_parts(None, Vec::new(), servers),
            TokioRuntimeProvider::default(),
        )
        .with_options(options)
        .build()
        .map_err(|error| {
            ConfigError::new("resolvers", error.to_string(), "check the addresses of the name servers")
        })?;
        Ok(Self { resolver, timeout })
    }

    /// The IPv6 and IPv4 addresses of `name`, at least one.
    ///
    /// One family's failure does not matter if the other has addresses.
    pub(crate) async fn addresses(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, Failure> {
        let (name, asked) = (absolute(name)?, Instant::now());
        let (v6, v4) = self
            .bounded(deadline, async {
                tokio::join!(
                    self.resolver.lookup(name.clone(), RecordType::AAAA),
                    self.resolver.lookup(name.clone(), RecordType::A),
                )
            })
            .await
            .unwrap_or((Err(NetError::Timeout), Err(NetError::Timeout)));
        let addresses: Vec<IpAddr> = [&v6, &v4]
            .into_iter()
            .flatten()
            .flat_map(|lookup| {
                lookup.answers().iter().filter_map(|record| record.data.ip_addr()).take(MAX_ADDRESSES)
            })
            .collect();
        if !addresses.is_empty() {
            metrics::dns(Question::Addresses, Answer::Found, asked);
            return Ok(addresses);
        }
        // A failure says more than "no such records", which may be an honest answer for the other family.
        let failures = [v4.err(), v6.err()].into_iter().flatten();
        let worst = failures.max_by_key(|error| !error.is_no_records_found());
        metrics::dns(Question::Addresses, worst.as_ref().map_or(Answer::Nothing, answer), asked);
        Err(worst.map_or_else(
            || nothing_found(&name, ResponseCode::NoError, "A or AAAA").into(),
            |error| failure(&name, "A or AAAA", error),
        ))
    }

    /// The TXT records of `name`, each with its character-strings joined (RFC 8555 §8.4); none if the name exists without any.
    pub(crate) async fn texts(&self, name: &str, deadline: Instant) -> Result<Vec<Vec<u8>>, Failure> {
        let (name, asked) = (absolute(name)?, Instant::now());
        let lookup = self.bounded(deadline, self.resolver.lookup(name.clone(), RecordType::TXT)).await;
        let lookup = lookup.unwrap_or(Err(NetError::Timeout));
        metrics::dns(Question::Texts, lookup.as_ref().map_or_else(answer, |_| Answer::Found), asked);
        match lookup {
            Ok(lookup) => Ok(lookup
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(text) => Some(text.txt_data.concat()),
                    _ => None,
                })
                .take(MAX_TEXTS)
                .collect()),
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if none.response_code == ResponseCode::NoError =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(failure(&name, "TXT", error)),
        }
    }

    /// What `lookup` gives before either bound; `None` afterwards.
    async fn bounded<T>(&self, deadline: Instant, lookup: impl Future<Output = T>) -> Option<T> {
        timeout_at(deadline.min(Instant::now() + self.timeout), lookup).await.ok()
    }
}

/// What a lookup that failed counts as.
fn answer(error: &NetError) -> Answer {
    match error {
        NetError::Timeout => Answer::Late,
        error if error.is_no_records_found() => Answer::Nothing,
        _ => Answer::Error,
    }
}

/// `name` from the root, so that no search domain is ever tried.
fn absolute(name: &str) -> Result<Name, Failure> {
    Name::from_ascii(format!("{name}.")).map_err(|_| {
        let detail = format!("{name} cannot be looked up: DNS holds names of at most 253 characters.");
        Failure::challenge(ProblemType::Dns, detail)
    })
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.to_vec())
}

/// The name servers in `resolv.conf`; its search domains and options are not wanted.
fn system_servers(path: &Path) -> Result<Vec<SocketAddr>, ConfigError> {
    const REMEDY: &str = "name your recursive name servers in va.resolvers";
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(
            "resolvers",
            format!("none given, and {} cannot be read: {error}", path.display()),
            REMEDY,
        )
    })?;
    let servers = name_server_lines(&text);
    if servers.is_empty() {
        let wrong = format!("none given, and {} has no usable nameserver line", path.display());
        return Err(ConfigError::new("resolvers", wrong, REMEDY));
    }
    Ok(servers)
}

fn name_server_lines(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next()).flatten()
        })
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, DNS_PORT))
        .collect()
}

/// What a failed lookup means for the challenge.
fn failure(name: &Name, records: &str, error: NetError) -> Failure {
    let text = without_dot(name);
    let because = match error {
        NetError::Io(error) if out_of_descriptors(&error) => {
            return unavailable(std::io::Error::from_raw_os_error(error.raw_os_error().unwrap_or_default()));
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            return nothing_found(name, none.response_code, records).into();
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => {
            "the name servers of the domain do not answer, or DNSSEC validation failed (SERVFAIL)".to_owned()
        }
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the resolver answered {code}"),
        NetError::Timeout => "no answer in time; check the name servers of the domain".to_owned(),
        NetError::Io(error) => format!("the resolver cannot be reached ({})", error.kind()),
        NetError::NoConnections | NetError::Busy => "the resolver cannot be reached".to_owned(),
        NetError::Proto(_) | NetError::QueryCaseMismatch => "the resolver's answer makes no sense".to_owned(),
        error => error.as_metrics_label().to_owned(),
    };
    Failure::challenge(ProblemType::Dns, format!("Looking up {records} records of {text}: {because}."))
}

fn nothing_found(name: &Name, code: ResponseCode, records: &str) -> Problem {
    let name = without_dot(name);
    let detail = if code == ResponseCode::NXDomain {
        format!("Looking up {records} records of {name}: the name does not exist (NXDOMAIN).")
    } else {
        format!("{name} has no {records} records.")
    };
    Problem::new(ProblemType::Dns, detail)
}

fn without_dot(name: &Name) -> String {
    let mut text = name.to_ascii();
    text.truncate(text.trim_end_matches('.').len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nameserver_lines_of_resolv_conf_count() {
        let text = "# nameserver 192.0.2.1\nsearch example.test\nnameserver 192.0.2.2\n options ndots:5\n\
            \tnameserver 2001:db8::53 trailing\nnameserver not-an-address\nnameserver\n";
        let expected = ["192.0.2.2:53", "[2001:db8::53]:53"].map(|server| server.parse().unwrap());
        assert_eq!(name_server_lines(text), expected);
    }

    #[test]
    fn a_resolv_conf_without_servers_is_a_configuration_error() {
        let error = system_servers(Path::new("/nonexistent/resolv.conf")).unwrap_err();
        assert_eq!(error.key, "resolvers");
        assert!(error.to_string().contains("/nonexistent/resolv.conf"), "{error}");
    }

    #[test]
    fn names_are_absolute() {
        assert!(absolute("a.test").unwrap().is_fqdn());
        assert!(matches!(absolute(&"a.".repeat(130)), Err(Failure::Challenge(_))));
    }
}
