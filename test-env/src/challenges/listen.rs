//! One port on both loopback addresses, as a host with IPv4 and IPv6 has it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// How many ports are tried: one that is free on 127.0.0.1 is nearly always free on ::1 too.
const ATTEMPTS: usize = 32;

/// Listeners on 127.0.0.1 and, where the machine has IPv6, on ::1, with the same port.
pub(super) async fn loopback() -> io::Result<(u16, Vec<TcpListener>)> {
    let mut attempt = 1;
    loop {
        let ipv4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let port = ipv4.local_addr()?.port();
        match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
            Ok(ipv6) => return Ok((port, vec![ipv4, ipv6])),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempt < ATTEMPTS => attempt += 1,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => return Ok((port, vec![ipv4])),
        }
    }
}
