//! One call to a service elsewhere: what all clients here do alike.

use cairn_core::Result;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use http_body_util::BodyExt;
use prost::Message;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::{Body as HttpBody, Bytes, Context, Poll, StdError};
use tonic::{Request, Response};
use tonic_prost::ProstCodec;

use crate::calls::MAX_MESSAGE;
use crate::status;

/// What carries calls: the transport's channel, or in tests a service itself.
pub trait Carrier:
    GrpcService<
        Body,
        ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
        Future: Send + 'static,
        Error: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Carrier for T where
    T: GrpcService<
            Body,
            ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
            Future: Send + 'static,
            Error: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A client of one service.
#[derive(Clone, Debug)]
pub(crate) struct Client<T>(Plain<T>);

impl<T: Carrier> Client<T> {
    pub(crate) const fn new(carrier: T) -> Self {
        Self(Plain(carrier))
    }

    /// Calls the method at `path` and gives its answer.
    pub(crate) async fn call<Q, A>(&self, path: &'static str, request: Q) -> Result<A>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        // Each call has a carrier of its own: being ready belongs to one call.
        let mut grpc = Grpc::new(self.0.clone())
            .max_encoding_message_size(MAX_MESSAGE)
            .max_decoding_message_size(MAX_MESSAGE);
        grpc.ready().await.map_err(|cause| status::not_reached(cause.into()))?;
        let path = PathAndQuery::from_static(path);
        let answer = grpc.unary(Request::new(request), path, ProstCodec::default()).await;
        answer.map(Response::into_inner).map_err(status::into_error)
    }
}

/// A carrier whose answers come without the metadata `grpc-status-details-bin`. None of ours sends them, and tonic panics over a value
/// that is not base64.
#[derive(Clone, Debug)]
struct Plain<T>(T);

impl<T: Carrier> GrpcService<Body> for Plain<T> {
    type ResponseBody = Body;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<HttpResponse<Body>, T::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let answer = self.0.call(request);
        async {
            let mut answer = answer.await?;
            drop_details(answer.headers_mut());
            Ok(answer.map(|body| {
                Body::new(body.map_frame(|mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        drop_details(trailers);
                    }
                    frame
                }))
            }))
        }
        .boxed()
    }
}

fn drop_details(headers: &mut HeaderMap) {
    headers.remove("grpc-status-details-bin");
}
