//! The HTTP interface by which a test changes the world: the DNS part of pebble-challtestsrv's.
//!
//! Each command is a POST of a JSON object to its path, whatever the content type says; some clients send none, some
//! that of a form. Members that are not known are passed over. It answers 200 and nothing, or a sentence: 400 for what
//! it does not understand, 413 for a body over [`MAX_BODY_BYTES`], 503 when the zone is full.

use std::{
    fmt::Display,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::{
    rdata,
    zone::{CaaPolicy, Zone, ZoneError},
};

/// Longest body of a command: room for a few ten thousand addresses.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The commands that change `zone`. The caller listens.
pub fn management(zone: Zone) -> Router {
    Router::new()
        .route("/set-default-ipv4", command(set_default_ipv4))
        .route("/set-default-ipv6", command(set_default_ipv6))
        .route("/add-a", command(|zone, of: Addresses<Ipv4Addr>| zone.add_a(&of.host, &of.addresses)))
        .route("/clear-a", clear(Zone::clear_a))
        .route("/add-aaaa", command(|zone, of: Addresses<Ipv6Addr>| zone.add_aaaa(&of.host, &of.addresses)))
        .route("/clear-aaaa", clear(Zone::clear_aaaa))
        .route("/set-cname", command(|zone, of: Alias| zone.set_cname(&of.host, &of.target)))
        .route("/clear-cname", clear(Zone::clear_cname))
        .route("/set-servfail", command(|zone, of: Host| zone.set_servfail(&of.host)))
        .route("/clear-servfail", clear(Zone::clear_servfail))
        .route("/set-txt", command(|zone, of: Text| zone.add_txt(&of.host, &of.value)))
        .route("/clear-txt", clear(Zone::clear_txt))
        .route("/add-caa", command(|zone, of: Policies| zone.add_caa(&of.host, &of.policies)))
        .route("/clear-caa", clear(Zone::clear_caa))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(zone)
}

/// A default address; the empty string is none.
#[derive(Deserialize)]
#[serde(bound = "A: FromStr<Err: Display>")]
struct DefaultAddress<A> {
    #[serde(deserialize_with = "address_or_empty")]
    ip: Option<A>,
}

#[derive(Deserialize)]
struct Host {
    host: String,
}

#[derive(Deserialize)]
struct Addresses<A> {
    host: String,
    addresses: Vec<A>,
}

#[derive(Deserialize)]
struct Alias {
    host: String,
    target: String,
}

#[derive(Deserialize)]
struct Text {
    host: String,
    value: String,
}

#[derive(Deserialize)]
struct Policies {
    host: String,
    policies: Vec<CaaPolicy>,
}

fn set_default_ipv4(zone: &Zone, default: DefaultAddress<Ipv4Addr>) -> Result<(), ZoneError> {
    zone.set_default_ipv4(default.ip);
    Ok(())
}

fn set_default_ipv6(zone: &Zone, default: DefaultAddress<Ipv6Addr>) -> Result<(), ZoneError> {
    zone.set_default_ipv6(default.ip);
    Ok(())
}

/// A command that takes a `T`.
fn command<T: DeserializeOwned + 'static>(deed: fn(&Zone, T) -> Result<(), ZoneError>) -> MethodRouter<Zone> {
    post(move |State(zone): State<Zone>, body: Bytes| async move {
        deed(&zone, serde_json::from_slice(&body)?)?;
        Ok::<_, Refusal>(())
    })
}

/// A command that takes something back from a host.
fn clear(deed: fn(&Zone, &str)) -> MethodRouter<Zone> {
    post(move |State(zone): State<Zone>, body: Bytes| async move {
        let Host { host } = serde_json::from_slice(&body)?;
        // The zone passes over a host that is no name; here it is a mistake somebody wants to hear of.
        rdata::name(&host)?;
        deed(&zone, &host);
        Ok::<_, Refusal>(())
    })
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// The body is no JSON, or not what the command takes: 400.
    #[error("the body is not what this command takes: {0}")]
    Body(#[from] serde_json::Error),
    /// The zone does not take it: 503 if it is full, else 400.
    #[error(transparent)]
    Zone(#[from] ZoneError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Zone(ZoneError::Full) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Zone(ZoneError::NotAName | ZoneError::TooLong | ZoneError::NotATag) | Self::Body(_) => {
                StatusCode::BAD_REQUEST
            }
        };
        (status, format!("{self}\n")).into_response()
    }
}

fn address_or_empty<'de, D, A>(deserializer: D) -> Result<Option<A>, D::Error>
where
    D: Deserializer<'de>,
    A: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}
