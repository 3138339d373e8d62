//! What both sides do alike with HTTP/2 (RFC 9113): bytes that go out together, peers that are asked whether they still are there,
//! and what arrives on a stream.
//!
//! On h2 itself rather than on hyper, which spawns a task for each call on either side and hands requests and answers from task to task.
//! Here a call is driven by the task that makes it or answers it (docs/PERFORMANCE.md).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Ping, PingPong, Reason, RecvStream};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::time::{sleep, timeout};
use tonic::body::Body;

/// What is gathered before it is encrypted and sent. A call or an answer with its headers, and often several of them, fit into it; what
/// is larger goes out in pieces of this size, which is also that of a TLS record.
const GATHERED: usize = 16 * 1024;

/// `stream`, to which frames that are ready at the same time go in one TLS record and one packet.
pub(super) fn gathered<S: AsyncRead + AsyncWrite>(stream: S) -> BufWriter<S> {
    BufWriter::with_capacity(GATHERED, stream)
}

/// Asks the peer `every` so often whether it still is there. Ends when it has not said so within `patience`: the connection is lost.
pub(super) async fn silence(pings: Option<PingPong>, every: Duration, patience: Duration) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        sleep(every).await;
        match timeout(patience, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection is at its end, which it says itself.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return,
        }
    }
}

/// Sends `response` on its stream.
///
/// # Errors
/// If the peer has given the call up, or is gone.
pub(super) async fn send(response: Response<Body>, mut stream: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let (head, mut body) = response.into_parts();
    let head = Response::from_parts(head, ());
    if body.is_end_stream() {
        stream.send_response(head, true)?;
        return Ok(());
    }
    // All of an answer is there when its head is, and goes out together with it.
    let mut stream = stream.send_response(head, false)?;
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => stream.send_data(data, false)?,
            Ok(Err(frame)) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return stream.send_trailers(trailers);
                }
            }
            Err(_) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
        }
    }
    stream.send_data(Bytes::new(), true)
}

/// What a peer sends on a stream: a message, and at the end of an answer how the call went.
pub(super) struct Received {
    stream: RecvStream,
    has_all_data: bool,
}

impl Received {
    pub(super) const fn new(stream: RecvStream) -> Self {
        Self { stream, has_all_data: false }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.has_all_data {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // It is read: the peer may send as much again.
                    self.stream.flow_control().release_capacity(data.len())?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.has_all_data = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context)).transpose();
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
