//! A service behind its trait as a gRPC service: what all servers here do alike.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use cairn_core::{Error, ErrorKind, Result};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::{Response, Status};

use crate::status;

/// A gRPC service that can be mounted on a listener.
pub trait Servable:
    Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send + 'static>
    + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Servable for T where
    T: Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The implementation of a trait that is served.
pub(crate) struct Served<S: ?Sized>(pub(crate) Arc<S>);

/// Makes the server of a generated service, with our limits.
macro_rules! serve {
    ($server:ty, $implementation:expr) => {
        <$server>::new($crate::server::Served($implementation))
            .max_decoding_message_size($crate::calls::MAX_MESSAGE)
            .max_encoding_message_size($crate::calls::MAX_MESSAGE)
    };
}
pub(crate) use serve;

/// The answer to a call, with its error as a status.
pub(crate) async fn answer<A>(work: impl Future<Output = Result<A>> + Send) -> Result<Response<A>, Status> {
    work.await.map(Response::new).map_err(|error| {
        log(&error);
        status::from_error(&error)
    })
}

/// What is behind an error does not go over the wire: this is the last place that knows it.
pub(crate) fn log(error: &Error) {
    match error.kind {
        ErrorKind::Internal => tracing::error!(%error, "a call failed"),
        ErrorKind::Unavailable => tracing::warn!(%error, "a call was not carried out"),
        _ if error.source.is_some() => tracing::debug!(%error, "a call was refused"),
        _ => {}
    }
}
