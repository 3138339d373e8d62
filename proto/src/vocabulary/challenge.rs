//! Challenge types and validation records.

use cairn_core::{ChallengeType, ValidationRecord};

use super::identifier::{address, address_octets};
use crate::reading::{BadMessage, Read, maybe, same_names};
use crate::v1;

same_names!(ChallengeType { Http01, Dns01, TlsAlpn01 });

impl From<ValidationRecord> for v1::ValidationRecord {
    fn from(record: ValidationRecord) -> Self {
        let ValidationRecord { url, hostname, port, addresses_resolved, address_used, perspective, problem } =
            record;
        Self {
            url,
            hostname,
            port: port.map(u32::from),
            addresses_resolved: addresses_resolved.into_iter().map(address_octets).collect(),
            address_used: address_used.map(address_octets),
            perspective,
            problem: problem.map(Into::into),
        }
    }
}

impl TryFrom<v1::ValidationRecord> for ValidationRecord {
    type Error = BadMessage;

    fn try_from(it: v1::ValidationRecord) -> Read<Self> {
        let port = it.port.map(u16::try_from).transpose();
        let resolved = it.addresses_resolved.iter();
        let used = it.address_used.map(|octets| address("ValidationRecord.address_used", &octets));
        Ok(Self {
            url: it.url,
            hostname: it.hostname,
            port: port.map_err(|_| BadMessage::new("ValidationRecord.port", "is no port"))?,
            addresses_resolved: resolved
                .map(|octets| address("ValidationRecord.addresses_resolved", octets))
                .collect::<Read<_>>()?,
            address_used: used.transpose()?,
            perspective: it.perspective,
            problem: maybe(it.problem)?,
        })
    }
}
