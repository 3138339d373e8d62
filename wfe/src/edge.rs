//! What stands around every request, wherever it ends: the base of its links, a nonce, the headers that every answer has, a problem
//! document even after a panic, and one line in the log.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cairn_core::{AccountId, Error};
use futures_util::FutureExt;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, HeaderName, LINK, RETRY_AFTER,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument, debug_span, error, info};

use crate::WebFrontEnd;
use crate::client::{self, ClientAddr};
use crate::links::{Base, Link, Resource, path};
use crate::metrics;
use crate::places::Place;
use crate::problem::Rejection;

/// RFC 8555 §6.5.1.
pub(crate) const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

// RFC 8555 §6.1: a browser's script may call us from anywhere, and read these headers of ours.
const ANYWHERE: HeaderValue = HeaderValue::from_static("*");
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("Link, Location, Replay-Nonce, Retry-After");
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST")),
    (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type")),
    // A day: none of this changes.
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
];

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What the doors of one request tell each other.
#[derive(Debug)]
pub(crate) struct Visit {
    base: Arc<Base>,
    /// Set once, by whoever has proven it; for the log.
    account: OnceLock<AccountId>,
    /// Kept until the answer is made.
    place: OnceLock<Place>,
}

impl Visit {
    /// The URL of a resource, for this client.
    pub(crate) fn link<'a>(&'a self, resource: Resource<'a>) -> Link<'a> {
        self.base.link(resource)
    }

    /// Keeps the request's place until it is answered.
    pub(crate) fn has(&self, place: Place) {
        self.place.get_or_init(|| place);
    }

    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// Notes for the log that the request is this account's.
    pub(crate) fn is_by(&self, account: AccountId) {
        self.account.get_or_init(|| account);
    }
}

/// The visit as [`edge`] has begun it.
pub(crate) struct Visiting(pub(crate) Arc<Visit>);

impl<S: Send + Sync> FromRequestParts<S> for Visiting {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        match parts.extensions.get::<Arc<Visit>>() {
            Some(visit) => Ok(Self(visit.clone())),
            None => {
                Err(Error::internal("The server is not set up right.", "a route lies outside of the edge")
                    .into())
            }
        }
    }
}

/// The outermost layer. A trace begins here, whatever the client says of one: clients are strangers, and must not choose what is traced
/// or whose trace their request is part of.
pub(crate) async fn edge(State(wfe): State<Arc<WebFrontEnd>>, request: Request, next: Next) -> Response {
    let span = debug_span!(
        parent: None,
        "request",
        otel.name = %format_args!("{} {}", request.method(), metrics::pattern(request.uri().path())),
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = metrics::pattern(request.uri().path()),
        http.response.status_code = Empty,
    );
    let response = answer(wfe, request, next).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

async fn answer(wfe: Arc<WebFrontEnd>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let _in_flight = metrics::InFlight::begin();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let peer = request.extensions().get::<ClientAddr>().copied();
    let client =
        peer.map(|ClientAddr(peer)| client::address(peer.ip(), request.headers(), &wfe.trusted_proxies));

    let mut account = None;
    let mut base = None;
    let mut response = match wfe.site.base(&uri, request.headers()) {
        Err(rejection) => rejection.into_response(),
        Ok(_) if method == Method::OPTIONS => (StatusCode::NO_CONTENT, PREFLIGHT).into_response(),
        Ok(found) => {
            let visit =
                Arc::new(Visit { base: found.clone(), account: OnceLock::new(), place: OnceLock::new() });
            request.extensions_mut().insert(visit.clone());
            let response = run(next, request).await;
            account = visit.account.get().copied();
            base = Some(found);
            response
        }
    };

    let failed = response.status().is_client_error() || response.status().is_server_error();
    // RFC 8555 §6.5: every answer to a POST has a nonce, and errors should have one.
    if (method == Method::POST || failed)
        && let Err(error) = add_nonce(&wfe, response.headers_mut()).await
    {
        error!(%error, "an answer goes out without a nonce");
    }
    // RFC 9773 §4.3.
    if Resource::is_renewal_info(uri.path()) && !response.headers().contains_key(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, wfe.renewal_info_retry_after.clone());
    }
    add_headers(response.headers_mut(), base.as_deref().filter(|_| uri.path() != path::DIRECTORY));

    let rejection = response.extensions().get::<Rejection>();
    let line =
        Line { status: response.status(), account, client: client.map(|client| client.to_string()), started };
    metrics::request(uri.path(), &method, response.status(), started.elapsed());
    line.log(&method, uri.path(), rejection);
    response
}

/// Runs the rest; a panic becomes a problem document, and its message goes to the log.
async fn run(next: Next, request: Request) -> Response<Body> {
    // Nothing that the panic may have left half-done is used again: the request's own state dies with it, and what requests share
    // is behind the services' traits, which guard themselves.
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| {
        let error =
            Error::internal("The server failed at this request.", format!("panic: {}", message(&*panic)));
        Rejection::from(error).into_response()
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

/// Puts a fresh nonce into an answer that has none.
pub(crate) async fn add_nonce(wfe: &WebFrontEnd, headers: &mut HeaderMap) -> Result<(), Error> {
    if headers.contains_key(REPLAY_NONCE) {
        return Ok(());
    }
    let nonce = wfe.nonces.nonce().await?;
    let nonce = HeaderValue::try_from(nonce)
        .map_err(|error| Error::internal("The server could not make a nonce.", error))?;
    headers.insert(REPLAY_NONCE, nonce);
    metrics::nonce_made();
    Ok(())
}

fn add_headers(headers: &mut HeaderMap, base: Option<&Base>) {
    // RFC 8555 §7.2 for newNonce; wherever else a nonce is, a cache would give it to two clients.
    if headers.contains_key(REPLAY_NONCE) {
        headers.insert(CACHE_CONTROL, NO_STORE);
    }
    if let Some(base) = base {
        headers.append(LINK, base.index().clone());
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYWHERE);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
}

/// What the log says of a request.
struct Line {
    status: StatusCode,
    account: Option<AccountId>,
    client: Option<String>,
    started: Instant,
}

impl Line {
    fn log(self, method: &Method, path: &str, rejection: Option<&Rejection>) {
        let status = self.status.as_u16();
        let account = self.account.map(tracing::field::display);
        let client = self.client;
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let problem = rejection.map(|rejection| rejection.problem().kind.name());
        let detail = rejection.map(|rejection| rejection.problem().detail.as_str());
        match rejection.and_then(Rejection::fault) {
            Some(error) => {
                error!(%method, path, status, account, client, duration_us, problem, detail, %error, "request");
            }
            None => info!(%method, path, status, account, client, duration_us, problem, detail, "request"),
        }
    }
}
