//! Watches an answer to its end, since only there stands how the call went.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

use super::metrics::{Calls, Held};
use super::refusal::GRPC_STATUS;

/// A call that is under way; counted when it is dropped.
pub(super) struct Answer {
    calls: Arc<Calls>,
    path: String,
    began: Instant,
    code: Option<Code>,
    _in_flight: Held,
}

impl Answer {
    pub(super) fn begun(calls: &Arc<Calls>, path: String) -> Self {
        let (calls, in_flight) = (Arc::clone(calls), calls.in_flight());
        Self { calls, path, began: Instant::now(), code: None, _in_flight: in_flight }
    }

    /// The call ends here, without an answer.
    pub(super) fn failed(mut self, status: &Status) {
        self.code = Some(status.code());
    }

    /// The call ends with the body of `response`, and until then `held` is held.
    pub(super) fn watch<B, H>(mut self, response: Response<B>, held: H) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<tonic::codegen::StdError>,
        H: Send + Unpin + 'static,
    {
        self.look(response.headers());
        response.map(|body| Body::new(Watched { body, answer: self, _held: held }))
    }

    fn look(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get(GRPC_STATUS) {
            self.code = Some(Code::from_bytes(code.as_bytes()));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Without a status, somebody has gone away before the end.
        let code = self.code.unwrap_or(Code::Cancelled);
        self.calls.ended(&self.path, code, self.began.elapsed());
    }
}

struct Watched<B, H> {
    body: B,
    answer: Answer,
    _held: H,
}

impl<B: HttpBody<Data = Bytes> + Unpin, H: Unpin> HttpBody for Watched<B, H> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.answer.look(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Service and method of `/package.Service/Method`, as gRPC writes them.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.strip_prefix('/').and_then(|path| path.split_once('/')).unwrap_or((path, ""))
}
