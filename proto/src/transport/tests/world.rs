//! What the stories need: a PKI in a folder, a service that does what the test says, and the log.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use cairn_core::random::SeededRandom;
use cairn_core::time::FakeClock;
use cairn_core::{Clock, Timestamp};
use http::uri::PathAndQuery;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use super::super::*;
use crate::Role;

/// In the middle of every certificate's life: 2027-01-15.
pub(super) const START: Timestamp = Timestamp::from_unix(1_800_000_000);
pub(super) const DAY: i64 = 24 * 60 * 60;

/// A root, and a folder with what it issued.
pub(in super::super) struct Pki {
    folder: tempfile::TempDir,
    root: Issuer<'static, KeyPair>,
    pub(super) clock: Arc<FakeClock>,
}

impl Pki {
    /// With a certificate for every role, valid during 2027.
    pub(in super::super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "internal root");
        let (not_before, not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2036, 1, 1));
        (params.not_before, params.not_after) = (not_before, not_after);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("root.pem"), root.pem()).unwrap();
        let clock = Arc::new(FakeClock::new(START));
        let pki = Self { folder, root: Issuer::new(params, key), clock };
        for role in Role::ALL {
            pki.issue(role, &[&role.dns_name()], 2028);
        }
        pki
    }

    pub(super) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Writes the files of `role`, with a certificate for `names` until the beginning of `year`.
    pub(super) fn issue(&self, role: Role, names: &[&str], year: i32) {
        let both = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        self.issue_for(role, names, year, both);
    }

    pub(super) fn issue_for(
        &self,
        role: Role,
        names: &[&str],
        year: i32,
        purposes: Vec<ExtendedKeyUsagePurpose>,
    ) {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.extended_key_usages = purposes;
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(year, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.root).unwrap();
        fs::write(self.path(&format!("{role}.pem")), certificate.pem()).unwrap();
        let path = self.path(&format!("{role}-key.pem"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) fn identity(&self, role: Role) -> Arc<Identity> {
        self.try_identity(role).unwrap()
    }

    pub(super) fn try_identity(&self, role: Role) -> Result<Arc<Identity>, IdentityError> {
        Identity::load(self.dir(), role, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// A channel from `caller` to those at `addresses`, on which calls of "Read" are idempotent.
    pub(in super::super) fn channel(&self, caller: Role, callee: Role, addresses: &[SocketAddr]) -> Channel {
        self.channel_of(self.identity(caller), callee, addresses)
    }

    pub(super) fn channel_of(
        &self,
        caller: Arc<Identity>,
        callee: Role,
        addresses: &[SocketAddr],
    ) -> Channel {
        let config = ChannelConfig {
            clock: Arc::clone(caller.clock()),
            caller,
            callee,
            addresses: addresses.iter().map(|address| address.to_string().parse().unwrap()).collect(),
            call_timeout: Duration::from_secs(30),
            random: Arc::new(SeededRandom::new(1)),
        };
        let idempotent = |path: &str| path.ends_with("/Read");
        Channel::with(config, idempotent, &TaskTracker::new(), CancellationToken::new())
    }

    /// A server of `role` with `service`, for the RA.
    pub(super) fn server(&self, role: Role, service: &Script) -> Server {
        Server::new(self.identity(role), ServerConfig::default()).add(service.clone(), &[Role::Ra])
    }

    /// An RA's channel to an SA that does as `service` says.
    pub(super) async fn pair(&self, service: &Script) -> (Serving, Channel) {
        let serving = Serving::start(&self.server(Role::Sa, service)).await;
        let channel = self.channel(Role::Ra, Role::Sa, &[serving.address]);
        (serving, channel)
    }
}

/// A server that serves.
pub(super) struct Serving {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) tracker: TaskTracker,
}

impl Serving {
    pub(super) async fn start(server: &Server) -> Self {
        Self::start_at(server, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(super) async fn start_at(server: &Server, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
        server.serve(listener, shutdown.clone(), &tracker);
        server.health().set_serving(true);
        Self { address, shutdown, tracker }
    }

    /// Ends it, and waits until it has ended.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// A message with one text, in both directions.
pub(super) type Text = tonic_health::pb::HealthCheckRequest;

pub(super) fn text(text: impl Into<String>) -> Text {
    Text { service: text.into() }
}

type Deed = Pin<Box<dyn Future<Output = Result<String, Status>> + Send>>;

/// The service `test.Script`: every method does what the test says.
#[derive(Clone)]
pub(super) struct Script(Arc<dyn Fn(Request<Text>) -> Deed + Send + Sync>);

impl Script {
    pub(super) fn new<F>(deed: impl Fn(Request<Text>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, Status>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(deed(request))))
    }

    /// Says back what it is told, after `prefix`.
    pub(super) fn echo(prefix: &'static str) -> Self {
        Self::new(move |request| async move { Ok(format!("{prefix}{}", request.into_inner().service)) })
    }
}

impl NamedService for Script {
    const NAME: &'static str = "test.Script";
}

impl Service<http::Request<Body>> for Script {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let script = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Text, Text>::default());
            Ok(grpc.unary(Unary(script), request).await)
        })
    }
}

struct Unary(Script);

impl tonic::server::UnaryService<Text> for Unary {
    type Response = Text;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Text>, Status>> + Send>>;

    fn call(&mut self, request: Request<Text>) -> Self::Future {
        let deed = self.0.0(request);
        Box::pin(async move { deed.await.map(|answer| Response::new(text(answer))) })
    }
}

/// Calls `test.Script/<method>` as generated clients do.
pub(super) async fn say<C>(channel: &C, method: &str, what: &str) -> Result<String, Status>
where
    C: Service<http::Request<Body>, Response = http::Response<Body>, Error = Status> + Clone,
{
    say_to(channel, &format!("/test.Script/{method}"), Request::new(text(what))).await
}

pub(super) async fn say_to<C>(channel: &C, path: &str, request: Request<Text>) -> Result<String, Status>
where
    C: Service<http::Request<Body>, Response = http::Response<Body>, Error = Status> + Clone,
{
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await?;
    let path = PathAndQuery::try_from(path).unwrap();
    let codec = ProstCodec::<Text, Text>::default();
    grpc.unary(request, path, codec).await.map(|response| response.into_inner().service)
}

/// Waits until `condition` holds, looking whenever an endpoint comes or goes.
pub(super) async fn until(channel: &Channel, condition: impl Fn(&Channel) -> bool) {
    let mut changes = channel.changes();
    while !condition(channel) {
        changes.changed().await.unwrap();
    }
}

/// How many endpoints are connected.
pub(super) fn connected(channel: &Channel) -> usize {
    channel.endpoints().iter().filter(|endpoint| endpoint.is_connected()).count()
}

/// What is logged on this thread while this lives.
pub(super) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl Log {
    pub(super) fn new() -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Lines(Arc::clone(&lines)));
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How many lines have all of `parts`.
    pub(super) fn count(&self, parts: &[&str]) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }

    /// Asserts that a line has all of `parts`.
    #[track_caller]
    pub(super) fn has(&self, parts: &[&str]) {
        assert!(
            self.count(parts) > 0,
            "no line with {parts:?} in\n{}",
            self.lines.lock().unwrap().join("\n")
        );
    }
}

struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}
