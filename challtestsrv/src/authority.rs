//! The DNS messages round an answer: header, EDNS (RFC 6891) and the SOA record of a negative one (RFC 2308).

use async_trait::async_trait;
use hickory_proto::{
    op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode},
    rr::{Name, RData, Record, rdata::SOA},
};
use hickory_server::{
    net::runtime::Time,
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tracing::debug;

use crate::{
    answer::{Answer, TTL},
    zone::Zone,
};

/// Longest UDP message sent, if the client takes as much: what passes every network unfragmented, as real servers do
/// since DNS Flag Day 2020. Longer answers are truncated, and the client asks again over TCP.
const MAX_UDP_PAYLOAD: u16 = 1232;

/// The only version of EDNS there is (RFC 6891 §6.1.3).
const EDNS_VERSION: u8 = 0;

/// The authority for every name: says what its zone holds.
pub(crate) struct Authority {
    zone: Zone,
    /// Goes with every negative answer; made once.
    soa: Record,
}

impl Authority {
    pub(crate) fn new(zone: Zone) -> Self {
        // One zone has all names, so it is the root's. Zero, as the minimum, keeps negative answers out of caches
        // (RFC 2308 §4).
        let soa = SOA::new(Name::root(), Name::root(), 1, 0, 0, 0, TTL);
        Self { zone, soa: Record::from_rdata(Name::root(), TTL, RData::SOA(soa)) }
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.edns.as_ref().is_some_and(|edns| edns.version() > EDNS_VERSION) {
            return Answer::failed(ResponseCode::BADVERS);
        }
        if request.metadata.op_code != OpCode::Query {
            return Answer::failed(ResponseCode::NotImp);
        }
        match request.queries.queries() {
            [question] => self.zone.answer(question),
            // RFC 9619: one question, no more and no less.
            _ => Answer::failed(ResponseCode::FormErr),
        }
    }
}

#[async_trait]
impl RequestHandler for Authority {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut client: R,
    ) -> ResponseInfo {
        let answer = self.answer(request);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = answer.code;
        metadata.authoritative = answer.code == ResponseCode::NoError;
        let edns = request.edns.as_ref().map(response_edns);
        let soa = answer.no_data.then_some(&self.soa);
        let response = MessageResponseBuilder::new(&request.queries, edns.as_ref()).build(
            metadata,
            &answer.records,
            [],
            soa,
            [],
        );
        client.send_response(response).await.unwrap_or_else(|error| {
            debug!(%error, "a DNS answer was not sent");
            ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
        })
    }
}

/// The OPT record that answers a client's (RFC 6891 §6.1.1). hickory-server takes its payload size for the longest
/// message it may send over UDP.
fn response_edns(request: &Edns) -> Edns {
    let mut edns = Edns::new();
    edns.set_version(EDNS_VERSION).set_max_payload(request.max_payload().min(MAX_UDP_PAYLOAD));
    edns
}
