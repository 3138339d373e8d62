//! The header by which a proxy that forwards TCP says who its client is: the PROXY protocol of HAProxy, versions 1 and 2
//! (`doc/proxy-protocol.txt` in its sources, section 2).
//!
//! Strict, because it decides which address the log and the limits see: what is not exactly a header ends the connection. Not one
//! octet behind the header is read, since TLS begins there. The extensions (TLVs) of version 2 are skipped.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What both versions have at least.
const SHORTEST: usize = 12;
/// What a header of version 2 begins with.
const SIGNATURE: [u8; SHORTEST] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included: the specification's worst case.
const LONGEST_LINE: usize = 107;
/// The most octets that may follow the fixed part of version 2. Addresses have 216 at most; the extensions of load balancers that are
/// known (a certificate's name, an id of the endpoint) some hundreds.
const LONGEST_REST: usize = 2048;

/// Why a connection has no header that can be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// It ended without a word, as the health checks of proxies do.
    #[error("the connection ended before a PROXY header")]
    Silent,
    /// It ended within the header.
    #[error("the connection ended within the PROXY header: {0}")]
    Io(#[from] io::Error),
    /// Something else than a header.
    #[error("no PROXY header: {0}")]
    Malformed(&'static str),
}

/// Reads the header. `None`: the proxy speaks for itself, or cannot say for whom; the connection's own address is the one to use.
pub(crate) async fn client(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, ProxyError> {
    let mut start = [0; SHORTEST];
    let (first, rest) = start.split_at_mut(1);
    if stream.read(first).await? == 0 {
        return Err(ProxyError::Silent);
    }
    stream.read_exact(rest).await?;
    if start == SIGNATURE { version_2(stream).await } else { version_1(&start, stream).await }
}

async fn version_1(
    start: &[u8],
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyError> {
    if !start.starts_with(b"PROXY ") {
        return Err(ProxyError::Malformed("it begins with neither of the two versions"));
    }
    let mut line = start.to_vec();
    // Octet by octet, not to read further than the line: fewer than a hundred, once for each connection.
    while line.last() != Some(&b'\n') {
        if line.len() == LONGEST_LINE {
            return Err(ProxyError::Malformed("its line does not end"));
        }
        line.push(stream.read_u8().await?);
    }
    parse_line(&line).map_err(ProxyError::Malformed)
}

/// A line of version 1, its end included.
fn parse_line(line: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    let line = line.strip_suffix(b"\r\n").ok_or("its line does not end with CR LF")?;
    if line == b"PROXY UNKNOWN" || line.starts_with(b"PROXY UNKNOWN ") {
        return Ok(None);
    }
    let line = str::from_utf8(line).map_err(|_| "its line is not ASCII")?;
    let parts: Vec<&str> = line.split(' ').collect();
    let ["PROXY", family, source, destination, source_port, destination_port] = parts[..] else {
        return Err("its line does not have six parts");
    };
    let (source, _) = match family {
        "TCP4" => addresses::<Ipv4Addr>(source, destination)?,
        "TCP6" => addresses::<Ipv6Addr>(source, destination)?,
        _ => return Err("its protocol is none of TCP4, TCP6 and UNKNOWN"),
    };
    let (source_port, _) = (port(source_port)?, port(destination_port)?);
    Ok(Some(SocketAddr::new(source, source_port)))
}

fn addresses<A: FromStr + Into<IpAddr>>(
    source: &str,
    destination: &str,
) -> Result<(IpAddr, IpAddr), &'static str> {
    let parse = |text: &str| text.parse::<A>().map(Into::into).map_err(|_| "an address is not of its family");
    Ok((parse(source)?, parse(destination)?))
}

fn port(text: &str) -> Result<u16, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or("a port is no number from 0 to 65535")
}

async fn version_2(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, ProxyError> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let [command, family, length @ ..] = fixed;
    let length = usize::from(u16::from_be_bytes(length));
    if length > LONGEST_REST {
        return Err(ProxyError::Malformed("it is too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    parse_addresses(command, family, &rest).map_err(ProxyError::Malformed)
}

/// What follows the signature of version 2; `rest` is as long as the header says.
fn parse_addresses(command: u8, family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    match command {
        // LOCAL: the proxy itself, whatever else stands there.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err("its version is not 2, or its command unknown"),
    }
    let short = "it is shorter than its addresses";
    match family {
        // TCP over IPv4: two addresses, two ports.
        0x11 => match *rest.first_chunk::<12>().ok_or(short)? {
            [a, b, c, d, _, _, _, _, high, low, _, _] => {
                let address = Ipv4Addr::new(a, b, c, d);
                Ok(Some(SocketAddr::from((address, u16::from_be_bytes([high, low])))))
            }
        },
        // TCP over IPv6, likewise.
        0x21 => {
            let (source, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
            let (_destination, ports) = rest.split_first_chunk::<16>().ok_or(short)?;
            let [high, low, _, _] = *ports.first_chunk::<4>().ok_or(short)?;
            let address = Ipv6Addr::from(*source);
            Ok(Some(SocketAddr::from((address, u16::from_be_bytes([high, low])))))
        }
        // Unspecified, UDP and UNIX sockets: valid, and no address that means anything here.
        0x00..=0x02 | 0x10 | 0x12 | 0x20 | 0x22 | 0x30..=0x32 => Ok(None),
        _ => Err("its family or transport is unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// What is read from a connection on which these octets came, and what is left on it.
    fn read(mut octets: &[u8]) -> (Result<Option<SocketAddr>, ProxyError>, &[u8]) {
        let outcome = {
            let mut reading = pin!(client(&mut octets));
            match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => panic!("a slice never waits"),
            }
        };
        (outcome, octets)
    }

    #[track_caller]
    fn assert_client(octets: &[u8], expected: Option<&str>) {
        let octets = [octets, b"\x16\x03\x01 the rest"].concat();
        let (outcome, rest) = read(&octets);
        assert_eq!(outcome.unwrap(), expected.map(|address| address.parse().unwrap()));
        assert_eq!(rest, b"\x16\x03\x01 the rest");
    }

    #[track_caller]
    fn assert_refused(octets: &[u8]) {
        let octets = [octets, [b'x'; 200].as_slice()].concat();
        let (outcome, _) = read(&octets);
        assert!(
            matches!(outcome, Err(ProxyError::Malformed(_))),
            "{outcome:?} for {}",
            octets.escape_ascii()
        );
    }

    fn v2(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
        [&SIGNATURE, [command, family].as_slice(), &length.to_be_bytes(), rest].concat()
    }

    const V4: [u8; 12] = [192, 168, 0, 1, 192, 168, 0, 11, 0xdc, 0x04, 0x01, 0xbb];

    #[test]
    fn the_examples_of_version_1_are_read() {
        assert_client(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", Some("192.168.0.1:56324"));
        assert_client(
            b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            Some("255.255.255.255:65535"),
        );
        let ffff = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("PROXY TCP6 {ffff} {ffff} 65535 65535\r\n");
        assert_client(longest.as_bytes(), Some(&format!("[{ffff}]:65535")));
        assert_client(b"PROXY TCP6 2001:DB8::1 ::1 0 443\r\n", Some("[2001:db8::1]:0"));
        assert_client(b"PROXY UNKNOWN\r\n", None);
        let worst = format!("PROXY UNKNOWN {ffff} {ffff} 65535 65535\r\n");
        assert_eq!(worst.len(), LONGEST_LINE);
        assert_client(worst.as_bytes(), None);
    }

    #[test]
    fn what_is_not_exactly_version_1_is_refused() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
            "PROXY TCP4 ::1 ::2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 ::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP6 fe80::1%lo ::2 1 2\r\n",
            "PROXY TCP6 1::2::3 ::2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r",
        ] {
            assert_refused(line.as_bytes());
        }
        assert_refused(&[b"PROXY UNKNOWN ".as_slice(), &[b'f'; 92], b"\r\n"].concat());
        assert_refused(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 \xff\r\n");
    }

    #[test]
    fn version_2_is_read_with_its_extensions_skipped() {
        assert_client(&v2(0x21, 0x11, 12, &V4), Some("192.168.0.1:56324"));
        let with_extension = [V4.as_slice(), &[0x04, 0x00, 0x01, 0x00]].concat();
        assert_client(&v2(0x21, 0x11, 16, &with_extension), Some("192.168.0.1:56324"));
        let v6 = [Ipv6Addr::LOCALHOST.octets(), [7; 16]].concat();
        assert_client(&v2(0x21, 0x21, 36, &[v6, vec![0, 80, 1, 187]].concat()), Some("[::1]:80"));
    }

    #[test]
    fn where_the_proxy_speaks_for_itself_or_for_no_address_the_connections_own_counts() {
        assert_client(&v2(0x20, 0x00, 0, &[]), None);
        assert_client(&v2(0x20, 0x11, 12, &V4), None);
        assert_client(&v2(0x20, 0xff, 3, &[1, 2, 3]), None);
        assert_client(&v2(0x21, 0x00, 0, &[]), None);
        assert_client(&v2(0x21, 0x12, 12, &V4), None);
        assert_client(&v2(0x21, 0x31, 216, &[b'/'; 216]), None);
    }

    #[test]
    fn what_is_not_exactly_version_2_is_refused() {
        assert_refused(&v2(0x11, 0x11, 12, &V4));
        assert_refused(&v2(0x22, 0x11, 12, &V4));
        assert_refused(&v2(0x21, 0x13, 12, &V4));
        assert_refused(&v2(0x21, 0x41, 12, &V4));
        assert_refused(&v2(0x21, 0x11, 11, &V4));
        assert_refused(&v2(0x21, 0x21, 35, &[0; 35]));
        assert_refused(&v2(0x21, 0x11, 2049, &[0; 2049]));
        assert_refused(&v2(0x21, 0x11, u16::MAX, &[]));
    }

    #[test]
    fn a_header_that_is_cut_off_is_none_wherever_the_cut_is() {
        for whole in
            [b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".as_slice(), &v2(0x21, 0x11, 12, &V4)]
        {
            for cut in 1..whole.len() {
                let (outcome, _) = read(&whole[..cut]);
                assert!(matches!(outcome, Err(ProxyError::Io(_))), "{outcome:?} at {cut}");
            }
        }
        assert!(matches!(read(b"").0, Err(ProxyError::Silent)));
    }

    proptest::proptest! {
        #[test]
        fn no_octets_panic_and_none_behind_the_longest_header_are_read(octets in hostile()) {
            let (_, rest) = read(&octets);
            assert!(octets.len() - rest.len() <= SHORTEST + 4 + LONGEST_REST);
        }
    }

    fn hostile() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
        use proptest::prelude::*;
        let octets = || prop::collection::vec(any::<u8>(), 0..300);
        let line = "PROXY (TCP4|TCP6|UNKNOWN|\\PC{0,6}) [0-9a-f.: ]{0,100}(\r|\n|\r\n)";
        prop_oneof![
            octets(),
            octets().prop_map(|rest| [SIGNATURE.as_slice(), &rest].concat()),
            (any::<u8>(), any::<u8>(), 0..300u16, octets())
                .prop_map(|(command, family, length, rest)| v2(command, family, length, &rest)),
            line.prop_map(String::into_bytes),
        ]
    }
}
