//! What stands around every request of a relying party: a line in the log, its counters, and an answer even after a panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::StatusCode;
use tracing::field::Empty;
use tracing::{Instrument, debug_span, error, info};

use super::{Pki, metrics, path, plain};
use crate::client::{self, ClientAddr};

/// The outermost layer. As for ACME clients, a trace begins here, whatever a stranger says of one.
pub(super) async fn edge(State(pki): State<Arc<Pki>>, request: Request, next: Next) -> Response {
    let pattern = path::pattern(request.uri().path());
    let span = debug_span!(
        parent: None,
        "request",
        otel.name = %format_args!("{} {}", request.method(), pattern.unwrap_or("other")),
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = pattern,
        http.response.status_code = Empty,
    );
    let response = answer(&pki, request, pattern, next).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

async fn answer(pki: &Pki, request: Request, pattern: Option<&str>, next: Next) -> Response {
    let started = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let client = request
        .extensions()
        .get::<ClientAddr>()
        .map(|ClientAddr(peer)| client::address(peer.ip(), request.headers(), &pki.config.trusted_proxies));
    // Nothing that the panic may have left half-done is used again: what requests share guards itself.
    let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        error!("a request of a relying party panicked");
        plain(StatusCode::INTERNAL_SERVER_ERROR, "The server failed at this request.\n")
    });
    metrics::request(pattern, &method, response.status(), started.elapsed());
    let said = response.extensions().get::<Said>();
    info!(
        %method,
        path = uri.path(),
        status = response.status().as_u16(),
        client = client.map(tracing::field::display),
        duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        said = said.map(|said| said.0),
        "request"
    );
    response
}

/// What was said in an answer whose status tells nothing: for the log. Rides along as an extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said(pub(super) &'static str);
