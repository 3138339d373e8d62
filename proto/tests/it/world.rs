//! A client and a server with an HTTP/2 connection in memory between them.

use std::sync::Arc;

use cairn_proto::Servable;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::service_fn;

use crate::fake::Fake;

pub(crate) struct World {
    pub(crate) fake: Arc<Fake>,
    pub(crate) channel: Channel,
    // Ends the server with the test.
    _server: JoinSet<()>,
}

impl World {
    /// `fake` behind all services.
    pub(crate) async fn new(fake: Fake) -> Self {
        let fake = Arc::new(fake);
        let (channel, server) = connect(routes(&fake)).await;
        Self { fake, channel, _server: server }
    }
}

fn routes(fake: &Arc<Fake>) -> Routes {
    Routes::new(cairn_proto::registration_authority_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::listener_certificates_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::validation_authority_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::certificate_authority_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::ocsp_responder_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::policy_authority_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::nonce_owner_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::storage_read_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::storage_authority_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::revocation_store_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::certificate_store_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::pki_read_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::crl_store_server(Arc::<Fake>::clone(fake)))
        .add_service(cairn_proto::administration_server(Arc::<Fake>::clone(fake)))
}

/// A channel to one service.
pub(crate) async fn channel_to(service: impl Servable<Future: Send>) -> (Channel, JoinSet<()>) {
    connect(Routes::new(service)).await
}

async fn connect(routes: Routes) -> (Channel, JoinSet<()>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let mut server = JoinSet::new();
    server.spawn(async move {
        let incoming = tokio_stream(far);
        Server::builder().add_routes(routes).serve_with_incoming(incoming).await.unwrap();
    });
    let mut near = Some(near);
    let connector = service_fn(move |_| {
        let near = near.take();
        async move { near.map(TokioIo::new).ok_or(std::io::Error::other("there is one connection only")) }
    });
    let endpoint = Endpoint::from_static("http://in.memory");
    (endpoint.connect_with_connector(connector).await.unwrap(), server)
}

fn tokio_stream(stream: DuplexStream) -> impl futures_util::Stream<Item = std::io::Result<DuplexStream>> {
    use futures_util::StreamExt;
    // The listener stays open: a server whose incoming connections end, ends.
    futures_util::stream::iter([Ok(stream)]).chain(futures_util::stream::pending())
}
