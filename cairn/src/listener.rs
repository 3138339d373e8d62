//! Listeners: from a TCP connection to requests on a router, over TLS or without, HTTP/1.1 and HTTP/2.
//!
//! Our own accept loop over hyper-util, since it is the place where strangers are bounded before they have said a word: how many may
//! be connected, how long a handshake or a request's head may take.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use cairn_wfe::ClientAddr;
use futures_util::FutureExt as _;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulConnection;
use ipnet::IpNet;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, warn};

use crate::proxy_protocol::{self, ProxyError};

/// Connections that one listener holds at once; more wait in the kernel's queue. A connection costs some 30 KB with its TLS state.
const MAX_CONNECTIONS: usize = 4096;
/// Connections that wait in the kernel's queue.
const BACKLOG: u32 = 1024;
/// How long a proxy may take to say who its client is: its first packet, which may be lost once.
const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a TLS handshake may take: a slow mobile client needs two seconds, and a silent one must not hold a place.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between requests, and how long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long, at the end, a client may take to say what it was about to say, and then to receive its last answer and close the
/// connection.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes of a request's head: ACME's are a few hundred.
const MAX_HEAD: usize = 16 * 1024;
/// The same for HTTP/2.
const MAX_HEAD_LIST: u32 = 16 * 1024;
/// Streams that one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 64;
/// How long to wait after `accept` failed, which it does when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a pair of ports is tried when both loopback addresses shall get the same free one.
const PORT_ATTEMPTS: usize = 20;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Where one of the server's listeners shall bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Exactly these addresses; failing one of them is an error.
    Addresses(Vec<SocketAddr>),
    /// Both loopback addresses with one port (0: any that is free on both); IPv4 alone where the machine has no IPv6.
    Loopback(u16),
}

impl Bind {
    /// `addresses`, or where there are none, loopback with `port`.
    pub fn or_loopback(addresses: Vec<SocketAddr>, port: u16) -> Self {
        if addresses.is_empty() { Self::Loopback(port) } else { Self::Addresses(addresses) }
    }
}

/// Bound sockets that do not accept yet.
#[derive(Debug)]
pub struct Sockets(Vec<TcpListener>);

impl Sockets {
    /// Binds.
    ///
    /// # Errors
    /// If an address is taken or not this machine's; says which, for what, and what to do.
    pub async fn bind(what: &str, bind: &Bind) -> Result<Self> {
        match bind {
            Bind::Loopback(port) => Self::bind_loopback(*port)
                .await
                .with_context(|| bind_failed(what, &format!("localhost:{port}"))),
            Bind::Addresses(addresses) => {
                let mut sockets = Vec::with_capacity(addresses.len());
                for address in addresses {
                    let socket = listen(*address);
                    sockets.push(socket.with_context(|| bind_failed(what, &address.to_string()))?);
                }
                Ok(Self(sockets))
            }
        }
    }

    async fn bind_loopback(port: u16) -> Result<Self> {
        for _ in 0..PORT_ATTEMPTS {
            let v4 = listen((Ipv4Addr::LOCALHOST, port).into())?;
            match listen((Ipv6Addr::LOCALHOST, v4.local_addr()?.port()).into()) {
                Ok(v6) => return Ok(Self(vec![v4, v6])),
                // The free port that IPv4 got may be taken on IPv6: try another.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && port == 0 => {}
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error.into()),
                // No IPv6 on this machine.
                Err(_) => return Ok(Self(vec![v4])),
            }
        }
        bail!("found no port that is free on both 127.0.0.1 and ::1")
    }

    /// The sockets themselves.
    #[must_use]
    pub fn into_inner(self) -> Vec<TcpListener> {
        self.0
    }

    /// The addresses really bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }
}

/// A socket for exactly this address. That for all of IPv6 would on most systems take all of IPv4 too, and refuse to stand beside another
/// one that does: with each for its own, both can be written.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.is_ipv6() {
        SockRef::from(&socket).set_only_v6(true)?;
    }
    // A server that starts again need not wait for connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bind_failed(what: &str, address: &str) -> String {
    format!("cannot listen on {address} for the {what}; free the address, or choose another one")
}

/// Accepts on bound sockets and serves a router.
#[derive(Clone)]
pub struct Listener {
    /// What answers.
    pub router: Router,
    /// TLS, unless a proxy in front does it.
    pub tls: Option<TlsAcceptor>,
    /// Who begins its connections with a PROXY header, and must; all others speak for themselves.
    pub proxies: Arc<[IpNet]>,
    /// Ends HTTP/1.1 connections with their next answer: a client that comes back may be sent to another process.
    pub leaving: CancellationToken,
    /// Stops accepting and lets connections finish the request they are at.
    pub shutdown: CancellationToken,
    /// Where connections run.
    pub tracker: TaskTracker,
}

impl Listener {
    /// Starts serving.
    pub fn start(self, sockets: Sockets) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let tracker = self.tracker.clone();
        for socket in sockets.0 {
            tracker.spawn(self.clone().accept(socket, Arc::clone(&places)));
        }
    }

    async fn accept(self, socket: TcpListener, places: Arc<Semaphore>) {
        let accepting = async {
            loop {
                // A place first, so that strangers beyond the bound wait in the kernel and not here. The semaphore is never closed.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match socket.accept().await {
                    Ok((stream, peer)) => {
                        self.tracker.spawn(self.clone().connection(stream, peer, place));
                    }
                    Err(error) => {
                        warn!(%error, "accepting a connection failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        self.shutdown.run_until_cancelled(accepting).await;
        // Those who had connected when the end began are still served: closing the socket would reset them. Then that it is closed tells
        // new clients at once that nobody is here.
        while let (Ok(place), Some(Ok((stream, peer)))) =
            (Arc::clone(&places).try_acquire_owned(), socket.accept().now_or_never())
        {
            self.tracker.spawn(self.clone().connection(stream, peer, place));
        }
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr, _place: OwnedSemaphorePermit) {
        // Answers are small and complete: waiting for more to send only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%peer, %error, "connection is gone");
            return;
        }
        let Some((stream, peer)) = self.client(stream, canonical(peer)).await else { return };
        match &self.tls {
            None => self.http(stream, peer).await,
            Some(tls) => {
                let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
                match self.with_farewell(handshake).await {
                    Some(Ok(Ok(stream))) => self.http(stream, peer).await,
                    Some(Ok(Err(error))) => debug!(%peer, %error, "TLS handshake failed"),
                    Some(Err(_)) => debug!(%peer, "TLS handshake took too long"),
                    None => {}
                }
            }
        }
    }

    /// What a client has begun may still end after the shutdown, but only shortly.
    async fn with_farewell<F: Future>(&self, begun: F) -> Option<F::Output> {
        let mut begun = pin!(begun);
        match self.shutdown.run_until_cancelled(begun.as_mut()).await {
            Some(output) => Some(output),
            None => tokio::time::timeout(FAREWELL, begun).await.ok(),
        }
    }

    /// The connection behind its PROXY header, if it has one, and whose it is. `None` ends it.
    async fn client(&self, mut stream: TcpStream, peer: SocketAddr) -> Option<(TcpStream, SocketAddr)> {
        if !self.proxies.iter().any(|proxies| proxies.contains(&peer.ip())) {
            return Some((stream, peer));
        }
        let header = tokio::time::timeout(PROXY_HEADER_TIMEOUT, proxy_protocol::client(&mut stream));
        match self.with_farewell(header).await? {
            Ok(Ok(client)) => return Some((stream, client.map_or(peer, canonical))),
            // A proxy that looks whether somebody is here.
            Ok(Err(error @ ProxyError::Silent)) => debug!(%peer, %error, "connection ended"),
            // Only proxies that the operator named get here: nobody else can fill the log with it.
            Ok(Err(error)) => warn!(
                %peer, %error,
                "refused a connection; let the proxy send the header, or take it out of api.proxy_protocol"
            ),
            Err(_) => warn!(%peer, "refused a connection: its PROXY header did not come in time"),
        }
        None
    }

    async fn http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, peer: SocketAddr) {
        let (requests, http2) = (TaskTracker::new(), AtomicBool::new(false));
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(ClientAddr(peer));
            let version = request.version();
            if version == Version::HTTP_2 {
                http2.store(true, Ordering::Relaxed);
            }
            let answer = self.router.clone().call(request);
            let ends = [self.leaving.clone(), self.shutdown.clone()];
            requests.track_future(async move {
                let mut response = answer.await?;
                if version < Version::HTTP_2 && ends.iter().any(CancellationToken::is_cancelled) {
                    response.headers_mut().insert(CONNECTION, CLOSE);
                }
                Ok::<_, Infallible>(response)
            })
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD_LIST)
            .keep_alive_interval(HEAD_TIMEOUT);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let result = match self.shutdown.run_until_cancelled(connection.as_mut()).await {
            Some(result) => result,
            None => self.farewell(connection, &requests, &http2).await,
        };
        if let Err(error) = result {
            debug!(%peer, %error, "connection ended early");
        }
    }

    /// The end of a connection when the process ends: every request that was sent is answered.
    async fn farewell<C: GracefulConnection>(
        &self,
        mut connection: Pin<&mut C>,
        requests: &TaskTracker,
        http2: &AtomicBool,
    ) -> Result<(), C::Error> {
        // Over HTTP/2, a client is told which of its requests were taken (GOAWAY). Over HTTP/1.1 it is not, and a request may be on its
        // way while the connection seems idle: it is waited for, and its answer ends the connection.
        if !http2.load(Ordering::Relaxed)
            && requests.is_empty()
            && let Ok(result) = tokio::time::timeout(FAREWELL, connection.as_mut()).await
        {
            return result;
        }
        connection.as_mut().graceful_shutdown();
        loop {
            match tokio::time::timeout(FAREWELL, connection.as_mut()).await {
                Ok(result) => return result,
                // Every request was answered; what is left is a client that says nothing more.
                Err(_) if requests.is_empty() => return Ok(()),
                Err(_) => {}
            }
        }
    }
}

/// An IPv4 address as such, also where a socket for both families accepted it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    /// A listener without TLS, its address and itself.
    async fn listening(router: Router) -> (SocketAddr, Listener) {
        listening_behind(&[], router).await
    }

    /// The same, where these networks are proxies'.
    async fn listening_behind(proxies: &[&str], router: Router) -> (SocketAddr, Listener) {
        let sockets = Sockets::bind("test", &Bind::Addresses(vec![SocketAddr::from(([127, 0, 0, 1], 0))]))
            .await
            .unwrap();
        let address = sockets.addresses()[0];
        let (leaving, shutdown) = (CancellationToken::new(), CancellationToken::new());
        let proxies = proxies.iter().map(|network| network.parse().unwrap()).collect();
        let listener =
            Listener { router, tls: None, proxies, leaving, shutdown, tracker: TaskTracker::new() };
        listener.clone().start(sockets);
        (address, listener)
    }

    async fn connected(address: SocketAddr, says: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn all_addresses_of_ipv4_and_all_of_ipv6_can_stand_side_by_side() {
        // A port that is free on one may be taken on the other.
        for _ in 0..PORT_ATTEMPTS {
            let v4 =
                Sockets::bind("test", &Bind::Addresses(vec!["0.0.0.0:0".parse().unwrap()])).await.unwrap();
            let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, v4.addresses()[0].port()));
            if let Ok(v6) = Sockets::bind("test", &Bind::Addresses(vec![v6])).await {
                assert!(v6.addresses()[0].is_ipv6());
                return;
            }
        }
        panic!("no port is free on both");
    }

    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    #[tokio::test]
    async fn clients_that_say_nothing_do_not_delay_the_end() {
        let (address, listener) = listening(Router::new().route("/", get(|| async { "hello" }))).await;
        let _silent = connected(address, "").await;
        let _half_a_head = connected(address, "GET / HT").await;
        let mut idle = connected(address, REQUEST).await;
        idle.read_u8().await.unwrap();

        listener.shutdown.cancel();
        listener.tracker.close();
        // Otherwise they would be waited for until their heads are due.
        tokio::time::timeout(HEAD_TIMEOUT / 2, listener.tracker.wait()).await.unwrap();
    }

    #[tokio::test]
    async fn who_connected_before_the_end_began_may_still_ask() {
        let (address, listener) = listening(Router::new().route("/", get(|| async { "hello" }))).await;
        let mut early = connected(address, "").await;
        listener.shutdown.cancel();
        tokio::task::yield_now().await;
        early.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut answer = String::new();
        early.read_to_string(&mut answer).await.unwrap();
        // And is told that it was the last.
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_that_was_begun_is_answered_after_the_end_began() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            move || async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let (address, listener) = listening(Router::new().route("/", get(slow))).await;
        let mut client = connected(address, REQUEST).await;
        begun.notified().await;
        listener.shutdown.cancel();
        // The time that a client without a request would get must pass, or nothing is shown.
        tokio::time::sleep(FAREWELL * 2).await;
        go_on.notify_one();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    }
    /// Reads one answer on a connection that stays.
    async fn answered(client: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            answer.push(client.read_u8().await.unwrap());
        }
        String::from_utf8(answer).unwrap()
    }

    fn hello() -> Router {
        Router::new().route("/", get(|| async { "hello" }))
    }

    #[tokio::test]
    async fn a_process_that_leaves_serves_on_and_ends_http1_connections_with_their_answers() {
        let (address, listener) = listening(hello()).await;
        let mut old = connected(address, REQUEST).await;
        assert!(!answered(&mut old).await.contains("connection: close"));
        listener.leaving.cancel();
        old.write_all(REQUEST.as_bytes()).await.unwrap();
        for mut client in [old, connected(address, REQUEST).await] {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_request_that_is_under_way_on_an_idle_connection_when_the_end_begins_is_answered() {
        let (address, listener) = listening(hello()).await;
        let mut client = connected(address, REQUEST).await;
        answered(&mut client).await;
        listener.leaving.cancel();
        listener.shutdown.cancel();
        // The runtime has one thread: the server hears of both at the same time.
        assert_eq!(client.try_write(REQUEST.as_bytes()).unwrap(), REQUEST.len());
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    }

    #[tokio::test]
    async fn over_http2_the_end_is_announced_and_what_was_begun_is_answered() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            move || async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let (address, listener) = listening(Router::new().route("/", get(slow))).await;
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
        let (mut sender, connection) = handshake.await.unwrap();
        let client = TaskTracker::new();
        let connection = client.spawn(connection);
        let uri = format!("http://{address}/");
        let request = || Request::get(&uri).body(String::new()).unwrap();
        let answer = sender.send_request(request());
        let answer = client.spawn(answer);
        begun.notified().await;
        listener.leaving.cancel();
        listener.shutdown.cancel();
        listener.tracker.close();
        go_on.notify_one();
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
        // The connection ends in order, and what the client would send now it does not send, so that it can go elsewhere.
        connection.await.unwrap().unwrap();
        assert!(sender.send_request(request()).await.unwrap_err().is_canceled());
        listener.tracker.wait().await;
    }

    /// What a server says that tells its clients who they are.
    async fn who_am_i(proxies: &[&str], says: &str) -> String {
        let name = |Extension(ClientAddr(client)): Extension<ClientAddr>| async move { client.to_string() };
        let (address, _listener) = listening_behind(proxies, Router::new().route("/", get(name))).await;
        let last = REQUEST.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let mut client = connected(address, &format!("{says}{last}")).await;
        let mut answer = String::new();
        // A connection that is refused with something unread is reset.
        let _ = client.read_to_string(&mut answer).await;
        answer
    }

    const HEADER: &str = "PROXY TCP6 2001:db8::7 ::1 4711 443\r\n";

    #[tokio::test]
    async fn behind_a_proxy_the_client_is_whom_its_header_names() {
        let answer = who_am_i(&["192.0.2.0/24", "127.0.0.0/8"], HEADER).await;
        assert!(answer.ends_with("[2001:db8::7]:4711"), "{answer}");
        let mapped = who_am_i(&["127.0.0.1/32"], "PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 443\r\n").await;
        assert!(mapped.ends_with("192.0.2.7:4711"), "{mapped}");
    }

    #[tokio::test]
    async fn a_proxy_that_speaks_for_itself_is_the_client() {
        let answer = who_am_i(&["127.0.0.0/8"], "PROXY UNKNOWN\r\n").await;
        assert!(answer.contains("127.0.0.1:"), "{answer}");
    }

    #[tokio::test]
    async fn a_proxy_without_a_header_is_refused() {
        assert_eq!(who_am_i(&["127.0.0.0/8"], "").await, "");
    }

    #[tokio::test]
    async fn nobody_else_can_name_another_as_the_client() {
        let plain = who_am_i(&["192.0.2.0/24"], "").await;
        assert!(plain.contains("127.0.0.1:"), "{plain}");
        let forged = who_am_i(&["192.0.2.0/24"], HEADER).await;
        assert!(forged.starts_with("HTTP/1.1 400") && !forged.contains("2001:db8"), "{forged}");
    }
}
