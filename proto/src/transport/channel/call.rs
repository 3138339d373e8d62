//! One call: to which endpoint, for how long, and whether once more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Limited};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tracing::{Instrument, debug, debug_span, warn};

use super::Link;
use super::endpoint::{Endpoint, Outstanding};
use crate::calls::MAX_MESSAGE;
use crate::transport::answer::{Answer, split};
use crate::transport::http2::Received;
use crate::transport::metrics;
use crate::transport::refusal::{Reason, TIME, TIMEOUT, is_not_processed, not_processed};
use crate::transport::{deadline, trace};

/// How often a call is made at most. Whoever fails three times in a row is better told so.
const MAX_ATTEMPTS: usize = 3;
/// How long a call waits for some endpoint to be there, if its deadline leaves as much: a peer that restarts is back within it.
const WAIT_FOR_ANY: Duration = Duration::from_secs(5);
/// How long it waits for the one endpoint it is for: the caller may choose another one.
const WAIT_FOR_ONE: Duration = Duration::from_secs(1);
/// Most bytes of a request: a message, its length and whether it is compressed.
const MAX_REQUEST: usize = MAX_MESSAGE + 5;

/// Makes the call, on the `only` endpoint that will do or on any, within the `inherited` deadline of the task that makes it.
pub(super) async fn call(
    link: Arc<Link>,
    only: Option<Arc<Endpoint>>,
    request: Request<Body>,
    inherited: Option<Instant>,
) -> Result<Response<Body>, Status> {
    let path = request.uri().path().to_owned();
    let (service, method) = split(&path);
    let span = debug_span!("call", otel.kind = "client", rpc.service = service, rpc.method = method, peer.role = %link.config.callee);
    let answer = Answer::begun(&link.calls, path.clone());
    let deadline = ends(&link, request.headers(), inherited);
    let result = async {
        let call = Call::new(&link, only.as_ref(), &path, request, deadline).await?;
        call.make().await
    };
    match result.instrument(span).await {
        Ok((response, outstanding)) => Ok(answer.watch(response, outstanding)),
        Err(status) => {
            answer.failed(&status);
            Err(status)
        }
    }
}

/// When the caller stops waiting: at the first of what it said for this call, what its own caller left, and the default.
fn ends(link: &Link, headers: &HeaderMap, inherited: Option<Instant>) -> Instant {
    let said = headers.get(TIMEOUT).and_then(|value| deadline::from_header(value.to_str().ok()?));
    let timeout = said.map_or(link.config.call_timeout, |said| said.min(link.config.call_timeout));
    let deadline = Instant::now() + timeout;
    inherited.map_or(deadline, |inherited| inherited.min(deadline))
}

struct Call<'a> {
    link: &'a Link,
    only: Option<&'a Arc<Endpoint>>,
    path: &'a str,
    uri: Uri,
    headers: HeaderMap,
    /// Kept whole, since it may be sent again. All our calls have one message.
    message: Bytes,
    deadline: Instant,
}

/// What came of one attempt.
enum Attempt {
    Answered(Response<Received>),
    /// Another endpoint may do better.
    Elsewhere(Response<Received>),
    /// Nothing came back, and it may be tried again.
    Again(Status),
    Failed(Status),
}

impl<'a> Call<'a> {
    async fn new(
        link: &'a Link,
        only: Option<&'a Arc<Endpoint>>,
        path: &'a str,
        request: Request<Body>,
        deadline: Instant,
    ) -> Result<Self, Status> {
        let (mut parts, body) = request.into_parts();
        let message = Limited::new(body, MAX_REQUEST).collect().await;
        let message = message
            .map_err(|error| not_processed(Status::internal(format!("cannot send {path}: {error}"))))?;
        let mut uri = parts.uri.into_parts();
        (uri.scheme, uri.authority) = (Some(Scheme::HTTPS), link.authority.clone());
        let cannot = |_| not_processed(Status::internal(format!("{path} is no path of a call")));
        let uri = Uri::from_parts(uri).map_err(cannot)?;
        trace::inject(&tracing::Span::current(), &mut parts.headers);
        Ok(Self { link, only, path, uri, headers: parts.headers, message: message.to_bytes(), deadline })
    }

    async fn make(self) -> Result<(Response<Received>, Outstanding), Status> {
        let mut tried = Vec::with_capacity(MAX_ATTEMPTS);
        // Of an attempt that may have been begun. Whatever comes later, this is what the caller must know.
        let mut doubt = None;
        loop {
            let endpoint = match self.endpoint(&tried).await {
                Ok(endpoint) => endpoint,
                Err(status) => return Err(doubt.unwrap_or(status)),
            };
            tried.push(endpoint.address);
            let last = tried.len() >= MAX_ATTEMPTS;
            let outstanding = endpoint.begin();
            match self.attempt(&endpoint).await {
                Attempt::Answered(response) => return Ok((response, outstanding)),
                Attempt::Elsewhere(response) if last || self.untried(&tried).is_none() => {
                    return Ok((response, outstanding));
                }
                Attempt::Failed(status) => return Err(doubt.unwrap_or(status)),
                Attempt::Again(status) if last => return Err(doubt.unwrap_or(status)),
                Attempt::Elsewhere(_) => {}
                Attempt::Again(status) => {
                    debug!(peer.address = %endpoint.address, path = self.path, %status, "making the call again");
                    if !is_not_processed(&status) {
                        doubt.get_or_insert(status);
                    }
                }
            }
            metrics::retry(self.link.config.callee);
        }
    }

    async fn attempt(&self, endpoint: &Endpoint) -> Attempt {
        let callee = self.link.config.callee;
        let request = match self.request() {
            Ok(request) => request,
            Err(status) => return Attempt::Failed(status),
        };
        let response = match timeout_at(self.deadline, endpoint.send(request, self.message.clone())).await {
            Ok(Ok(response)) => response.map(Received::new),
            Ok(Err(failed)) => {
                let text =
                    format!("no answer to {} from {callee} at {}: {failed}", self.path, endpoint.address);
                let mut status = Status::unavailable(text);
                if let Some(source) = failed.source {
                    // By which the reader of the status knows that it is in doubt.
                    status.set_source(Arc::new(source));
                }
                return if failed.not_processed {
                    Attempt::Again(not_processed(status))
                } else if (self.link.idempotent)(self.path) {
                    Attempt::Again(status)
                } else {
                    Attempt::Failed(status)
                };
            }
            Err(_) => {
                let text = format!("{callee} at {} did not answer {} in time", endpoint.address, self.path);
                return Attempt::Failed(Status::deadline_exceeded(text));
            }
        };
        let Some(reason) = Reason::of(response.headers()) else { return Attempt::Answered(response) };
        if self.link.said.may_say((endpoint.address, reason.name().to_owned())) {
            let text = Status::from_header_map(response.headers()).map(|status| status.message().to_owned());
            let text = text.unwrap_or_default();
            warn!(%callee, peer.address = %endpoint.address, path = self.path, reason = reason.name(), "the call was refused: {text}");
        }
        if reason.is_the_endpoints() { Attempt::Elsewhere(response) } else { Attempt::Answered(response) }
    }

    /// The request with what is left of its time, less a margin for the way back.
    fn request(&self) -> Result<Request<()>, Status> {
        let left = self.deadline.saturating_duration_since(Instant::now()).saturating_sub(deadline::MARGIN);
        if left < deadline::MINIMUM {
            let text =
                format!("too little time is left to call {} of {}", self.path, self.link.config.callee);
            return Err(not_processed(Status::deadline_exceeded(text)));
        }
        let mut headers = self.headers.clone();
        let value = |text: String| {
            let mut value = HeaderValue::try_from(text).map_err(|_| Status::internal("no header"))?;
            // Different each time: HTTP/2 shall not keep it to send it again in short (RFC 7541 §7.1.3).
            value.set_sensitive(true);
            Ok::<_, Status>(value)
        };
        headers.insert(TIMEOUT, value(deadline::to_header(left))?);
        headers.insert(TIME, value((self.link.config.clock.now().unix().saturating_mul(1000)).to_string())?);
        let mut request = Request::new(());
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, self.uri.clone());
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The endpoint to try next: one that was not yet, or any that is there.
    async fn endpoint(&self, tried: &[SocketAddr]) -> Result<Arc<Endpoint>, Status> {
        let longest = if self.only.is_some() { WAIT_FOR_ONE } else { WAIT_FOR_ANY };
        let until = (Instant::now() + longest).min(self.deadline);
        if let Some(endpoint) = self.untried(tried) {
            return Ok(endpoint);
        }
        // Before the next look, so that nothing is missed between looking and waiting.
        let mut changed = self.link.changed.subscribe();
        loop {
            if let Some(endpoint) = self.untried(tried).or_else(|| self.untried(&[])) {
                return Ok(endpoint);
            }
            if !matches!(timeout_at(until, changed.changed()).await, Ok(Ok(()))) {
                return Err(self.link.nobody_answers(self.only.map(Arc::as_ref)));
            }
        }
    }

    /// Of the endpoints that are there and not in `tried`, the one with the least to do.
    fn untried(&self, tried: &[SocketAddr]) -> Option<Arc<Endpoint>> {
        let good = |endpoint: &&Arc<Endpoint>| endpoint.is_live() && !tried.contains(&endpoint.address);
        if let Some(only) = self.only {
            return Some(only).filter(good).cloned();
        }
        let endpoints = self.link.endpoints.load();
        // Of equals the first is taken: let another one be the first each time.
        let start = self.link.next.fetch_add(1, Ordering::Relaxed) % endpoints.len().max(1);
        let (before, after) = endpoints.split_at_checked(start)?;
        after.iter().chain(before).filter(good).min_by_key(|endpoint| endpoint.load()).cloned()
    }
}
