//! What a test may say of the fake world: the default addresses, and the records of single hosts.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use hickory_proto::rr::RData;
use serde::Deserialize;

use crate::{
    rdata::{caa, name, txt},
    records::{Host, Mark, Records, Set},
};

/// Most records a zone holds, all hosts and types together: far more than a load test sets, yet a client in a loop
/// cannot eat the memory.
pub const MAX_RECORDS: usize = 100_000;

/// Longest TXT or CAA value: several times what any challenge needs, and small enough that an answer always has room
/// for it.
pub const MAX_VALUE_BYTES: usize = 4096;

/// The records of the fake world, shared: clones see and change the same zone.
///
/// Hosts are given as text, with or without the trailing dot, in any case, and stand for themselves alone: `*` in a
/// host has no special meaning. As in pebble-challtestsrv, records of one type replace the default of that type only.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Written by tests and the management interface, read for each query; held for one lookup or change.
    records: Arc<RwLock<Records>>,
}

/// Why a record was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// [`MAX_RECORDS`] would be exceeded.
    #[error("the zone has no room left: it holds at most {MAX_RECORDS} records")]
    Full,
    /// A host or target could never be asked for.
    #[error("a host must be a DNS name: ASCII, labels of 1 to 63 octets, no more than 255 in all")]
    NotAName,
    /// A TXT or CAA value exceeds [`MAX_VALUE_BYTES`].
    #[error("a value must not be longer than {MAX_VALUE_BYTES} bytes")]
    TooLong,
    /// A CAA tag is not as RFC 8659 §4.1 has it.
    #[error("a CAA tag must be 1 to 255 ASCII letters and digits")]
    NotATag,
}

/// One property of a CAA record set (RFC 8659 §4.1). The value is sent as it stands, well-formed or not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CaaPolicy {
    /// The property's tag, such as `issue`.
    pub tag: String,
    /// The property's value, such as `ca.example; accounturi=…`.
    pub value: String,
}

impl Zone {
    /// A world in which every name is 127.0.0.1 and has no other record.
    pub fn new() -> Self {
        let mut records = Records::default();
        records.default_ipv4 = Some(Ipv4Addr::LOCALHOST);
        Self { records: Arc::new(RwLock::new(records)) }
    }

    /// Sets the address of every host without A records of its own; `None` leaves them without.
    pub fn set_default_ipv4(&self, address: Option<Ipv4Addr>) {
        self.write().default_ipv4 = address;
    }

    /// Sets the address of every host without AAAA records of its own; `None` leaves them without.
    pub fn set_default_ipv6(&self, address: Option<Ipv6Addr>) {
        self.write().default_ipv6 = address;
    }

    /// Adds A records to a host, which then no longer has the default address. An empty list takes all of them back.
    pub fn add_a(&self, host: &str, addresses: &[Ipv4Addr]) -> Result<(), ZoneError> {
        let name = name(host)?;
        if addresses.is_empty() {
            self.write().clear(&name, Host::a);
            return Ok(());
        }
        self.write().add(name, Host::a, addresses.iter().map(|&address| RData::A(address.into())).collect())
    }

    /// Gives a host the default IPv4 address again.
    pub fn clear_a(&self, host: &str) {
        self.clear(host, Host::a);
    }

    /// Adds AAAA records to a host, which then no longer has the default address. An empty list takes all of them
    /// back.
    pub fn add_aaaa(&self, host: &str, addresses: &[Ipv6Addr]) -> Result<(), ZoneError> {
        let name = name(host)?;
        if addresses.is_empty() {
            self.write().clear(&name, Host::aaaa);
            return Ok(());
        }
        self.write().add(
            name,
            Host::aaaa,
            addresses.iter().map(|&address| RData::AAAA(address.into())).collect(),
        )
    }

    /// Gives a host the default IPv6 address again.
    pub fn clear_aaaa(&self, host: &str) {
        self.clear(host, Host::aaaa);
    }

    /// Makes a host an alias of `target`, instead of any former one; its other records are then not seen.
    pub fn set_cname(&self, host: &str, target: &str) -> Result<(), ZoneError> {
        let (host, target) = (name(host)?, name(target)?);
        self.write().set(host, Host::ALIAS, |host| host.cname = Some(target))
    }

    /// Makes a host stand for itself again.
    pub fn clear_cname(&self, host: &str) {
        self.unset(host, Host::ALIAS);
    }

    /// Adds a TXT record with this value, split into character-strings as its length demands (RFC 1035 §3.3.14).
    pub fn add_txt(&self, host: &str, value: &str) -> Result<(), ZoneError> {
        let name = name(host)?;
        self.write().add(name, Host::txt, vec![txt(value)?])
    }

    /// Removes all TXT records of a host.
    pub fn clear_txt(&self, host: &str) {
        self.clear(host, Host::txt);
    }

    /// Answers every query for a host with SERVFAIL, whatever else is set for it.
    pub fn set_servfail(&self, host: &str) -> Result<(), ZoneError> {
        let name = name(host)?;
        self.write().set(name, Host::SERVFAIL, |host| host.servfail = true)
    }

    /// Answers queries for a host again.
    pub fn clear_servfail(&self, host: &str) {
        self.unset(host, Host::SERVFAIL);
    }

    /// Adds CAA records to a host.
    pub fn add_caa(&self, host: &str, policies: &[CaaPolicy]) -> Result<(), ZoneError> {
        let name = name(host)?;
        let records = policies.iter().map(caa).collect::<Result<Vec<_>, _>>()?;
        self.write().add(name, Host::caa, records)
    }

    /// Removes all CAA records of a host.
    pub fn clear_caa(&self, host: &str) {
        self.clear(host, Host::caa);
    }

    /// The records, to look one up.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Records> {
        // No change leaves the records half done, so a panic elsewhere is no reason to stop answering.
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Records> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties one set of a host's. What is no name has no records, so there is nothing to report.
    fn clear(&self, host: &str, set: Set) {
        if let Ok(name) = name(host) {
            self.write().clear(&name, set);
        }
    }

    fn unset(&self, host: &str, mark: Mark) {
        if let Ok(name) = name(host) {
            self.write().unset(&name, mark);
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::new()
    }
}
