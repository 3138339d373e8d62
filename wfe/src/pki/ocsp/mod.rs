//! OCSP over HTTP (RFC 6960 appendix A, RFC 5019 §5 and §6).
//!
//! A request about one certificate and without a nonce is answered from the cache, where there is an answer; everything else is asked of
//! the certificate authority. Whatever a responder says goes out with status 200, refusals too: their meaning is in the
//! OCSPResponse, and clients look nowhere else.

mod answer;
mod cache;
mod feed;
mod text;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use cairn_core::api::{OcspAnswer, OcspResponder, PkiRead};
use cairn_core::{Clock, Error, ErrorKind};
use cairn_x509::ocsp::{CertId, MAX_REQUEST_LEN, Refusal, Request};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;
use tracing::{error, warn};

use self::answer::{Answer, refused, signed, signed_once};
use self::cache::{Asked, Cache};
use self::feed::Feed;
use super::config::{NonceUse, Ocsp as Config};
use super::{Pki, metrics, path, plain};

/// RFC 6960 appendix A.1.
const OCSP_REQUEST: &str = "application/ocsp-request";

/// How many requests may wait for the certificate authority at a time. It signs some thousand in a second; who came behind so many would
/// wait for longer than a TLS server or a browser does, and is told at once to come again.
const MAX_ASKING: usize = 256;

/// How long a client may take for the body of a request: it has some hundred octets.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers, and where they come from.
pub(super) struct Ocsp {
    responder: Arc<dyn OcspResponder>,
    cache: Arc<Cache>,
    feed: Feed,
    clock: Arc<dyn Clock>,
    /// Of those who wait for the responder.
    places: Arc<Semaphore>,
    config: Config,
}

impl Ocsp {
    pub(super) fn new(
        responder: Arc<dyn OcspResponder>,
        published: Arc<dyn PkiRead>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Self {
        let cache = Arc::new(Cache::new(config.cached_answers));
        let feed = Feed::new(published, Arc::clone(&cache));
        Self { responder, cache, feed, clock, places: Arc::new(Semaphore::new(MAX_ASKING)), config }
    }

    /// Follows the revocations; to be stopped by dropping it.
    pub(super) async fn follow(&self) {
        self.feed.follow().await;
    }
}

/// `POST /ocsp`.
pub(super) async fn posted(State(pki): State<Arc<Pki>>, headers: HeaderMap, body: Body) -> Response {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(OCSP_REQUEST) {
        return plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The request's Content-Type must be application/ocsp-request.\n",
        );
    }
    let read = Limited::new(body, MAX_REQUEST_LEN).collect();
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Err(_elapsed) => plain(StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive in time.\n"),
        Ok(Err(error)) if error.is::<LengthLimitError>() => refused(Refusal::MalformedRequest),
        Ok(Err(_broken)) => plain(StatusCode::BAD_REQUEST, "The request's body did not arrive.\n"),
        // RFC 5019 §5: what is posted is kept by no cache in between, so that conditions would be of no use.
        Ok(Ok(body)) => pki.answer(&body.to_bytes(), &HeaderMap::new()).await,
    }
}

/// `GET /ocsp/{request}`.
pub(super) async fn got(State(pki): State<Arc<Pki>>, uri: Uri, headers: HeaderMap) -> Response {
    let text = uri.path().strip_prefix(path::OCSP_SLASH).unwrap_or_default();
    match text::request(text) {
        Some(request) => pki.answer(&request, &headers).await,
        None => refused(Refusal::MalformedRequest),
    }
}

impl Pki {
    /// Answers an OCSPRequest.
    async fn answer(&self, request: &[u8], headers: &HeaderMap) -> Response {
        let ocsp = &self.ocsp;
        let Ok(mut request) = Request::from_der(request) else {
            return refused(Refusal::MalformedRequest);
        };
        if ocsp.config.nonce == NonceUse::Ignore {
            request.nonce = None;
        }
        let sharable = match (request.certificates.as_slice(), &request.nonce) {
            ([id], None) => Some(id),
            _ => None,
        };
        if let Some(id) = sharable
            && ocsp.feed.is_followed()
            && let Some(answer) = ocsp.cache.get(id, ocsp.clock.now())
        {
            metrics::ocsp_from_cache();
            return signed(&answer, &ocsp.config, ocsp.clock.now(), headers);
        }
        if !self.issuers.any_named(&request.certificates).await {
            return refused(Refusal::Unauthorized);
        }
        // What is asked is what was understood, written anew: no other octet of a stranger gets to the signer.
        let Ok(asked) = request.to_der() else { return refused(Refusal::MalformedRequest) };
        match sharable {
            Some(id) => match ocsp.ask_once(id, asked).await {
                Ok(Asked::Signed(answer)) => signed(&answer, &ocsp.config, ocsp.clock.now(), headers),
                Ok(Asked::Unauthorized) => refused(Refusal::Unauthorized),
                Err(error) => failed(&error),
            },
            None => match ocsp.ask(asked).await {
                Ok(OcspAnswer::Signed(response)) => signed_once(response),
                Ok(OcspAnswer::Unauthorized) => refused(Refusal::Unauthorized),
                Err(error) => failed(&error),
            },
        }
    }
}

impl Ocsp {
    /// Asks the responder, if not too many do.
    async fn ask(&self, request: Vec<u8>) -> Result<OcspAnswer, Error> {
        let _place = self.places.try_acquire().map_err(busy)?;
        metrics::ocsp_asked();
        self.responder.ocsp_response(request).await
    }

    /// The same for an answer that many may share: one asks, and those who come meanwhile wait for the same answer.
    async fn ask_once(&self, id: &CertId, request: Vec<u8>) -> Result<Asked, Error> {
        // One that was begun before it was known from where to follow might never hear of a revocation: it is not kept.
        let keep = self.feed.has_begun();
        let (responder, clock, places) =
            (Arc::clone(&self.responder), Arc::clone(&self.clock), Arc::clone(&self.places));
        let ask = move || {
            let (responder, clock, request) = (Arc::clone(&responder), Arc::clone(&clock), request.clone());
            let places = Arc::clone(&places);
            async move {
                let _place = places.try_acquire().map_err(busy)?;
                metrics::ocsp_asked();
                Ok(match responder.ocsp_response(request).await? {
                    OcspAnswer::Signed(response) => {
                        Asked::Signed(Arc::new(Answer::new(response, clock.now())))
                    }
                    OcspAnswer::Unauthorized => Asked::Unauthorized,
                })
            }
        };
        self.cache.ask_once(id, keep, ask).await
    }
}

fn busy(full: tokio::sync::TryAcquireError) -> Error {
    metrics::ocsp_shed();
    Error::new(ErrorKind::Unavailable, "too many OCSP requests wait for the certificate authority")
        .with_source(full)
}

/// RFC 6960 §2.3: `tryLater` for what passes, `internalError` for what does not.
fn failed(error: &Error) -> Response {
    match error.kind {
        ErrorKind::Malformed => refused(Refusal::MalformedRequest),
        ErrorKind::Unavailable => {
            warn!(%error, "an OCSP request was put off");
            refused(Refusal::TryLater)
        }
        _ => {
            error!(%error, "an OCSP request was not answered");
            refused(Refusal::InternalError)
        }
    }
}

/// RFC 6960 appendix A.1.
const OCSP_RESPONSE: HeaderValue = HeaderValue::from_static("application/ocsp-response");

#[cfg(test)]
mod tests;
