//! The CRLs, as the storage has them (RFC 5280 §5, RFC 2585 §4.2).
//!
//! Which list is the latest is asked at the storage whenever somebody asks here, but not twice within half a second: so a new list is
//! served within a second of its publication, by every process. While the storage does not answer, the last one goes out on.
//!
//! Lists that are asked for stay in memory within a bound, the ones that were asked for last; each is read once and held against its hash.
//! One that would take most of the room goes from the storage to the client piece by piece.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use cairn_core::api::PkiRead;
use cairn_core::pki::{CRL_SUFFIX, DELTA_SUFFIX};
use cairn_core::{Clock, CrlHead, CrlKind, CrlShard, Error, ErrorKind, IssuerId, Result, ShardId, Timestamp};
use futures_util::stream;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::Instant;
use tracing::warn;

use super::config::Crl as Config;
use super::issuers::has_etag;
use super::{Pki, no_such_resource, plain};

/// For how long the latest list is believed to be that.
const FRESH: Duration = Duration::from_millis(500);

/// How many lists are known at most, those included of which is known that there are none. Far more than any CA has; strangers could ask
/// for as many numbers as there are.
const MAX_KNOWN: usize = 100_000;

/// RFC 2585 §4.2.
const PKIX_CRL: HeaderValue = HeaderValue::from_static("application/pkix-crl");

type Name = (ShardId, CrlKind);

/// The CRLs that are known.
pub(super) struct Crls {
    published: Arc<dyn PkiRead>,
    clock: Arc<dyn Clock>,
    config: Config,
    fresh: Duration,
    /// Held for a moment, and never while something is waited for.
    known: Mutex<Known>,
    /// Held by who reads a list into memory: one at a time.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    lists: HashMap<Name, List>,
    /// Octets in memory.
    octets: usize,
    /// Rises with each use.
    turn: u64,
}

struct List {
    /// `None` if there is no such list.
    head: Option<Arc<CrlHead>>,
    /// When the storage was asked.
    looked: Option<Instant>,
    octets: Option<Bytes>,
    /// When its octets were used.
    used: u64,
}

impl Crls {
    pub(super) fn new(published: Arc<dyn PkiRead>, clock: Arc<dyn Clock>, config: Config) -> Self {
        let (known, reading) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { published, clock, config, fresh: FRESH, known, reading }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest list of this name.
    async fn head(&self, name: Name) -> Result<Option<Arc<CrlHead>>> {
        let before = {
            let mut known = self.known();
            match known.lists.get_mut(&name) {
                Some(list) if list.looked.is_some_and(|looked| looked.elapsed() < self.fresh) => {
                    return Ok(list.head.clone());
                }
                Some(list) => {
                    // Whoever comes while this one asks has the answer before.
                    list.looked = Some(Instant::now());
                    list.head.clone()
                }
                None => None,
            }
        };
        match self.published.crl(name.0, name.1).await {
            Ok(head) => Ok(self.known().note(name, head)),
            Err(error) => match before {
                Some(head) => {
                    warn!(%error, shard = %name.0, "whether there is a newer CRL is not known; the last one is served");
                    Ok(Some(head))
                }
                None => Err(error),
            },
        }
    }

    /// The octets of a list. `None` if it is too long to be kept.
    async fn octets(&self, name: Name, head: &CrlHead) -> Result<Option<Bytes>> {
        if let Some(octets) = self.known().octets(name, head) {
            return Ok(Some(octets));
        }
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        if length > self.config.cached_octets / 2 {
            return Ok(None);
        }
        let _alone = self.reading.lock().await;
        if let Some(octets) = self.known().octets(name, head) {
            return Ok(Some(octets));
        }
        let mut octets = Vec::new();
        octets.reserve_exact(length);
        for place in 0..head.chunks() {
            octets.extend(self.published.crl_chunk(head.id, place).await?.ok_or_else(gone)?);
        }
        if octets.len() != length || digest(&SHA256, &octets).as_ref() != head.sha256 {
            return Err(Error::new(ErrorKind::Internal, "A CRL in the storage is damaged."));
        }
        let octets = Bytes::from(octets);
        self.known().keep(name, head, octets.clone(), self.config.cached_octets);
        Ok(Some(octets))
    }

    /// The octets of a list that is not kept, as they come from the storage.
    fn stream(&self, head: &CrlHead) -> Body {
        let (published, id, chunks) = (Arc::clone(&self.published), head.id, head.chunks());
        Body::from_stream(stream::try_unfold(0, move |place| {
            let published = Arc::clone(&published);
            async move {
                if place == chunks {
                    return Ok(None);
                }
                let chunk = published.crl_chunk(id, place).await.and_then(|chunk| chunk.ok_or_else(gone));
                // The connection ends before its Content-Length: nobody takes the half for the whole.
                chunk.map(|chunk| Some((Bytes::from(chunk), place + 1))).map_err(io::Error::other)
            }
        }))
    }
}

impl Known {
    /// Remembers what the storage said.
    fn note(&mut self, name: Name, head: Option<CrlHead>) -> Option<Arc<CrlHead>> {
        if self.lists.len() >= MAX_KNOWN && !self.lists.contains_key(&name) {
            self.lists.clear();
            self.octets = 0;
        }
        let list = self.lists.entry(name).or_insert_with(|| List {
            head: None,
            looked: None,
            octets: None,
            used: 0,
        });
        list.looked = Some(Instant::now());
        // Of two who asked at once, the one that was answered first may come last.
        let is_older =
            |known: &Arc<CrlHead>| head.as_ref().is_some_and(|head| head.id.number < known.id.number);
        if list.head.as_deref() != head.as_ref() && !list.head.as_ref().is_some_and(is_older) {
            self.octets -= list.octets.take().map_or(0, |octets| octets.len());
            list.head = head.map(Arc::new);
        }
        list.head.clone()
    }

    /// The octets of a list that are in memory.
    fn octets(&mut self, name: Name, head: &CrlHead) -> Option<Bytes> {
        self.turn += 1;
        let list = self.lists.get_mut(&name)?;
        list.used = self.turn;
        list.octets.clone().filter(|_| list.head.as_deref() == Some(head))
    }

    /// Keeps the octets of a list, if it is still the latest, and lets go of those that were used least lately.
    fn keep(&mut self, name: Name, head: &CrlHead, octets: Bytes, most: usize) {
        let Some(list) = self.lists.get_mut(&name).filter(|list| list.head.as_deref() == Some(head)) else {
            return;
        };
        self.octets += octets.len();
        self.octets -= list.octets.replace(octets).map_or(0, |before| before.len());
        while self.octets > most {
            let kept = self.lists.iter_mut().filter(|(other, list)| **other != name && list.octets.is_some());
            let Some((_, least)) = kept.min_by_key(|(_, list)| list.used) else { return };
            self.octets -= least.octets.take().map_or(0, |octets| octets.len());
        }
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "The CRL is no longer the latest one, and gone.")
}

/// `GET /crls/{issuer}/{shard}.crl`, and `…-delta.crl`.
pub(super) async fn crl(
    State(pki): State<Arc<Pki>>,
    method: Method,
    parameters: RawPathParams,
    headers: HeaderMap,
) -> Response {
    let Some(name) = name(&parameters) else { return no_such_resource().await };
    // What strangers make up is not looked for in the storage.
    if !pki.issuers.knows(name.0.issuer).await {
        return no_such_resource().await;
    }
    match answer(&pki.crls, name, &method, &headers).await {
        Ok(Some(response)) => response,
        Ok(None) => no_such_resource().await,
        Err(error) => {
            warn!(%error, shard = %name.0, "a CRL could not be served");
            plain(StatusCode::SERVICE_UNAVAILABLE, "The server cannot read the CRL now. Try again later.\n")
        }
    }
}

fn name(parameters: &RawPathParams) -> Option<Name> {
    let mut values = parameters.iter().map(|(_, value)| value);
    let issuer = values.next()?.parse::<IssuerId>().ok()?;
    let file = values.next()?;
    let delta = file.strip_suffix(DELTA_SUFFIX).map(|shard| (shard, CrlKind::Delta));
    let (shard, kind) = delta.or_else(|| Some((file.strip_suffix(CRL_SUFFIX)?, CrlKind::Complete)))?;
    let number = shard.parse::<u16>().ok().filter(|number| number.to_string() == shard)?;
    Some((ShardId { issuer, shard: CrlShard::new(number) }, kind))
}

async fn answer(crls: &Crls, name: Name, method: &Method, asked: &HeaderMap) -> Result<Option<Response>> {
    let Some(mut head) = crls.head(name).await? else { return Ok(None) };
    let etag = etag(&head);
    if is_known(asked, &etag, &head) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        describe(&mut response, crls, &head);
        return Ok(Some(response));
    }
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        let octets = match crls.octets(name, &head).await {
            // Two were published since it was asked which one is the latest.
            Err(error) if error.kind == ErrorKind::NotFound => {
                let latest = crls.published.crl(name.0, name.1).await?;
                let Some(latest) = crls.known().note(name, latest) else { return Ok(None) };
                head = latest;
                crls.octets(name, &head).await?
            }
            octets => octets?,
        };
        octets.map_or_else(|| crls.stream(&head), Body::from)
    };
    let mut response = Response::new(body);
    describe(&mut response, crls, &head);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PKIX_CRL);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(head.length));
    Ok(Some(response))
}

/// What caches are told: not to keep a list beyond its end, nor for so long that a newer one goes unseen.
fn describe(response: &mut Response, crls: &Crls, head: &CrlHead) {
    let now = crls.clock.now();
    let age = crls.config.max_age.seconds().min(head.next_update.since(now)).max(0);
    let headers = response.headers_mut();
    let kept = HeaderValue::try_from(format!("public, max-age={age}, no-transform, must-revalidate"));
    headers.insert(CACHE_CONTROL, kept.unwrap_or(super::NO_STORE));
    headers.insert(ETAG, etag(head));
    headers.insert(LAST_MODIFIED, http_date(head.this_update));
    headers.insert(EXPIRES, http_date(now.plus(age)));
}

/// RFC 9110 §13.2.2: a tag, where one is given, and else the date.
fn is_known(asked: &HeaderMap, etag: &HeaderValue, head: &CrlHead) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        return has_etag(asked, etag);
    }
    let since =
        asked.get(IF_MODIFIED_SINCE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    since.is_some_and(|since| system_time(head.this_update) <= since)
}

fn etag(head: &CrlHead) -> HeaderValue {
    let hex: String = head.sha256.iter().map(|octet| format!("{octet:02x}")).collect();
    HeaderValue::try_from(format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// IMF-fixdate (RFC 9110 §5.6.7).
fn http_date(time: Timestamp) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(system_time(time))).unwrap_or(HeaderValue::from_static(""))
}

fn system_time(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(time.unix()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
