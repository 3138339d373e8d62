//! The DNS messages themselves: flags, sizes, and what is not a proper question.

use std::net::Ipv4Addr;

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RecordType},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use crate::{
    loud::Loud,
    world::{PATIENCE, World, query},
};

fn decoded(octets: &[u8]) -> Message {
    Message::from_vec(octets).unwrap()
}

fn with_edns(mut message: Message, max_payload: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(max_payload);
    message.set_edns(edns);
    message
}

async fn world_with_thirty_long_values() -> World {
    let world = World::new().await;
    for number in 0..30 {
        world.zone.add_txt("many.test", &format!("{number:0>200}")).unwrap();
    }
    world
}

#[tokio::test]
async fn answers_are_authoritative_and_keep_the_questions_case() {
    let world = World::new().await;
    let question = query("eXaMpLe.TEST.", RecordType::A);
    for answer in [world.udp(&question.to_vec().unwrap()).await, world.tcp(&question.to_vec().unwrap()).await]
    {
        let answer = decoded(&answer);
        assert_eq!(answer.metadata.id, question.metadata.id);
        assert_eq!(answer.metadata.message_type, MessageType::Response);
        assert!(answer.metadata.authoritative);
        assert!(!answer.metadata.truncation);
        assert_eq!(answer.queries[0].name().to_ascii(), "eXaMpLe.TEST.");
        assert_eq!(answer.answers[0].name.to_ascii(), "eXaMpLe.TEST.");
        assert_eq!(answer.answers[0].ttl, 0);
        assert!(answer.edns.is_none(), "no EDNS where none was sent");
    }
}

#[tokio::test]
async fn without_edns_a_udp_answer_is_cut_at_512_octets() {
    let world = world_with_thirty_long_values().await;
    let octets = world.udp(&query("many.test.", RecordType::TXT).to_vec().unwrap()).await;
    assert!(octets.len() <= 512);
    assert!(decoded(&octets).metadata.truncation);
}

#[tokio::test]
async fn with_edns_a_udp_answer_is_cut_at_the_clients_size_or_ours() {
    let world = world_with_thirty_long_values().await;
    for (asked, most) in [(512, 512), (800, 800), (1232, 1232), (u16::MAX, 1232)] {
        let question = with_edns(query("many.test.", RecordType::TXT), asked);
        let octets = world.udp(&question.to_vec().unwrap()).await;
        assert!(octets.len() <= most, "{} octets where {most} were agreed", octets.len());
        assert!(decoded(&octets).metadata.truncation);
    }
}

#[tokio::test]
async fn with_edns_a_udp_answer_may_exceed_512_octets() {
    let world = World::new().await;
    world.zone.add_txt("long.test", &"v".repeat(900)).unwrap();
    let question = with_edns(query("long.test.", RecordType::TXT), 1232);
    let answer = decoded(&world.udp(&question.to_vec().unwrap()).await);
    assert!(!answer.metadata.truncation);
    assert_eq!(answer.answers.len(), 1);
    assert!(answer.edns.is_some());
}

#[tokio::test]
async fn over_tcp_everything_arrives() {
    let world = world_with_thirty_long_values().await;
    let answer = decoded(&world.tcp(&query("many.test.", RecordType::TXT).to_vec().unwrap()).await);
    assert!(!answer.metadata.truncation);
    assert_eq!(answer.answers.len(), 30);
}

#[tokio::test]
async fn what_not_even_tcp_holds_is_truncated() {
    let world = World::new().await;
    let addresses = vec![Ipv4Addr::LOCALHOST; 50_000];
    world.zone.add_a("many.test", &addresses).unwrap();
    let answer = decoded(&world.tcp(&query("many.test.", RecordType::A).to_vec().unwrap()).await);
    assert!(answer.metadata.truncation);
    assert!(answer.answers.len() > 2000);
}

#[tokio::test]
async fn questions_we_do_not_take_are_answered_with_the_reason() {
    let world = World::new().await;

    let mut update = query("a.test.", RecordType::SOA);
    update.metadata.op_code = OpCode::Update;
    let mut chaos = query("version.bind.", RecordType::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    let mut two = query("a.test.", RecordType::A);
    two.add_query(Query::query(Name::from_ascii("b.test.").unwrap(), RecordType::A));
    let none = Message::query();
    let mut later_edns = query("a.test.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_version(1);
    later_edns.set_edns(edns);

    for (message, code) in [
        (update, ResponseCode::NotImp),
        (chaos, ResponseCode::Refused),
        (two, ResponseCode::FormErr),
        (none, ResponseCode::FormErr),
        (later_edns, ResponseCode::BADVERS),
    ] {
        let answer = decoded(&world.udp(&message.to_vec().unwrap()).await);
        // By number: 16 has two names, BADVERS and BADSIG (RFC 6895 §2.3).
        assert_eq!(u16::from(answer.metadata.response_code), u16::from(code));
        assert!(!answer.metadata.authoritative);
        assert!(answer.answers.is_empty());
    }
}

#[tokio::test]
async fn malformed_messages_leave_the_server_standing_and_quiet() {
    let loud = Loud::listen();
    let world = World::new().await;
    let good = with_edns(query("example.test.", RecordType::A), 1232).to_vec().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();

    let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|length| good[..length].to_vec()).collect();
    // Every octet of the header and the question, turned over.
    bad.extend((2..good.len()).map(|at| {
        let mut message = good.clone();
        message[at] ^= 0xff;
        message
    }));
    // A name that is a pointer to itself (RFC 1035 §4.1.4), and counts that promise what does not follow.
    let header = |counts: [u8; 8]| [&[1, 2, 1, 0][..], &counts].concat();
    bad.push([header([0, 1, 0, 0, 0, 0, 0, 0]), vec![0xc0, 12, 0, 1, 0, 1]].concat());
    bad.push([header([0, 1, 0, 0, 0, 0, 0, 0]), vec![0xc0, 0, 0, 0, 0, 0]].concat());
    bad.push(header([0xff; 8]));
    bad.push(vec![0xff; 4096]);
    // An answer must not be answered, or two servers would talk for ever.
    bad.push(decoded(&world.udp(&good).await).to_vec().unwrap());

    for message in &bad {
        socket.send_to(message, world.dns).await.unwrap();
        // One at a time, so that nothing is lost in a full buffer and blame is clear.
        let answer = decoded(&world.udp(&good).await);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        assert_eq!(answer.answers.len(), 1);
    }
    // Over TCP each may end its connection, but not the server.
    for message in &bad {
        let mut stream = TcpStream::connect(world.dns).await.unwrap();
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length, message.as_slice()].concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    }
    assert_eq!(decoded(&world.tcp(&good).await).answers.len(), 1);
    assert_eq!(loud.events(), [""; 0]);
}
