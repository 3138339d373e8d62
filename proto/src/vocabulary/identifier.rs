//! Identifiers and addresses.

use std::net::IpAddr;

use cairn_core::{DnsName, Identifier};

use crate::reading::{BadMessage, Read, present};
use crate::v1::{self, identifier::Kind};

impl From<Identifier> for v1::Identifier {
    fn from(identifier: Identifier) -> Self {
        let kind = match identifier {
            Identifier::Dns(name) => Kind::Dns(name.as_str().to_owned()),
            Identifier::Ip(address) => Kind::Ip(address_octets(address)),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::Identifier> for Identifier {
    type Error = BadMessage;

    fn try_from(wire: v1::Identifier) -> Read<Self> {
        match present("Identifier.kind", wire.kind)? {
            Kind::Dns(text) => {
                let name: DnsName =
                    text.parse().map_err(|_| BadMessage::new("Identifier.dns", "is no DNS name"))?;
                // A name has one form, and its sender had it in that form.
                if name.as_str() == text {
                    Ok(Self::Dns(name))
                } else {
                    Err(BadMessage::new("Identifier.dns", "is not in lower case"))
                }
            }
            Kind::Ip(octets) => address("Identifier.ip", &octets).map(Self::Ip),
        }
    }
}

/// 4 octets or 16: an IPv4 address in IPv6 form stays what it is.
pub(super) fn address_octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub(super) fn address(field: &'static str, value: &[u8]) -> Read<IpAddr> {
    let four = || <[u8; 4]>::try_from(value).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(value).map(IpAddr::from);
    four().or_else(|_| sixteen()).map_err(|_| BadMessage::new(field, "is no IP address"))
}
