//! The records themselves, and the count of them.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use hickory_proto::rr::{LowerName, RData, RecordType};

use crate::zone::{MAX_RECORDS, ZoneError};

/// What the zone's lock guards.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) default_ipv4: Option<Ipv4Addr>,
    pub(crate) default_ipv6: Option<Ipv6Addr>,
    /// No host here is empty.
    hosts: HashMap<LowerName, Host>,
    /// How many records all hosts have together; an alias and a SERVFAIL mark count as one each.
    count: usize,
}

/// What has been set for one host.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Host {
    a: Vec<RData>,
    aaaa: Vec<RData>,
    txt: Vec<RData>,
    caa: Vec<RData>,
    pub(crate) cname: Option<LowerName>,
    pub(crate) servfail: bool,
}

/// Picks one of a host's record sets.
pub(crate) type Set = fn(&mut Host) -> &mut Vec<RData>;

/// Something a host has at most one of: whether it is there, and how it is taken away.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    is_set: fn(&Host) -> bool,
    unset: fn(&mut Host),
}

impl Host {
    /// The host's CNAME record.
    pub(crate) const ALIAS: Mark =
        Mark { is_set: |host| host.cname.is_some(), unset: |host| host.cname = None };

    /// The order to answer SERVFAIL.
    pub(crate) const SERVFAIL: Mark =
        Mark { is_set: |host| host.servfail, unset: |host| host.servfail = false };

    /// The host's own records of a type that comes in sets.
    pub(crate) fn of_type(&self, wanted: RecordType) -> &[RData] {
        match wanted {
            RecordType::A => &self.a,
            RecordType::AAAA => &self.aaaa,
            RecordType::TXT => &self.txt,
            RecordType::CAA => &self.caa,
            _ => &[],
        }
    }

    pub(crate) fn a(&mut self) -> &mut Vec<RData> {
        &mut self.a
    }

    pub(crate) fn aaaa(&mut self) -> &mut Vec<RData> {
        &mut self.aaaa
    }

    pub(crate) fn txt(&mut self) -> &mut Vec<RData> {
        &mut self.txt
    }

    pub(crate) fn caa(&mut self) -> &mut Vec<RData> {
        &mut self.caa
    }
}

impl Records {
    /// What has been set for a host, if anything has.
    pub(crate) fn host(&self, name: &LowerName) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// Adds all of `records` to a set, or none if they do not all fit.
    pub(crate) fn add(&mut self, name: LowerName, set: Set, records: Vec<RData>) -> Result<(), ZoneError> {
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

    /// Empties a set.
    pub(crate) fn clear(&mut self, name: &LowerName, set: Set) {
        if let Some(host) = self.hosts.get_mut(name) {
            self.count = self.count.saturating_sub(std::mem::take(set(host)).len());
            self.forget_if_empty(name);
        }
    }

    /// Sets a mark by `change`, whether or not it was set before.
    pub(crate) fn set(
        &mut self,
        name: LowerName,
        mark: Mark,
        change: impl FnOnce(&mut Host),
    ) -> Result<(), ZoneError> {
        if !self.hosts.get(&name).is_some_and(mark.is_set) {
            if self.count >= MAX_RECORDS {
                return Err(ZoneError::Full);
            }
            self.count = self.count.saturating_add(1);
        }
        change(self.hosts.entry(name).or_default());
        Ok(())
    }

    /// Takes a mark away, if it is set.
    pub(crate) fn unset(&mut self, name: &LowerName, mark: Mark) {
        if let Some(host) = self.hosts.get_mut(name).filter(|host| (mark.is_set)(host)) {
            (mark.unset)(host);
            self.count = self.count.saturating_sub(1);
            self.forget_if_empty(name);
        }
    }

    fn forget_if_empty(&mut self, name: &LowerName) {
        if self.hosts.get(name).is_some_and(|host| *host == Host::default()) {
            self.hosts.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{CaaPolicy, Zone};

    #[test]
    fn a_full_zone_takes_no_more_and_what_is_cleared_makes_room() {
        let zone = Zone::new();
        let addresses = vec![Ipv4Addr::LOCALHOST; MAX_RECORDS - 1];
        zone.add_a("many.test", &addresses).unwrap();
        zone.set_cname("alias.test", "many.test").unwrap();

        assert_eq!(zone.add_txt("txt.test", "v"), Err(ZoneError::Full));
        assert_eq!(zone.set_servfail("servfail.test"), Err(ZoneError::Full));
        assert_eq!(zone.add_aaaa("six.test", &[Ipv6Addr::LOCALHOST]), Err(ZoneError::Full));
        let policy = CaaPolicy { tag: "issue".to_owned(), value: ";".to_owned() };
        assert_eq!(zone.add_caa("caa.test", &[policy]), Err(ZoneError::Full));
        assert_eq!(zone.set_cname("alias.test", "other.test"), Ok(()), "it replaces the alias there is");

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
        zone.set_servfail("a.test").unwrap();
        zone.add_a("a.test", &[]).unwrap();
        zone.add_caa("b.test", &[]).unwrap();
        assert_eq!(zone.read().hosts.len(), 1);
        zone.clear_txt("a.test");
        zone.clear_servfail("a.test");
        assert!(zone.read().hosts.is_empty());
        assert_eq!(zone.read().count, 0);
    }
}
