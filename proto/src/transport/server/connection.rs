//! From a TCP connection to calls: bounded, by TLS, over HTTP/2, until the end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection};
use tokio::io::BufWriter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::{Peer, Server, call};
use crate::transport::handshake::Refused;
use crate::transport::http2::{gathered, silence};
use crate::transport::identity::{Certified, certified};
use crate::transport::metrics::{self, Side};

/// Connections that one listener holds at once; more wait in the kernel's queue. Each process of ours makes one for each of its roles.
const MAX_CONNECTIONS: usize = 512;
/// How long TLS may take, and after it the beginning of HTTP/2: peers are near, and whoever says nothing must not hold a place.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Streams that a peer may have open on a connection. All calls of a process share one, so this is as much as a listener works on.
const MAX_STREAMS: u32 = 1024;
/// Calls that a peer may have given up before we have looked at them: all that it can make.
const MAX_RESETS: usize = MAX_STREAMS as usize;
/// Bytes of a call's headers: ours have a few hundred.
const MAX_HEADERS: u32 = 16 * 1024;
/// What a stream, and a connection, may send before we have read it. Messages are a few KB: none ever waits.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// How often a peer that says nothing is asked whether it still is there, and how long it may take to say so. Only then are the places
/// of peers free again whose machine has vanished.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long, at the end, a peer may take to receive its last answer and close the connection.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long to wait after `accept` failed, which it does when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection of a listener shares.
#[derive(Clone)]
pub(super) struct Accepting {
    pub(super) server: Arc<Server>,
    pub(super) shutdown: CancellationToken,
    pub(super) tracker: TaskTracker,
}

impl Accepting {
    pub(super) async fn run(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let accepting = async {
            loop {
                // A place first, so that peers beyond the bound wait in the kernel and not here. The semaphore is never closed.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, address)) => {
                        self.tracker.spawn(self.clone().connection(stream, address, place));
                    }
                    Err(error) => {
                        warn!(%error, "accepting a connection failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        // Dropping the socket at once tells new peers that nobody is here.
        self.shutdown.run_until_cancelled(accepting).await;
        self.server.health.set_serving(false);
    }

    async fn connection(self, stream: TcpStream, address: SocketAddr, _place: OwnedSemaphorePermit) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.handshake(stream));
        let result = match self.shutdown.run_until_cancelled(handshake).await {
            None => return,
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::ErrorKind::TimedOut.into()),
        };
        match result {
            Ok((stream, certified)) => {
                let peer = Peer { role: certified.role, address };
                debug!(peer.address = %address, peer.role = %peer.role, "connected");
                self.http(stream, peer, certified).await;
            }
            Err(error) => self.refused(address, &error),
        }
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Certified)> {
        // Messages are small and complete: waiting for more to send only delays them.
        stream.set_nodelay(true)?;
        let stream = TlsAcceptor::from(self.server.identity.server()).accept(stream).await?;
        let (_, tls) = stream.get_ref();
        // TLS has wanted it and judged it: neither fails.
        let leaf = tls.peer_certificates().and_then(|chain| chain.first());
        let certified = leaf.ok_or(io::ErrorKind::InvalidData).map(certified)?.map_err(io::Error::other)?;
        Ok((stream, certified))
    }

    fn refused(&self, address: SocketAddr, error: &io::Error) {
        let role = self.server.identity.role();
        let refused = Refused::by(error);
        metrics::handshake_refused(role, refused.reason);
        if refused.is_a_look() {
            debug!(peer.address = %address, %role, "{}", refused.text);
        } else if self.server.said.may_say((address.ip(), refused.reason, None)) {
            warn!(peer.address = %address, %role, reason = refused.reason, "refused a connection: {}", refused.text);
        }
    }

    async fn http(&self, stream: TlsStream<TcpStream>, peer: Peer, certified: Certified) {
        let _held = metrics::connection(Side::Server, self.server.identity.role());
        let mut builder = Builder::new();
        builder
            .max_concurrent_streams(MAX_STREAMS)
            // A peer whose own clients went away all at once is no attacker: its connection, with everyone else's calls, must last.
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_header_list_size(MAX_HEADERS)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let begun = tokio::time::timeout(HANDSHAKE_TIMEOUT, builder.handshake(gathered(stream)));
        let caller = call::Caller { peer, until: certified.ends };
        let result = match self.shutdown.run_until_cancelled(begun).await {
            Some(Ok(Ok(connection))) => self.calls(connection, caller).await,
            Some(Ok(Err(error))) => Err(error),
            // The process ends, or the peer shows its certificate and then says nothing.
            None | Some(Err(_)) => return,
        };
        if let Err(error) = result {
            debug!(peer.address = %peer.address, peer.role = %peer.role, %error, "connection ended early");
        }
    }

    /// Answers the calls that come in, each in a task of its own, until the peer has gone or the process ends.
    async fn calls(
        &self,
        mut connection: Connection<BufWriter<TlsStream<TcpStream>>, Bytes>,
        caller: call::Caller,
    ) -> Result<(), h2::Error> {
        let calls = TaskTracker::new();
        let mut silence = pin!(silence(connection.ping_pong(), PING_EVERY, PING_TIMEOUT));
        let mut stopping = pin!(self.shutdown.cancelled());
        let mut farewell: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = stopping.as_mut(), if farewell.is_none() => {
                    connection.graceful_shutdown();
                    farewell = Some(Instant::now() + FAREWELL);
                }
                accepted = connection.accept() => match accepted {
                    Some(Ok((request, respond))) => {
                        let call = call::call(Arc::clone(&self.server), caller, request, respond);
                        self.tracker.spawn(calls.track_future(call));
                    }
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                () = silence.as_mut() => return Ok(()),
                () = sleep_until(farewell.unwrap_or_else(Instant::now)), if farewell.is_some() => {
                    // Every call was answered; what is left is a peer that says nothing more.
                    if calls.is_empty() {
                        return Ok(());
                    }
                    farewell = Some(Instant::now() + FAREWELL);
                }
            }
        }
    }
}
