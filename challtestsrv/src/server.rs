//! The DNS server's sockets: UDP and TCP on one port (RFC 1035 §4.2, RFC 7766), from bind to shutdown.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

use hickory_server::Server;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::{authority::Authority, zone::Zone};

/// Tries to find a port that is free for TCP and UDP alike. One is nearly always enough: few ports are taken.
const BIND_ATTEMPTS: usize = 16;

/// A TCP connection without a whole question for so long is closed. RFC 7766 §6.2.3 wants a few seconds.
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Answers waiting to be sent on one TCP connection; it is read from again once they are.
const TCP_RESPONSES_QUEUED: usize = 32;

/// A DNS server that answers from a [`Zone`], over UDP and TCP on the same port.
#[derive(Debug)]
pub struct DnsServer {
    zone: Zone,
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
}

impl DnsServer {
    /// Takes the address for UDP and TCP. With port 0, takes some port that is free for both.
    ///
    /// From here on questions are accepted, but answered only once the server [runs](Self::run).
    pub async fn bind(address: SocketAddr, zone: Zone) -> io::Result<Self> {
        let mut attempts_left = if address.port() == 0 { BIND_ATTEMPTS } else { 1 };
        loop {
            attempts_left -= 1;
            match bind_both(address).await {
                Ok((udp, tcp, address)) => return Ok(Self { zone, udp, tcp, address }),
                Err(error) if error.kind() == ErrorKind::AddrInUse && attempts_left > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where the server is asked: the port is the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`; then closes the sockets and returns. Dropping the future closes them too.
    pub async fn run(self, shutdown: CancellationToken) -> io::Result<()> {
        let mut server = Server::new(Authority::new(self.zone));
        server.register_socket(self.udp);
        server.register_listener(self.tcp, TCP_IDLE, TCP_RESPONSES_QUEUED);
        tokio::select! {
            ended = server.block_until_done() => ended.map_err(io::Error::other),
            () = shutdown.cancelled() => server.shutdown_gracefully().await.map_err(io::Error::other),
        }
    }
}

async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let tcp = TcpListener::bind(address).await?;
    let address = tcp.local_addr()?;
    let udp = UdpSocket::bind(address).await?;
    Ok((udp, tcp, address))
}
