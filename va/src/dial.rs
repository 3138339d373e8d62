//! Which addresses may be dialled, and the dialling.
//!
//! Whoever asks for a certificate chooses the names, and by DNS and redirects the addresses too: this is where they are kept from
//! sending the CA into its own network (server-side request forgery, RFC 8555 §10.4). A name is resolved once, the addresses are
//! checked, and exactly a checked address is dialled; nothing behind this file resolves a name again.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cairn_core::{Identifier, ProblemType, ValidationRecord};
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::config::Config;
use crate::dns::Dns;
use crate::failure::{Failure, out_of_descriptors, unavailable};
use crate::networks::is_public;

/// Connects to hosts that strangers have chosen.
pub(crate) struct Dialer {
    dns: Arc<Dns>,
    allowed: Vec<IpNet>,
    timeout: Duration,
}

/// A connection, and the address it leads to.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
}

impl Dialer {
    pub(crate) fn new(config: &Config, dns: Arc<Dns>) -> Self {
        Self { dns, allowed: config.allowed_networks.clone(), timeout: config.dial_timeout.duration() }
    }

    /// Connects to `port` of `host`: to its first allowed IPv6 address, and if that fails to its first allowed IPv4 address. What
    /// was seen on the way goes into `record`, however it ends.
    pub(crate) async fn connect(
        &self,
        host: &Identifier,
        port: u16,
        deadline: Instant,
        record: &mut ValidationRecord,
    ) -> Result<Connection, Failure> {
        // RFC 8738 §3: an address needs no DNS.
        record.addresses_resolved = match host {
            Identifier::Dns(name) => self.dns.addresses(name.as_str(), deadline).await?,
            Identifier::Ip(ip) => vec![*ip],
        };
        let candidates = self.candidates(&record.addresses_resolved);
        let mut attempts = String::new();
        for ip in candidates {
            let peer = SocketAddr::new(ip, port);
            record.address_used = Some(ip);
            match timeout_at(deadline.min(Instant::now() + self.timeout), TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => {
                    // The request is one small packet that nothing follows. Without the option it still goes out, only later.
                    let _ = stream.set_nodelay(true);
                    return Ok(Connection { stream, peer });
                }
                Ok(Err(error)) if out_of_descriptors(&error) => return Err(unavailable(error)),
                Ok(Err(error)) => add_attempt(&mut attempts, peer, &reason(&error)),
                Err(_) => {
                    add_attempt(&mut attempts, peer, "no answer in time (is a firewall dropping packets?)")
                }
            }
        }
        Err(if attempts.is_empty() {
            self.nothing_to_dial(host, port, &record.addresses_resolved)
        } else {
            let detail = format!("Could not connect to {host} on port {port}: {attempts}.");
            Failure::challenge(ProblemType::Connection, detail)
        })
    }

    /// The first allowed address of each family, IPv6 first.
    fn candidates(&self, addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> + use<> {
        let allowed = || addresses.iter().copied().filter(|ip| self.allows(*ip));
        [allowed().find(IpAddr::is_ipv6), allowed().find(IpAddr::is_ipv4)].into_iter().flatten()
    }

    fn allows(&self, ip: IpAddr) -> bool {
        is_public(ip) || self.allowed.iter().any(|net| net.contains(&ip))
    }

    fn nothing_to_dial(&self, host: &Identifier, port: u16, addresses: &[IpAddr]) -> Failure {
        let mut list = String::new();
        for ip in addresses {
            let _ = write!(list, "{}{ip}", if list.is_empty() { "" } else { ", " });
        }
        let detail = format!(
            "{host} was not dialled on port {port}: its addresses ({list}) are not public, and the CA is not configured to \
             connect to those networks."
        );
        Failure::challenge(ProblemType::Connection, detail)
    }
}

fn add_attempt(attempts: &mut String, peer: SocketAddr, what: &str) {
    let _ = write!(attempts, "{}{peer}: {what}", if attempts.is_empty() { "" } else { "; " });
}

/// The kind alone: it says what happened, without the operating system's numbers.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused (is the server running?)".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialer(allowed: &[&str]) -> Dialer {
        let allowed_networks = allowed.iter().map(|net| net.parse().unwrap()).collect();
        let resolvers = vec!["127.0.0.1:53".parse().unwrap()];
        let config = Config { allowed_networks, resolvers, ..Config::default() };
        Dialer::new(&config, Arc::new(Dns::new(&config).unwrap()))
    }

    fn candidates(dialer: &Dialer, addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        dialer.candidates(&addresses).map(|ip| ip.to_string()).collect()
    }

    #[test]
    fn ipv6_goes_first_and_each_family_once() {
        let addresses = ["8.8.8.8", "9.9.9.9", "2606:4700::1", "2606:4700::2"];
        assert_eq!(candidates(&dialer(&[]), &addresses), ["2606:4700::1", "8.8.8.8"]);
    }

    #[test]
    fn special_addresses_are_passed_over() {
        assert_eq!(candidates(&dialer(&[]), &["::1", "127.0.0.1", "8.8.8.8"]), ["8.8.8.8"]);
        assert!(candidates(&dialer(&[]), &["::1", "10.0.0.1", "::ffff:8.8.8.8"]).is_empty());
    }

    #[test]
    fn an_allowed_network_opens_itself_alone() {
        let dialer = dialer(&["10.1.0.0/16"]);
        assert_eq!(candidates(&dialer, &["10.2.0.1", "10.1.0.1"]), ["10.1.0.1"]);
        assert!(candidates(&dialer, &["::ffff:10.1.0.1", "2002:a01:1::1", "127.0.0.1"]).is_empty());
    }
}
