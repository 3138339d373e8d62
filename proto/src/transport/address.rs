//! Where a role's listeners are, as an operator writes it: `host:port`, or `srv:NAME` for a name that has SRV records (RFC 2782).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One entry of a list of addresses. A host stands for all its IP addresses, a service for all its hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A name or an IP address, and a port.
    Host {
        /// Without brackets, if it is an IPv6 address.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// A name with SRV records, which bring hosts and ports.
    Service {
        /// For example `_ra._tcp.cairn.local`.
        name: String,
    },
}

/// A text that is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no address; write host:port, for example \"ra-1:14101\" or \"[2001:db8::1]:14101\", or srv: and a name with SRV \
     records, for example \"srv:_ra._tcp.cairn.local\""
)]
pub struct AddressError(String);

/// What marks an SRV name.
const SERVICE: &str = "srv:";
/// Longest name that DNS can hold (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).ok_or_else(|| AddressError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Address> {
    if let Some(name) = text.strip_prefix(SERVICE) {
        return is_name(name).then(|| Address::Service { name: name.to_owned() });
    }
    let (host, port) = text.rsplit_once(':')?;
    // u16's own parser takes a plus sign.
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().ok()?.to_string(),
        None => is_name(host).then(|| host.to_owned())?,
    };
    Some(Address::Host { host, port })
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= MAX_NAME && text.split('.').all(label)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { name } => write!(f, "{SERVICE}{name}"),
            Self::Host { host, port } => match host.parse() {
                Ok(IpAddr::V6(ip)) => write!(f, "[{ip}]:{port}"),
                _ => write!(f, "{host}:{port}"),
            },
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_are_written() {
        for text in
            ["ra-1:14101", "192.0.2.1:1", "[2001:db8::1]:14101", "srv:_ra._tcp.cairn.local", "a.b_c.:65535"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let address = Address::Host { host: "2001:db8::1".to_owned(), port: 14101 };
        assert_eq!("[2001:DB8:0::1]:14101".parse(), Ok(address));
    }

    #[test]
    fn what_is_no_address_is_refused_with_examples() {
        for text in [
            "",
            "ra",
            "ra:",
            ":1",
            "ra:0",
            "ra:65536",
            "ra:+1",
            "2001:db8::1:14101",
            "[192.0.2.1]:1",
            "[::1]",
            "srv:",
            "srv:a..b",
            "a b:1",
            "http://ra:1",
            "é:1",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("ra-1:14101") && error.contains("srv:"), "{error}");
        }
    }
}
