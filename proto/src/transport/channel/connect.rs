//! One attempt to connect: TCP, TLS with the callee's name, HTTP/2.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use h2::client::Builder;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::endpoint::{Sender, chain};
use crate::Role;
use crate::transport::handshake::Refused;
use crate::transport::http2::{gathered, silence};

/// How long all of it may take. Peers are near: within it a packet or two may be lost and sent again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// How often the peer is asked whether it still is there, idle or not, and how long it may take to say so: the two together are the
/// longest that calls are sent to a machine that has vanished.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// What the peer may send before we have read it; no answer of ours ever waits for it.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Calls given up whose answers may still arrive: as many as there can be. An answer to a call that is forgotten would end the
/// connection, and all other calls with it.
const MAX_RESETS: usize = 1024;
/// Bytes of an answer's headers. The largest are trailers with an error's details.
const MAX_HEADERS: u32 = 64 * 1024;
/// The peer's first frame is its SETTINGS; this is room for any.
const FIRST: usize = 1024;

/// Connects to `address`, where `callee` must be. Gives what calls are made by, and what drives the connection to its end, which the caller
/// spawns: that nobody calls any more and all calls are answered, or that it is lost.
///
/// # Errors
/// Says why not, in words for the log.
pub(super) async fn connect(
    address: SocketAddr,
    callee: Role,
    tls: Arc<ClientConfig>,
) -> Result<(Sender, impl Future<Output = Result<(), String>>), String> {
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, secured(address, callee, tls));
    let stream =
        stream.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| text(&error))?;
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADERS)
        .max_concurrent_reset_streams(MAX_RESETS);
    let (sender, mut connection) =
        builder.handshake(gathered(stream)).await.map_err(|error| error.to_string())?;
    let silence = silence(connection.ping_pong(), PING_EVERY, PING_TIMEOUT);
    let driven = async {
        tokio::select! {
            biased;
            result = connection => result.map_err(|error| chain(&error)),
            () = silence => Err("the peer says nothing any more".to_owned()),
        }
    };
    Ok((sender, driven))
}

async fn secured(address: SocketAddr, callee: Role, tls: Arc<ClientConfig>) -> io::Result<Begun> {
    let name = ServerName::try_from(callee.dns_name()).map_err(io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    // Messages are small and complete: waiting for more to send only delays them.
    stream.set_nodelay(true)?;
    let mut stream = TlsConnector::from(tls).connect(name, stream).await?;
    // In TLS 1.3 the client is done before the server has judged its certificate, and the verdict would arrive in the middle of the
    // first calls. A server of ours speaks first (RFC 9113 §3.4), and does so only when it has taken us: wait for that.
    let mut first = BytesMut::with_capacity(FIRST);
    if stream.read_buf(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Begun { first: first.freeze(), stream })
}

fn text(error: &io::Error) -> String {
    match (error.get_ref(), error.kind()) {
        (None, io::ErrorKind::UnexpectedEof) => "the peer closed the connection; its log says why".to_owned(),
        (None, io::ErrorKind::TimedOut) => "no answer in time".to_owned(),
        (None, kind) => kind.to_string(),
        (Some(_), _) => Refused::by(error).text,
    }
}

/// A connection of which the first bytes were read already.
pub(super) struct Begun {
    first: Bytes,
    stream: TlsStream<TcpStream>,
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(self.first.get(..length).unwrap_or_default());
        self.first.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
