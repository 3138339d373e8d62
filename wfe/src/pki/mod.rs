//! The front end for relying parties: whether certificates are revoked (RFC 6960, RFC 5280 §5), and who issued them. Plain HTTP, as these
//! URLs stand in certificates (RFC 5280 §8): what is served is signed by itself, and any cache may keep it.
//!
//! | resource | path | methods |
//! |---|---|---|
//! | OCSP, RFC 6960 appendix A.1 | `/ocsp`, `/ocsp/{request}` | POST; GET |
//! | an issuer's certificate, DER | `/issuers/{issuer}.cer` | GET |
//! | a shard's CRL, complete and delta, DER | `/crls/{issuer}/{shard}.crl`, `/crls/{issuer}/{shard}-delta.crl` | GET |
//!
//! It reads what is published and asks the certificate authority's OCSP responder; it has no way to anything else.

mod crls;
mod issuers;
mod ocsp;

mod edge;
mod metrics;

mod config;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cairn_core::Clock;
use cairn_core::api::{OcspResponder, PkiRead};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use self::crls::Crls;
use self::issuers::Issuers;
use self::ocsp::Ocsp;

pub use self::config::{Config, ConfigError, Crl as CrlConfig, NonceUse, Ocsp as OcspConfig};
pub use self::metrics::METRICS;

/// The paths as the router knows them; `cairn_core::pki` writes URLs of the same.
mod path {
    pub(super) const OCSP: &str = "/ocsp";
    /// What some make of it who always put a path behind.
    pub(super) const OCSP_SLASH: &str = "/ocsp/";
    pub(super) const OCSP_GET: &str = "/ocsp/{*request}";
    pub(super) const ISSUER: &str = "/issuers/{name}";
    pub(super) const CRL: &str = "/crls/{issuer}/{name}";

    /// All of them: requests are counted by them.
    pub(super) const ALL: [&str; 4] = [OCSP, OCSP_GET, ISSUER, CRL];

    /// The path's pattern, if it has one of these: what stands before the first parameter is the path's beginning.
    pub(super) fn pattern(path: &str) -> Option<&'static str> {
        ALL.into_iter().find(|pattern| match pattern.split_once('{') {
            Some((beginning, _)) => path.len() > beginning.len() && path.starts_with(beginning),
            None => path == *pattern,
        })
    }
}

/// What the front end stands on.
pub struct Deps {
    /// What is published.
    pub published: Arc<dyn PkiRead>,
    /// Answers OCSP requests.
    pub ocsp: Arc<dyn OcspResponder>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The front end for relying parties. Somebody keeps it current ([`Pki::keep_current`]).
pub struct Pki {
    issuers: Issuers,
    ocsp: Ocsp,
    crls: Crls,
    config: Config,
}

impl Pki {
    /// The configuration has been validated ([`Config::validate`]).
    #[must_use]
    pub fn new(deps: Deps, config: Config) -> Self {
        let Deps { published, ocsp, clock } = deps;
        let ocsp = Ocsp::new(ocsp, Arc::clone(&published), Arc::clone(&clock), config.ocsp.clone());
        let crls = Crls::new(Arc::clone(&published), Arc::clone(&clock), config.crl.clone());
        Self { issuers: Issuers::new(published, clock), ocsp, crls, config }
    }

    /// Follows what is published; to be stopped by dropping it.
    pub async fn keep_current(&self) {
        tokio::join!(self.issuers.keep_current(), self.ocsp.follow());
    }
}

/// Everything that relying parties ask for, to be served over plain HTTP. The listener puts a [`ClientAddr`](crate::ClientAddr) into each
/// request's extensions.
pub fn router(pki: Arc<Pki>) -> Router {
    Router::new()
        .route(path::OCSP, post(ocsp::posted))
        .route(path::OCSP_SLASH, post(ocsp::posted).get(ocsp::got))
        .route(path::OCSP_GET, get(ocsp::got))
        .route(path::ISSUER, get(issuers::certificate))
        .route(path::CRL, get(crls::crl))
        .fallback(no_such_resource)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(pki.clone(), edge::edge))
        .with_state(pki)
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// An answer for a person. Those who ask here are programs that understand nothing but what they asked for.
fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NO_STORE)], text).into_response()
}

async fn no_such_resource() -> Response {
    plain(StatusCode::NOT_FOUND, "There is nothing under this URL.\n")
}

/// 405. The router adds `Allow`.
async fn method_not_allowed() -> Response {
    plain(StatusCode::METHOD_NOT_ALLOWED, "This resource does not have this method.\n")
}

impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pki").field("config", &self.config).finish_non_exhaustive()
    }
}
