//! Connections to a store: to the one place that the configuration names, and to nowhere else.
//!
//! `object_store` would bring reqwest, which follows redirects, takes proxies from the environment and resolves what it is led to. Its
//! requests are plain HTTP ones, and hyper, which is here anyway, sends them over a connection that is made here.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// How long it may take until there is a connection.
const CONNECTING: Duration = Duration::from_secs(15);
/// How long a request may take then. A CRL of 50 MB needs 4 Mbit/s.
const EXCHANGE: Duration = Duration::from_secs(120);
/// Most octets of an answer that are read. Those to what is asked here are short or empty.
const MAX_ANSWER: usize = 64 * 1024;
/// Most characters of what a store says of an error.
const MAX_SAID: usize = 300;

/// Sends requests to one place.
#[derive(Clone)]
pub(super) struct Dialer {
    host: String,
    port: u16,
    scheme: Scheme,
    authority: Authority,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Dialer {
    /// To the place of `target`, which must have a certificate of one of `roots` if it is an `https` one.
    pub(super) fn new(target: &Url, roots: RootCertStore) -> Result<Self> {
        let host = match target.host().context("endpoint has no host")? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let port = target.port_or_known_default().context("endpoint has no port")?;
        let uri: Uri = target.as_str().parse().context("endpoint")?;
        let scheme = uri.scheme().cloned().context("endpoint has no scheme")?;
        let authority = uri.authority().cloned().context("endpoint has no host")?;
        let tls = if scheme == Scheme::HTTPS {
            let name = ServerName::try_from(host.clone()).context("endpoint")?;
            // Said here, so that nobody needs a default provider in the process.
            let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self { host, port, scheme, authority, tls })
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let place = &self.authority;
        let late = |what: &str, limit: Duration| {
            failed(HttpErrorKind::Timeout, format!("{place} {what} within {} s", limit.as_secs()))
        };
        let unreachable = |error: std::io::Error| {
            failed(HttpErrorKind::Connect, format!("cannot connect to {place}: {error}"))
        };
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = timeout(CONNECTING, connecting)
            .await
            .map_err(|_| late("could not be connected to", CONNECTING))?;
        let stream = stream.map_err(unreachable)?;
        let answered = async {
            match &self.tls {
                None => exchange(stream, request).await,
                Some((tls, name)) => {
                    let stream = tls.connect(name.clone(), stream).await.map_err(unreachable)?;
                    exchange(stream, request).await
                }
            }
        };
        timeout(EXCHANGE, answered).await.map_err(|_| late("did not answer", EXCHANGE))?
    }
}

impl HttpConnector for Dialer {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Dialer {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri();
        if uri.scheme() != Some(&self.scheme) || uri.authority() != Some(&self.authority) {
            let said = format!("only {} is asked, not {}", self.authority, uri.host().unwrap_or("nobody"));
            return Err(failed(HttpErrorKind::Unknown, said));
        }
        self.ask(request).await
    }
}

fn failed(kind: HttpErrorKind, said: String) -> HttpError {
    HttpError::new_boxed(kind, said.into())
}

/// One request over a connection of its own: there are a few in an hour.
async fn exchange<S>(stream: S, mut request: HttpRequest) -> Result<HttpResponse, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let broken =
        |error: hyper::Error| failed(HttpErrorKind::Interrupted, format!("the connection broke: {error}"));
    let authority = request.uri().authority().map(|authority| HeaderValue::try_from(authority.as_str()));
    if let Some(Ok(host)) = authority {
        request.headers_mut().insert(HOST, host);
    }
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    // Only proxies are told the whole URL.
    let target = request.uri().path_and_query().map(|path| Uri::from(path.clone()));
    *request.uri_mut() = target.unwrap_or_default();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answer = async { read(sender.send_request(request).await.map_err(broken)?).await };
    tokio::select! {
        answer = answer => answer,
        never = drive(connection) => match never {},
    }
}

/// Moves the connection's bytes for as long as somebody waits for the answer. How the connection ends shows in the answer.
async fn drive<S>(connection: http1::Connection<TokioIo<S>, HttpRequestBody>) -> Infallible
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let _ = connection.await;
    pending().await
}

/// Reads an answer to its end. Of one that tells of an error only that remains, since some stores repeat the request and its signature.
async fn read(answer: Response<Incoming>) -> Result<HttpResponse, HttpError> {
    let (mut head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body =
        body.map_err(|error| failed(HttpErrorKind::Interrupted, format!("no whole answer: {error}")))?;
    let mut body = body.to_bytes();
    if !head.status.is_success() {
        body = Bytes::from(said(&String::from_utf8_lossy(&body)));
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(TRANSFER_ENCODING);
    }
    Ok(Response::from_parts(head, HttpResponseBody::from(body)))
}

/// The code and the message of an error of S3.
fn said(error: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = error.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    };
    let both = [element("Code"), element("Message")];
    let text: Vec<&str> = both.into_iter().flatten().collect();
    text.join(": ").chars().take(MAX_SAID).collect()
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls_pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// Asks a server that answers with this, and gives what it was asked beside.
    async fn answered(answer: &'static str, path: &str) -> (Result<HttpResponse, HttpError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap());
        let dialer = Dialer::new(&target.parse().unwrap(), RootCertStore::empty()).unwrap();
        let request =
            http::Request::put(format!("{target}{path}")).body(HttpRequestBody::from(vec![1, 2])).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n\x01\x02") {
                stream.read_buf(&mut asked).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        };
        tokio::join!(dialer.call(request), serve)
    }

    #[tokio::test]
    async fn requests_are_for_a_path_and_redirects_are_answers() {
        const REDIRECT: &str =
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n";
        let (answer, asked) = answered(REDIRECT, "/pki/crls/a.crl").await;
        assert_eq!(answer.unwrap().status(), 307);
        assert!(asked.starts_with("PUT /pki/crls/a.crl HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("host: 127.0.0.1:") && asked.contains("content-length: 2\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn of_an_error_remains_what_it_says() {
        const REFUSED: &str = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n<Error><Code>SignatureDoesNotMatch</Code>\
            <Message>Check your key.</Message><SignatureProvided>5ec4e7</SignatureProvided></Error>";
        let (answer, _) = answered(REFUSED, "/").await;
        let body = answer.unwrap().into_body().bytes().await.unwrap();
        assert_eq!(body, "SignatureDoesNotMatch: Check your key.");
        assert_eq!(said("<html>no</html>"), "");
        assert_eq!(said(&format!("<Code>{}</Code>", "x".repeat(1000))).len(), MAX_SAID);
    }

    #[tokio::test]
    async fn nobody_else_is_asked_and_nobody_is_an_error() {
        let target: Url = "http://127.0.0.1:9".parse().unwrap();
        let dialer = Dialer::new(&target, RootCertStore::empty()).unwrap();
        let ask = |url: &str| {
            let request = http::Request::get(url).body(HttpRequestBody::empty()).unwrap();
            let dialer = &dialer;
            async move { dialer.call(request).await.unwrap_err().to_string() }
        };
        for other in ["http://169.254.169.254/latest", "http://127.0.0.1/", "https://127.0.0.1:9/"] {
            assert!(ask(other).await.contains("only 127.0.0.1:9 is asked"));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let dialer = Dialer::new(&target.parse().unwrap(), RootCertStore::empty()).unwrap();
        let request = http::Request::get(target).body(HttpRequestBody::empty()).unwrap();
        let error = dialer.call(request).await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Connect);
    }
    #[tokio::test]
    async fn a_store_must_prove_its_name() {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        for (roots, is_known) in [(roots, true), (RootCertStore::empty(), false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = format!("https://{}", listener.local_addr().unwrap());
            let dialer = Dialer::new(&target.parse().unwrap(), roots).unwrap();
            let request = http::Request::get(target).body(HttpRequestBody::empty()).unwrap();
            let serve = async {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { return false };
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_ok()
            };
            let (answer, served) = tokio::join!(dialer.call(request), serve);
            assert_eq!((answer.is_ok(), served), (is_known, is_known), "{answer:?}");
        }
    }
}
