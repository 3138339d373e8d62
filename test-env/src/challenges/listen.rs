//! One port on both loopback addresses, as a host with IPv4 and IPv6 has it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// Listeners on 127.0.0.1 and, where the machine has IPv6, on ::1.
pub(super) async fn loopback(port: u16) -> io::Result<Vec<TcpListener>> {
    let ipv4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Ok(ipv6) => Ok(vec![ipv4, ipv6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok(vec![ipv4]),
    }
}
