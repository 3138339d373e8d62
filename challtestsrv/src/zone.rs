//! What the fake world holds: the default addresses, and the records a test has set for single hosts.
//!
//! Records are kept as they will be sent (RFC 1035 §3.3 and §3.4.1, RFC 3596, RFC 8659 §4.1): whatever cannot be put on
//! the wire is refused when it is set, so answering cannot fail.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use hickory_proto::rr::{
    LowerName, Name, RData,
    rdata::{CAA, TXT},
};
use serde::Deserialize;

/// Most records a zone holds, all hosts and types together: far more than a load test sets, yet a client in a loop
/// cannot eat the memory.
pub const MAX_RECORDS: usize = 100_000;

/// Longest TXT or CAA value: several times what any challenge needs, and small enough that an answer always has room
/// for it.
pub const MAX_VALUE_BYTES: usize = 4096;

/// A character-string has one octet for its length (RFC 1035 §3.3).
const MAX_CHARACTER_STRING: usize = 255;

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
        let records = Records {
            default_ipv4: Some(Ipv4Addr::LOCALHOST),
            default_ipv6: None,
            hosts: HashMap::new(),
            count: 0,
        };
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
        self.write().set(host, |host| host.cname.replace(target).is_none())
    }

    /// Makes a host stand for itself again.
    pub fn clear_cname(&self, host: &str) {
        self.unset(host, |host| host.cname.take().is_some());
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
        self.write().set(name, |host| !std::mem::replace(&mut host.servfail, true))
    }

    /// Answers queries for a host again.
    pub fn clear_servfail(&self, host: &str) {
        self.unset(host, |host| std::mem::take(&mut host.servfail));
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

    fn unset(&self, host: &str, change: impl FnOnce(&mut Host) -> bool) {
        if let Ok(name) = name(host) {
            self.write().unset(&name, change);
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::new()
    }
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) default_ipv4: Option<Ipv4Addr>,
    pub(crate) default_ipv6: Option<Ipv6Addr>,
    /// No host here is empty.
    pub(crate) hosts: HashMap<LowerName, Host>,
    /// How many records all hosts have together; an alias and a SERVFAIL mark count as one each.
    count: usize,
}

/// What has been set for one host.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Host {
    pub(crate) a: Vec<RData>,
    pub(crate) aaaa: Vec<RData>,
    pub(crate) txt: Vec<RData>,
    pub(crate) caa: Vec<RData>,
    pub(crate) cname: Option<LowerName>,
    pub(crate) servfail: bool,
}

/// Picks one of a host's record sets.
type Set = fn(&mut Host) -> &mut Vec<RData>;

impl Host {
    fn a(&mut self) -> &mut Vec<RData> {
        &mut self.a
    }

    fn aaaa(&mut self) -> &mut Vec<RData> {
        &mut self.aaaa
    }

    fn txt(&mut self) -> &mut Vec<RData> {
        &mut self.txt
    }

    fn caa(&mut self) -> &mut Vec<RData> {
        &mut self.caa
    }
}

impl Records {
    /// Adds all of `records` to a set, or none if they do not all fit.
    fn add(&mut self, name: LowerName, set: Set, records: Vec<RData>) -> Result<(), ZoneError> {
        let count = self.count.saturating_add(records.len());
        if count > MAX_RECORDS {
            return Err(ZoneError::Full);
        }
        if !records.is_empty() {
            set(self.hosts.entry(name).or_default()).extend(records);
            self.count = count;
        }
        Ok(())
    }

    fn clear(&mut self, name: &LowerName, set: Set) {
        if let Some(host) = self.hosts.get_mut(name) {
            self.count = self.count.saturating_sub(std::mem::take(set(host)).len());
            self.forget_if_empty(name);
        }
    }

    /// Sets what a host has at most one of; `change` says whether it is new.
    fn set(&mut self, name: LowerName, change: impl FnOnce(&mut Host) -> bool) -> Result<(), ZoneError> {
        if self.count >= MAX_RECORDS {
            return Err(ZoneError::Full);
        }
        if change(self.hosts.entry(name).or_default()) {
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }

    /// Takes back what a host has at most one of; `change` says whether it was there.
    fn unset(&mut self, name: &LowerName, change: impl FnOnce(&mut Host) -> bool) {
        if let Some(host) = self.hosts.get_mut(name) {
            if change(host) {
                self.count = self.count.saturating_sub(1);
            }
            self.forget_if_empty(name);
        }
    }

    fn forget_if_empty(&mut self, name: &LowerName) {
        if self.hosts.get(name).is_some_and(|host| *host == Host::default()) {
            self.hosts.remove(name);
        }
    }
}

/// The name a host's text stands for: lower case, and absolute whether or not it ends in a dot.
pub(crate) fn name(host: &str) -> Result<LowerName, ZoneError> {
    if host.is_empty() {
        return Err(ZoneError::NotAName);
    }
    let mut name = Name::from_ascii(host).map_err(|_| ZoneError::NotAName)?;
    name.set_fqdn(true);
    Ok(LowerName::from(name))
}

fn txt(value: &str) -> Result<RData, ZoneError> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(ZoneError::TooLong);
    }
    let mut strings: Vec<&[u8]> = value.as_bytes().chunks(MAX_CHARACTER_STRING).collect();
    if strings.is_empty() {
        // RFC 1035 §3.3.14: one or more character-strings, so nothing is one empty string.
        strings.push(&[]);
    }
    Ok(RData::TXT(TXT::from_bytes(strings)))
}

fn caa(policy: &CaaPolicy) -> Result<RData, ZoneError> {
    if policy.value.len() > MAX_VALUE_BYTES {
        return Err(ZoneError::TooLong);
    }
    let tag_fits = (1..=MAX_CHARACTER_STRING).contains(&policy.tag.len());
    if !tag_fits || !policy.tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(ZoneError::NotATag);
    }
    // hickory constructs well-formed properties only; ours may be broken on purpose.
    let mut caa = CAA::new_issue(false, None, Vec::new());
    caa.tag.clone_from(&policy.tag);
    caa.value = policy.value.as_bytes().to_vec();
    Ok(RData::CAA(caa))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_with_and_without_its_dot_and_in_any_case() {
        assert_eq!(name("_ACME-challenge.Example.test"), name("_acme-challenge.example.test."));
    }

    #[test]
    fn what_cannot_be_asked_for_is_not_a_name() {
        let long_label = format!("{}.test", "a".repeat(64));
        let long_name = "a.".repeat(128);
        for host in ["", "a..test", "ünicode.test", "two words.test", &long_label, &long_name] {
            assert_eq!(name(host), Err(ZoneError::NotAName), "{host}");
        }
    }

    #[test]
    fn a_full_zone_takes_no_more_and_what_is_cleared_makes_room() {
        let zone = Zone::new();
        let addresses = vec![Ipv4Addr::LOCALHOST; MAX_RECORDS - 1];
        zone.add_a("many.test", &addresses).unwrap();
        zone.set_cname("alias.test", "many.test").unwrap();

        assert_eq!(zone.add_txt("txt.test", "v"), Err(ZoneError::Full));
        assert_eq!(zone.set_servfail("servfail.test"), Err(ZoneError::Full));
        assert_eq!(zone.add_aaaa("six.test", &[Ipv6Addr::LOCALHOST]), Err(ZoneError::Full));

        zone.clear_cname("alias.test");
        zone.clear_cname("alias.test");
        zone.add_txt("txt.test", "v").unwrap();
        assert_eq!(zone.add_txt("txt.test", "w"), Err(ZoneError::Full));

        zone.clear_a("many.test");
        zone.add_a("many.test", &addresses).unwrap();
    }

    #[test]
    fn setting_the_same_mark_twice_counts_once() {
        let zone = Zone::new();
        for _ in 0..3 {
            zone.set_servfail("a.test").unwrap();
            zone.set_cname("b.test", "c.test").unwrap();
        }
        assert_eq!(zone.read().count, 2);
    }

    #[test]
    fn a_host_without_records_is_forgotten() {
        let zone = Zone::new();
        zone.add_txt("a.test", "v").unwrap();
        zone.add_a("a.test", &[]).unwrap();
        zone.add_caa("b.test", &[]).unwrap();
        assert_eq!(zone.read().hosts.len(), 1);
        zone.clear_txt("a.test");
        assert!(zone.read().hosts.is_empty());
        assert_eq!(zone.read().count, 0);
    }

    #[test]
    fn a_value_that_is_too_long_is_refused() {
        let zone = Zone::new();
        let value = "v".repeat(MAX_VALUE_BYTES + 1);
        assert_eq!(zone.add_txt("a.test", &value), Err(ZoneError::TooLong));
        let policy = CaaPolicy { tag: "issue".to_owned(), value };
        assert_eq!(zone.add_caa("a.test", &[policy]), Err(ZoneError::TooLong));
    }

    #[test]
    fn a_caa_tag_is_letters_and_digits() {
        let zone = Zone::new();
        for tag in ["", "is-sue", "isśue", &"a".repeat(256)] {
            let policy = CaaPolicy { tag: tag.to_owned(), value: String::new() };
            assert_eq!(zone.add_caa("a.test", &[policy]), Err(ZoneError::NotATag), "{tag}");
        }
    }
}
