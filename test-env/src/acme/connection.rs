//! One connection, kept alive: hyper over TLS, or over plain TCP for the management API of the fake DNS.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::problem::{Error, Problem, Result};

/// How long an answer may take: far longer than any does, so that it ends only what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer: a chain of certificates for a hundred names has some ten kilobytes.
const MAX_BODY: usize = 1024 * 1024;

/// Where a server is, and by which root it is known.
#[derive(Debug)]
pub struct Endpoint {
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<Tls>,
}

#[derive(Debug)]
struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Endpoint {
    /// The server of a URL; its path does not matter. `roots` are certificates in PEM, needed for `https`.
    ///
    /// # Errors
    /// If the URL or the roots cannot be used.
    pub fn new(url: &str, roots: &str) -> Result<Self> {
        Self::by_clock(url, roots, Arc::new(DefaultTimeProvider))
    }

    /// The same, by another clock than this machine's.
    ///
    /// # Errors
    /// As [`Endpoint::new`].
    pub fn by_clock(url: &str, roots: &str, clock: Arc<dyn TimeProvider>) -> Result<Self> {
        let uri: Uri = url.parse().map_err(Error::nonsense)?;
        let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
            return Err(Error::nonsense(format!("{url} names no server")));
        };
        let authority = HeaderValue::try_from(authority.as_str()).map_err(Error::nonsense)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = secure.then(|| Tls::new(&host, roots, clock)).transpose()?;
        Ok(Self { host, port, authority, tls })
    }
}

impl Tls {
    fn new(host: &str, roots: &str, clock: Arc<dyn TimeProvider>) -> Result<Self> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(root.map_err(Error::nonsense)?).map_err(Error::nonsense)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_details(provider, clock)
            .with_safe_default_protocol_versions()
            .map_err(Error::nonsense)?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(host.to_owned()).map_err(Error::nonsense)?;
        Ok(Self { config: Arc::new(config), name })
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// A header as text; empty when it is not there.
    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// If it is none, or not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::nonsense(format!("{error} in {}", String::from_utf8_lossy(&self.body))))
    }

    /// The answer, unless it is a refusal.
    ///
    /// # Errors
    /// The problem document, if the status is not 2xx.
    pub fn success(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let mut problem: Problem = self.json()?;
        problem.retry_after = self.retry_after();
        Err(Error::Refused(Box::new(problem)))
    }

    /// How long to wait, RFC 8555 §6.6: seconds, as Cairn sends them.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header(header::RETRY_AFTER).parse().ok().map(Duration::from_secs)
    }
}

/// A connection that is made when it is needed, and again when the server has closed it.
#[derive(Debug)]
pub struct Connection {
    endpoint: Arc<Endpoint>,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// Whether a request is sent once more over a new connection when the old one turns out to be closed.
    again_when_closed: bool,
    /// Drives the connection, and ends with it.
    driver: JoinSet<()>,
}

impl Connection {
    /// Does not connect yet.
    pub fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint, sender: None, again_when_closed: false, driver: JoinSet::new() }
    }

    /// Sends a request whose URI is a path, and reads the answer. `Host` is added unless it is there.
    ///
    /// # Errors
    /// [`Error::Connection`] alone; then the request may have been carried out or not.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response> {
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, self.endpoint.authority.clone());
        }
        let outcome = timeout(PATIENCE, self.exchange(request)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(Error::connection("it took too long")));
        if outcome.is_err() {
            self.sender = None;
        }
        outcome
    }

    /// From now on a request is sent once more, over a new connection, when the connection that was kept turns out to have been closed
    /// before a byte of the answer came (RFC 9112 §9.3.1): a server may close it at any moment between two requests.
    pub fn try_again_when_closed(&mut self) {
        self.again_when_closed = true;
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Response> {
        let kept = self.sender.is_some();
        let mut answer = self.sender().await?.send_request(request.clone()).await;
        if let (Err(error), true, true) = (&answer, kept, self.again_when_closed)
            && closed(error)
        {
            self.sender = None;
            answer = self.sender().await?.send_request(request).await;
        }
        let answer = answer.map_err(Error::connection)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(Error::connection)?.to_bytes();
        Ok(Response { status: parts.status, headers: parts.headers, body })
    }

    /// The open connection. One that the server has closed in the meantime is replaced before anything is sent over it.
    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        let open = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !open {
            self.sender = None;
        }
        match &mut self.sender {
            Some(_) => {}
            empty => *empty = Some(connect(&self.endpoint, &mut self.driver).await?),
        }
        self.sender.as_mut().ok_or_else(|| Error::connection("there is no connection"))
    }
}

/// Whether the connection ended before a byte of the answer.
fn closed(error: &hyper::Error) -> bool {
    let reset = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
    error.is_canceled() || error.is_closed() || error.is_incomplete_message() || reset
}

async fn connect(endpoint: &Endpoint, driver: &mut JoinSet<()>) -> Result<SendRequest<Full<Bytes>>> {
    driver.abort_all();
    let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(Error::connection)?;
    tcp.set_nodelay(true).map_err(Error::connection)?;
    let Some(Tls { config, name }) = &endpoint.tls else {
        return handshake(TokioIo::new(tcp), driver).await;
    };
    let tls = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp).await;
    handshake(TokioIo::new(tls.map_err(Error::connection)?), driver).await
}

async fn handshake<I>(io: I, driver: &mut JoinSet<()>) -> Result<SendRequest<Full<Bytes>>>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(io).await.map_err(Error::connection)?;
    driver.spawn(async move {
        // How it ended is seen by the request that was under way.
        let _ended = connection.await;
    });
    Ok(sender)
}
