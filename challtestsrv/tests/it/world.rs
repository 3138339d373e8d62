//! A DNS server on a free port, and clients to ask it.

use std::{net::SocketAddr, time::Duration};

use challtestsrv::{DnsServer, Zone};
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Far longer than any answer takes; it only ends a test that has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) zone: Zone,
    pub(crate) dns: SocketAddr,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    pub(crate) async fn new() -> Self {
        let zone = Zone::new();
        let server = DnsServer::bind(SocketAddr::from(([127, 0, 0, 1], 0)), zone.clone()).await.unwrap();
        let dns = server.local_addr();
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let run = server.run(shutdown.clone());
        tasks.spawn(async move { run.await.unwrap() });
        tasks.close();
        Self { zone, dns, shutdown, tasks }
    }

    /// One that another process serves.
    pub(crate) fn elsewhere(dns: SocketAddr) -> Self {
        let tasks = TaskTracker::new();
        tasks.close();
        Self { zone: Zone::new(), dns, shutdown: CancellationToken::new(), tasks }
    }

    /// Shuts the server down and waits for its end.
    pub(crate) async fn end(self) -> SocketAddr {
        self.shutdown.cancel();
        timeout(PATIENCE, self.tasks.wait()).await.unwrap();
        self.dns
    }

    /// As cairn's own resolver is set up: UDP, then TCP, names in random case.
    pub(crate) fn resolver(&self) -> TokioResolver {
        self.resolver_over(vec![ConnectionConfig::udp(), ConnectionConfig::tcp()])
    }

    pub(crate) fn resolver_over(&self, mut connections: Vec<ConnectionConfig>) -> TokioResolver {
        for connection in &mut connections {
            connection.port = self.dns.port();
        }
        let server = NameServerConfig::new(self.dns.ip(), true, connections);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.case_randomization = true;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = PATIENCE;
        builder.build().unwrap()
    }

    /// One message over UDP, and the answer's octets.
    pub(crate) async fn udp(&self, message: &[u8]) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(message, self.dns).await.unwrap();
        let mut buffer = vec![0; usize::from(u16::MAX)];
        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
        buffer.truncate(length);
        buffer
    }

    /// One message over TCP, and the answer's octets.
    pub(crate) async fn tcp(&self, message: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.dns).await.unwrap();
        stream.write_u16(message.len().try_into().unwrap()).await.unwrap();
        stream.write_all(message).await.unwrap();
        let exchange = async {
            let length = stream.read_u16().await?;
            let mut answer = vec![0; usize::from(length)];
            stream.read_exact(&mut answer).await.map(|_| answer)
        };
        timeout(PATIENCE, exchange).await.unwrap().unwrap()
    }
}

/// The data of a name's records of one type, as the resolver finds them; nothing if it is told there are none.
pub(crate) async fn lookup(resolver: &TokioResolver, name: &str, wanted: RecordType) -> Vec<RData> {
    match resolver.lookup(name, wanted).await {
        Ok(found) => {
            let records = found.answers().iter();
            records
                .filter(|record| record.record_type() == wanted)
                .map(|record| record.data.clone())
                .collect()
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            assert_eq!(none.response_code, ResponseCode::NoError);
            assert!(none.soa.is_some(), "a negative answer carries the SOA record");
            Vec::new()
        }
        Err(error) => panic!("{name} {wanted}: {error}"),
    }
}

/// The values of a name's TXT records, character-strings joined.
pub(crate) async fn texts(resolver: &TokioResolver, name: &str) -> Vec<String> {
    let joined = |data: &RData| match data {
        RData::TXT(txt) => String::from_utf8(txt.txt_data.concat()).unwrap(),
        other => panic!("{other:?} is no TXT record"),
    };
    lookup(resolver, name, RecordType::TXT).await.iter().map(joined).collect()
}

/// The addresses of a name.
pub(crate) async fn addresses(resolver: &TokioResolver, name: &str, wanted: RecordType) -> Vec<String> {
    lookup(resolver, name, wanted).await.iter().map(ToString::to_string).collect()
}

/// A query for one name, without EDNS.
pub(crate) fn query(name: &str, wanted: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 4711;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), wanted));
    message
}
