//! A DNS server over UDP that answers as a test says, for answers that a well-behaved one does not give.

use std::net::SocketAddr;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use crate::world::{LOOPBACK, World};

/// Answers every question with `answer`'s code and TXT records, each a list of character-strings.
pub(crate) async fn serve(world: &World, code: ResponseCode, texts: Vec<Vec<String>>) -> SocketAddr {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    world.spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let mut message = Message::from_vec(&buffer[..length]).unwrap();
            message.metadata.message_type = MessageType::Response;
            message.metadata.response_code = code;
            let name = message.queries[0].name().clone();
            for strings in &texts {
                let data = RData::TXT(TXT::new(strings.clone()));
                message.answers.push(Record::from_rdata(name.clone(), 60, data));
            }
            socket.send_to(&message.to_vec().unwrap(), client).await.unwrap();
        }
    });
    address
}
