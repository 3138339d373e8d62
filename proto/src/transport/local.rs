//! Calls over a Unix socket, for an operator on the machine where everything runs in one process. The file's mode says who may
//! connect, and the kernel who did: there is no TLS, and nothing to set up.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self as client, SendRequest};
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower::Service;
use tracing::{debug, warn};

use super::spawn::Spawn;
use crate::server::Servable;

/// Connections at once: some operators and their scripts. More wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 16;
/// How long to wait after `accept` failed, which it does when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a caller waits for an answer. An operator's call reads or changes a row or two.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Who called: in the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalPeer {
    /// The user, as the kernel knows it.
    pub user: u32,
}

/// Serves on `listener` until `shutdown`, then lets the calls that were begun finish. All of it runs on `tracker`.
pub fn serve_locally(
    listener: UnixListener,
    service: impl Servable,
    shutdown: CancellationToken,
    tracker: &TaskTracker,
) {
    let connections = tracker.clone();
    tracker.spawn(async move {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let accepting = async {
            loop {
                // The semaphore is never closed.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let end = shutdown.clone();
                        let connection = connection(stream, service.clone(), end, connections.clone(), place);
                        connections.spawn(connection);
                    }
                    Err(error) => {
                        warn!(%error, "accepting an operator's connection failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(accepting).await;
    });
}

async fn connection(
    stream: UnixStream,
    service: impl Servable,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    _place: OwnedSemaphorePermit,
) {
    let user = match stream.peer_cred() {
        Ok(credentials) => credentials.uid(),
        Err(error) => {
            warn!(%error, "the kernel does not say who connected");
            return;
        }
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(LocalPeer { user });
        service.clone().call(request)
    });
    let mut connection =
        pin!(server::Builder::new(Spawn(tracker)).serve_connection(TokioIo::new(stream), service));
    let result = match shutdown.run_until_cancelled(connection.as_mut()).await {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        debug!(%error, "an operator's connection ended early");
    }
}

/// A connection to the server behind a socket.
#[derive(Clone, Debug)]
pub struct LocalChannel {
    sender: SendRequest<Body>,
}

impl LocalChannel {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there, or the file lets nobody in.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        let tracker = TaskTracker::new();
        let builder = client::Builder::new(Spawn(tracker.clone()));
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // Ends with the last clone of the sender.
        tracker.spawn(connection);
        Ok(Self { sender })
    }
}

impl Service<Request<Body>> for LocalChannel {
    type Response = Response<Incoming>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sender.poll_ready(context).map_err(io::Error::other)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut sender = self.sender.clone();
        Box::pin(async move {
            let answer = sender.send_request(addressed(request)?);
            let answer = tokio::time::timeout(CALL_LIMIT, answer).await;
            answer.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)
        })
    }
}

/// HTTP/2 wants an address, and nobody looks at this one.
fn addressed(request: Request<Body>) -> io::Result<Request<Body>> {
    let (mut head, body) = request.into_parts();
    let mut uri = head.uri.into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(Authority::from_static("localhost"));
    head.uri = Uri::from_parts(uri).map_err(io::Error::other)?;
    Ok(Request::from_parts(head, body))
}
