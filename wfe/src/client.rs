//! Whose request it is, as far as addresses tell: for the log.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::HeaderName;
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the other end of the connection. The listener puts it into each request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub SocketAddr);

/// The client's address: the peer's, unless that is a trusted proxy. Then it is the rightmost address in `X-Forwarded-For` that is
/// no trusted proxy; everything left of it is the client's own invention.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(&client) {
        return client;
    }
    let values: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        // Whatever a trusted proxy wrote that is no address ends the search: what stands left of it proves nothing.
        let Some(address) = parse(hop.trim()) else { break };
        client = address;
        if !is_trusted(&client) {
            break;
        }
    }
    client
}

/// An address, with or without a port: some proxies add it.
fn parse(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().or_else(|_| hop.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_forge_its_address() {
        assert_eq!(client("192.0.2.1", &["10.0.0.1"], &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["10.0.0.1"], &["10.0.0.0/8"]), "192.0.2.1");
    }

    #[test]
    fn behind_trusted_proxies_the_rightmost_untrusted_address_counts() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", &["198.51.100.9, 192.0.2.7"], &trusted), "192.0.2.7");
        assert_eq!(client("10.0.0.1", &["192.0.2.7, 10.0.0.2"], &trusted), "192.0.2.7");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "192.0.2.7"], &trusted), "192.0.2.7");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:444"], &trusted), "2001:db8::1");
    }

    #[test]
    fn a_missing_or_broken_header_leaves_the_last_address_that_was_proven() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", &[], &trusted), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.7, unknown"], &trusted), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &trusted), "10.0.0.3");
    }
}
