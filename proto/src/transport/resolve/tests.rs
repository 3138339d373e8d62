//! Names and what they lead to, by a name server on loopback.

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Record, RecordType};
use tokio::net::UdpSocket;
use tokio_util::task::TaskTracker;

use super::*;

#[test]
fn servers_search_domains_and_ndots_are_read() {
    let conf = ResolvConf::parse(
        "# nameserver 192.0.2.9\ndomain old.test\nnameserver 127.0.0.11\nnameserver 2001:db8::53\nnameserver x\n\
         search a.test b.test\noptions edns0 ndots:0\n",
    );
    assert_eq!(conf.servers, ["127.0.0.11:53", "[2001:db8::53]:53"].map(|server| server.parse().unwrap()));
    assert_eq!(conf.search, ["a.test", "b.test"].map(|name| absolute(name).unwrap()));
    assert_eq!(conf.ndots, 0);
    assert_eq!(ResolvConf::parse("").ndots, 1);
}

fn endpoints(found: &Found) -> Vec<String> {
    found.endpoints.iter().map(SocketAddr::to_string).collect()
}

#[tokio::test]
async fn localhost_and_ip_addresses_need_no_name_server() {
    let addresses = ["localhost:14101", "127.0.0.2:1", "[::1]:2"].map(|address| address.parse().unwrap());
    let found = resolve_by(ResolvConf::parse(""), &addresses).await;
    assert_eq!(found.error, None);
    for endpoint in ["127.0.0.1:14101", "127.0.0.2:1", "[::1]:2"] {
        assert!(endpoints(&found).contains(&endpoint.to_owned()), "{endpoint} of {:?}", found.endpoints);
    }
}

/// What the name server knows.
fn records(name: &str, of: RecordType) -> Option<Vec<RData>> {
    let srv = |target: &str, port| RData::SRV(SRV::new(1, 1, port, absolute(target).unwrap()));
    match (name, of) {
        ("_ra._tcp.cairn.test.", RecordType::SRV) => {
            Some(vec![srv("ra-1.cairn.test", 1), srv("ra-2.cairn.test", 2), srv("gone.cairn.test", 3)])
        }
        ("ra-1.cairn.test.", RecordType::A) => Some(vec![RData::A(A::new(192, 0, 2, 1))]),
        ("ra-2.cairn.test.", RecordType::A) => {
            Some(vec![RData::A(A::new(192, 0, 2, 2)), RData::A(A::new(192, 0, 2, 3))])
        }
        ("ra-1.cairn.test." | "ra-2.cairn.test.", _) => Some(Vec::new()),
        _ => None,
    }
}

/// Answers over UDP; a resolver that asks it and completes names by `cairn.test`.
async fn name_server() -> ResolvConf {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    TaskTracker::new().spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            let found = records(&query.name().to_ascii().to_lowercase(), query.query_type());
            if found.is_none() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            for data in found.into_iter().flatten() {
                answer.add_answer(Record::from_rdata(query.name().clone(), 600, data));
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    ResolvConf { servers: vec![server], search: vec![absolute("cairn.test").unwrap()], ndots: 1 }
}

async fn found(address: &str) -> Found {
    resolve_by(name_server().await, &[address.parse().unwrap()]).await
}

#[tokio::test]
async fn a_host_stands_for_all_its_addresses() {
    assert_eq!(endpoints(&found("ra-2.cairn.test:14101").await), ["192.0.2.2:14101", "192.0.2.3:14101"]);
}

#[tokio::test]
async fn short_names_are_completed_by_the_search_domain() {
    assert_eq!(endpoints(&found("ra-1:14101").await), ["192.0.2.1:14101"]);
}

#[tokio::test]
async fn a_service_stands_for_all_its_hosts_with_their_ports() {
    let found = found("srv:_ra._tcp.cairn.test").await;
    // The host that is gone does not keep the others away.
    assert_eq!(endpoints(&found), ["192.0.2.1:1", "192.0.2.2:2", "192.0.2.3:2"]);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_named_beside_those_that_lead_somewhere() {
    let addresses = ["nobody.cairn.test:1", "srv:_none._tcp.cairn.test", "127.0.0.1:9"];
    let found = resolve_by(name_server().await, &addresses.map(|address| address.parse().unwrap())).await;
    assert_eq!(endpoints(&found), ["127.0.0.1:9"]);
    let error = found.error.unwrap();
    assert!(error.contains("srv:_none._tcp.cairn.test: the name does not exist"), "{error}");
}
