//! The management listener: the certificates to trust, whether the server is ready, and what it counted. Nothing here is ACME.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::readiness::Readiness;

use crate::metrics;

/// What the management listener tells about.
pub struct Management {
    /// Roots, PEM.
    pub roots: Vec<String>,
    /// Intermediates, PEM.
    pub intermediates: Vec<String>,
    /// Whether the process is ready.
    pub readiness: Arc<Readiness>,
}

/// `GET /roots/N`, `GET /intermediates/N`, `GET /readyz`, `GET /metrics`.
pub fn router(management: Management) -> Router {
    Router::new()
        .route("/roots/{index}", get(root))
        .route("/intermediates/{index}", get(intermediate))
        .route("/readyz", get(readyz))
        .route("/metrics", get(counted))
        .with_state(Arc::new(management))
}

async fn root(State(management): State<Arc<Management>>, Path(index): Path<usize>) -> Response {
    certificate(&management.roots, index)
}

/// With links to the others, by which tests of clients find all chains that there can be.
async fn intermediate(
    State(management): State<Arc<Management>>,
    Path(index): Path<usize>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut response = certificate(&management.intermediates, index);
    if response.status().is_success() {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = uri.authority().map(http::uri::Authority::as_str).or(host).unwrap_or_default();
        for other in (0..management.intermediates.len()).filter(|other| *other != index) {
            let link = format!("<https://{host}/intermediates/{other}>;rel=\"alternate\"");
            if let Ok(link) = HeaderValue::try_from(link) {
                response.headers_mut().append(header::LINK, link);
            }
        }
    }
    response
}

fn certificate(certificates: &[String], index: usize) -> Response {
    match certificates.get(index) {
        Some(pem) => {
            ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], pem.clone()).into_response()
        }
        None => (StatusCode::NOT_FOUND, format!("There are {}; the first is 0.\n", certificates.len()))
            .into_response(),
    }
}

async fn readyz(State(management): State<Arc<Management>>) -> Response {
    match management.readiness.check().await {
        Ok(()) => {
            let notices = management.readiness.notices();
            let lines = notices.iter().map(|notice| format!("{notice}\n"));
            format!("ready\n{}", lines.collect::<String>()).into_response()
        }
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// The text format of Prometheus, version 0.0.4.
async fn counted() -> Response {
    match metrics::render() {
        Some(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        None => (StatusCode::NOT_FOUND, "nothing is counted\n").into_response(),
    }
}
