//! The Web Front End: the only room that speaks ACME over HTTP (RFC 8555 §6 and §7, RFC 9773). It decides nothing.
//!
//! A request passes three doors. `edge` stands around everything: it gives every answer its nonce, its links and its line in the
//! log, and turns even a panic into a problem document. `signed` stands before every handler that acts for somebody: behind it,
//! the request is proven. The handlers in `acme` then turn wire JSON into a call of the registration authority or a read of the
//! storage, and the result into wire JSON again.
//!
//! | resource | path | methods |
//! |---|---|---|
//! | directory | `/dir` | GET, POST-as-GET |
//! | newNonce | `/nonce` | HEAD, GET, POST-as-GET |
//! | newAccount, newOrder, revokeCert | `/new-account`, `/new-order`, `/revoke-cert` | POST |
//! | account | `/account/{id}` | POST |
//! | order and its finalize | `/order/{id}`, `/order/{id}/finalize` | POST |
//! | authorization | `/authz/{id}` | POST |
//! | challenge | `/challenge/{authorization id}/{type}` | POST |
//! | certificate, with its default chain or another | `/certificate/{serial}`, `/certificate/{serial}/{chain}` | POST-as-GET |
//! | renewal information | `/renewal-info/{key identifier and serial}` | GET |
//!
//! Beside ACME it serves relying parties, in a router of its own ([`pki`]), which may run in a process of its own.
//!
//! Key change, pre-authorization, external account binding and lists of orders are not offered, and not advertised.

mod acme;
mod signed;
mod wire;

mod links;
mod site;

mod edge;
mod places;
mod problem;

pub mod pki;

mod chains;
mod client;
mod config;
mod metrics;
mod nonce;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use cairn_core::Clock;
use cairn_core::api::{NonceService, RegistrationAuthority, StorageRead};
use http::HeaderValue;
use ipnet::IpNet;

use crate::acme::{
    account, authorization, certificate, challenge, directory, order, renewal_info, revocation,
};
use crate::links::path;
use crate::places::Places;
use crate::site::Site;

pub use crate::chains::{Chains, NoRoot, PreferredRoot, chains_of};
pub use crate::metrics::METRICS;
pub use client::ClientAddr;
pub use config::{Config, ConfigError};
pub use nonce::{Nonces, RoutedNonces};
pub use site::{BaseUrl, BaseUrlError};

/// What the front end stands on.
pub struct Deps {
    /// Decides and does.
    pub ra: Arc<dyn RegistrationAuthority>,
    /// Reads by id.
    pub sa: Arc<dyn StorageRead>,
    /// Makes and redeems nonces.
    pub nonces: Arc<dyn NonceService>,
    /// The time, which objects' statuses follow from.
    pub clock: Arc<dyn Clock>,
    /// What goes out below a leaf. Somebody keeps it current ([`Chains::keep_current`]).
    pub chains: Arc<Chains>,
}

/// The state of the router. Nothing in it ever changes but the chains.
struct WebFrontEnd {
    ra: Arc<dyn RegistrationAuthority>,
    sa: Arc<dyn StorageRead>,
    nonces: Arc<dyn NonceService>,
    clock: Arc<dyn Clock>,
    chains: Arc<Chains>,
    site: Site,
    places: Places,
    trusted_proxies: Vec<IpNet>,
    /// For objects that are being processed. Seconds, never a date: not all clients can read one.
    retry_after: HeaderValue,
    /// For renewal information. Seconds, too.
    renewal_info_retry_after: HeaderValue,
}

/// The ACME API, to be served over TLS. The listener puts a [`ClientAddr`] into each request's extensions.
///
/// The configuration has been validated ([`Config::validate`]).
pub fn router(deps: Deps, config: Config) -> Router {
    let wfe = Arc::new(WebFrontEnd {
        ra: deps.ra,
        sa: deps.sa,
        nonces: deps.nonces,
        clock: deps.clock,
        chains: deps.chains,
        site: Site::new(&config),
        places: Places::new(config.max_requests),
        trusted_proxies: config.trusted_proxies,
        retry_after: HeaderValue::from(config.retry_after.seconds()),
        renewal_info_retry_after: HeaderValue::from(config.renewal_info_retry_after.seconds()),
    });
    Router::new()
        .route(path::DIRECTORY, get(directory::directory).post(directory::directory_as_get))
        .route(
            path::NEW_NONCE,
            get(directory::nonce).head(directory::nonce_head).post(directory::nonce_as_get),
        )
        .route(path::NEW_ACCOUNT, post(account::new_account))
        .route(path::NEW_ORDER, post(order::new_order))
        .route(path::REVOKE_CERT, post(revocation::revoke_certificate))
        .route(path::ACCOUNT, post(account::account))
        .route(path::ORDER, post(order::order))
        .route(path::FINALIZE, post(order::finalize))
        .route(path::AUTHORIZATION, post(authorization::authorization))
        .route(path::CHALLENGE, post(challenge::challenge))
        .route(path::CERTIFICATE, post(certificate::certificate))
        .route(path::ALTERNATE, post(certificate::alternate))
        .route(path::RENEWAL_INFO, get(renewal_info::renewal_info))
        .fallback(problem::no_such_resource)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn_with_state(wfe.clone(), edge::edge))
        .with_state(wfe)
}
