//! A zone, listeners on free ports, and a Validation Authority whose ports are theirs.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use cairn_core::api::va::{ValidationAuthority, ValidationRequest, ValidationResult};
use cairn_core::random::SeededRandom;
use cairn_core::{
    AuthorizationId, ChallengeType, Identifier, KeyAuthorization, Period, Problem, Thumbprint, Timestamp,
    Token,
};
use cairn_va::{Config, Va};
use challtestsrv::{DnsServer, Zone};
use rustls::crypto::aws_lc_rs as provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const NAME: &str = "www.example.test";
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The listeners are bound and silent until somebody serves them.
pub(crate) struct World {
    pub(crate) zone: Zone,
    pub(crate) config: Config,
    pub(crate) http: Option<TcpListener>,
    pub(crate) https: Option<TcpListener>,
    pub(crate) tls_alpn: Option<TcpListener>,
    tasks: TaskTracker,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(LOOPBACK).await
    }

    /// A world whose listeners have this loopback address.
    pub(crate) async fn on(ip: IpAddr) -> Self {
        let zone = Zone::new();
        let tasks = TaskTracker::new();
        let dns = DnsServer::bind((LOOPBACK, 0).into(), zone.clone()).await.unwrap();
        let resolvers = vec![dns.local_addr()];
        tasks.spawn(async { dns.run(CancellationToken::new()).await.unwrap() });
        let [http, https, tls_alpn] = [listener(ip).await, listener(ip).await, listener(ip).await];
        let config = Config {
            http_port: http.local_addr().unwrap().port(),
            https_port: https.local_addr().unwrap().port(),
            tls_alpn_port: tls_alpn.local_addr().unwrap().port(),
            resolvers,
            allowed_networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            ..Config::default()
        };
        Self { zone, config, http: Some(http), https: Some(https), tls_alpn: Some(tls_alpn), tasks }
    }

    /// Serves plain HTTP with `answer`; gives the requests that came.
    pub(crate) fn serve_http(&mut self, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Requests {
        let listener = self.http.take().unwrap();
        let requests = Requests::default();
        let seen = requests.clone();
        self.tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let _ = exchange(stream, &seen, &answer).await;
            }
        });
        requests
    }

    /// Serves HTTP over TLS with a self-signed certificate for some other name.
    pub(crate) fn serve_https(
        &mut self,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Requests {
        let listener = self.https.take().unwrap();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["other.test".to_owned()]).unwrap();
        let config = tls_config(cert.der(), &signing_key, rustls::ALL_VERSIONS, &["http/1.1"]);
        let requests = Requests::default();
        let seen = requests.clone();
        self.tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(stream) = TlsAcceptor::from(Arc::clone(&config)).accept(stream).await {
                    let _ = exchange(stream, &seen, &answer).await;
                }
            }
        });
        requests
    }

    /// Answers TLS on the port of tls-alpn-01; gives what the client hellos asked for.
    pub(crate) fn serve_tls_alpn(&mut self, config: Arc<ServerConfig>) -> Requests {
        let listener = self.tls_alpn.take().unwrap();
        let requests = Requests::default();
        let seen = requests.clone();
        self.tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(mut stream) = TlsAcceptor::from(Arc::clone(&config)).accept(stream).await {
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    let sni = stream.get_ref().1.server_name().unwrap_or_default();
                    seen.0.lock().unwrap().push(format!("{sni} {}", rest.len()));
                }
            }
        });
        requests
    }

    /// Accepts connections on `listener`, reads, and never says a word.
    pub(crate) fn hang(&self, listener: TcpListener) {
        self.tasks.spawn(async move {
            let mut held = Vec::new();
            loop {
                held.push(listener.accept().await.unwrap());
            }
        });
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Makes every validation end soon.
    pub(crate) fn hurry(&mut self) {
        self.config.timeout = Period::from_millis(200);
    }

    pub(crate) async fn validate(
        &self,
        challenge: ChallengeType,
        identifier: &Identifier,
    ) -> ValidationResult {
        Va::alone(&self.config).unwrap().validate(request(challenge, identifier)).await.unwrap()
    }

    pub(crate) async fn http01(&self, name: &str) -> ValidationResult {
        self.validate(ChallengeType::Http01, &dns(name)).await
    }

    pub(crate) async fn dns01(&self, name: &str) -> ValidationResult {
        self.validate(ChallengeType::Dns01, &dns(name)).await
    }

    pub(crate) async fn tls_alpn01(&self, identifier: &Identifier) -> ValidationResult {
        self.validate(ChallengeType::TlsAlpn01, identifier).await
    }
}

/// What a server was asked, in order.
#[derive(Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<String>>>);

impl Requests {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

async fn listener(ip: IpAddr) -> TcpListener {
    TcpListener::bind(SocketAddr::new(ip, 0)).await.unwrap()
}

async fn exchange<S>(mut stream: S, seen: &Requests, answer: &impl Fn(&str) -> String) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8(request).unwrap();
    let answer = answer(&request);
    seen.0.lock().unwrap().push(request);
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

pub(crate) fn request(challenge: ChallengeType, identifier: &Identifier) -> ValidationRequest {
    let random = SeededRandom::new(5);
    ValidationRequest {
        authorization: AuthorizationId::new(Timestamp::from_unix(1), &random),
        identifier: identifier.clone(),
        challenge,
        token: token(),
        key_authorization: key_authorization(),
    }
}

pub(crate) fn token() -> Token {
    Token::from_bytes([7; 32])
}

pub(crate) fn key_authorization() -> KeyAuthorization {
    token().key_authorization(Thumbprint::from_bytes([9; 32]))
}

pub(crate) fn digest() -> Vec<u8> {
    let key_authorization = key_authorization();
    digest::digest(&digest::SHA256, key_authorization.as_str().as_bytes()).as_ref().to_vec()
}

pub(crate) fn dns(name: &str) -> Identifier {
    Identifier::parse("dns", name).unwrap()
}

pub(crate) fn ip(address: IpAddr) -> Identifier {
    Identifier::Ip(address)
}

/// 200 with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// 200 with the right body.
pub(crate) fn right() -> String {
    ok(key_authorization().as_str())
}

pub(crate) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

pub(crate) fn path() -> String {
    format!("/.well-known/acme-challenge/{}", token())
}

/// Fails unless the validation succeeded.
#[track_caller]
pub(crate) fn assert_valid(result: &ValidationResult) {
    assert_eq!(result.problem, None, "{result:?}");
}

/// The problem of a failed validation; its detail must hold all of `words`.
#[track_caller]
pub(crate) fn problem(result: &ValidationResult, words: &[&str]) -> Problem {
    let problem = result.problem.clone().expect("the validation succeeded");
    for word in words {
        assert!(problem.detail.contains(word), "no {word:?} in {:?}", problem.detail);
    }
    problem
}

/// A server that shows this certificate to everybody and knows these protocols.
pub(crate) fn tls_config(
    certificate: &[u8],
    key: &rcgen::KeyPair,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> Arc<ServerConfig> {
    let key = provider::sign::any_supported_type(&rustls::pki_types::PrivateKeyDer::Pkcs8(
        key.serialize_der().into(),
    ));
    let certified = CertifiedKey::new(vec![certificate.to_vec().into()], key.unwrap());
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(certified))));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
