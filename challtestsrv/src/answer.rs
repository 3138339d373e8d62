//! From a question to its answer: RFC 1034 §4.3.2 for a zone that holds every name.

use hickory_proto::{
    op::{LowerQuery, ResponseCode},
    rr::{DNSClass, LowerName, Name, RData, Record, RecordType, rdata::CNAME},
};

use crate::{
    records::{Host, Records},
    zone::Zone,
};

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
    /// No answer, and the reason.
    pub(crate) fn failed(code: ResponseCode) -> Self {
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
        let mut host = zone.host(question.name());
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
            records.push(Record::from_rdata(owner, TTL, alias_of(target)));
            host = zone.host(target);
            owner = Name::from(target);
        }
        Answer::failed(ResponseCode::ServFail)
    }
}

impl Records {
    /// A host's records of one type, or else the default.
    fn of_type(&self, host: Option<&Host>, wanted: RecordType) -> Vec<RData> {
        let own = host.map_or(&[][..], |host| host.of_type(wanted));
        if !own.is_empty() {
            return own.iter().take(MAX_ANSWER_RECORDS).cloned().collect();
        }
        let only = match wanted {
            RecordType::A => self.default_ipv4.map(|address| RData::A(address.into())),
            RecordType::AAAA => self.default_ipv6.map(|address| RData::AAAA(address.into())),
            RecordType::CNAME => host.and_then(|host| host.cname.as_ref()).map(alias_of),
            _ => None,
        };
        only.into_iter().collect()
    }
}

fn alias_of(target: &LowerName) -> RData {
    RData::CNAME(CNAME(target.into()))
}
