//! From a question to its answer: RFC 1034 §4.3.2 for a zone that holds every name.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::{
    op::{LowerQuery, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType, rdata::CNAME},
};

use crate::zone::{Host, Records, Zone};

/// Tests change the zone between two questions, so nobody may keep an answer.
pub(crate) const TTL: u32 = 0;

/// Aliases followed for one question. Resolvers give up after 8 to 16; what is longer is most likely a loop.
const MAX_ALIASES: usize = 16;

/// Records put into one answer. No message has room for as many (a record is at least 11 octets), so an answer cut
/// short here is still marked as truncated, and a host with all the zone's records does not cost them all for each
/// question.
const MAX_ANSWER_RECORDS: usize = 8192;

/// What to say to a question.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) code: ResponseCode,
    pub(crate) records: Vec<Record>,
    /// No record is of the type asked for: the answer must carry the zone's SOA record (RFC 2308 §2.2).
    pub(crate) no_data: bool,
}

impl Answer {
    fn failed(code: ResponseCode) -> Self {
        Self { code, records: Vec::new(), no_data: false }
    }
}

impl Zone {
    /// Answers a question. Aliases are followed in the same answer (RFC 1034 §3.6.2); one that leads nowhere is
    /// SERVFAIL, as a recursive resolver would say.
    pub(crate) fn answer(&self, question: &LowerQuery) -> Answer {
        if question.query_class() != DNSClass::IN {
            return Answer::failed(ResponseCode::Refused);
        }
        let zone = self.read();
        let wanted = question.query_type();
        let mut records = Vec::new();
        // In the case in which it was asked, so that a client comparing octets recognises its name.
        let mut owner = question.original().name().clone();
        let mut host = zone.hosts.get(question.name());
        while records.len() <= MAX_ALIASES {
            if host.is_some_and(|host| host.servfail) {
                return Answer::failed(ResponseCode::ServFail);
            }
            let alias = host.and_then(|host| host.cname.as_ref());
            let Some(target) = alias.filter(|_| wanted != RecordType::CNAME) else {
                let found = zone.of_type(host, wanted);
                let no_data = found.is_empty();
                records.extend(found.into_iter().map(|data| Record::from_rdata(owner.clone(), TTL, data)));
                return Answer { code: ResponseCode::NoError, records, no_data };
            };
            let next = Name::from(target);
            records.push(Record::from_rdata(owner, TTL, RData::CNAME(CNAME(next.clone()))));
            host = zone.hosts.get(target);
            owner = next;
        }
        Answer::failed(ResponseCode::ServFail)
    }
}

impl Records {
    /// A host's records of one type, or the default.
    fn of_type(&self, host: Option<&Host>, wanted: RecordType) -> Vec<RData> {
        let own = |set: fn(&Host) -> &Vec<RData>| -> Vec<RData> {
            host.map(|host| set(host).iter().take(MAX_ANSWER_RECORDS).cloned().collect()).unwrap_or_default()
        };
        let or_default = |own: Vec<RData>, default: Option<RData>| match own.is_empty() {
            true => default.into_iter().collect(),
            false => own,
        };
        match wanted {
            RecordType::A => or_default(own(|host| &host.a), self.default_ipv4.map(ipv4)),
            RecordType::AAAA => or_default(own(|host| &host.aaaa), self.default_ipv6.map(ipv6)),
            RecordType::TXT => own(|host| &host.txt),
            RecordType::CAA => own(|host| &host.caa),
            RecordType::CNAME => {
                let alias = host.and_then(|host| host.cname.as_ref());
                alias.map(|target| RData::CNAME(CNAME(target.into()))).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

fn ipv4(address: Ipv4Addr) -> RData {
    RData::A(address.into())
}

fn ipv6(address: Ipv6Addr) -> RData {
    RData::AAAA(address.into())
}
