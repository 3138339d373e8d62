//! Whether a call may begin, in the order in which one can be sure: who calls and what, by which clock, with how much time, and is
//! there room for it.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cairn_core::Timestamp;
use futures_util::FutureExt;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tower::ServiceExt;
use tracing::{Instrument, debug_span, error, warn};

use super::{Listed, Peer, Server};
use crate::transport::answer::{Answer, split};
use crate::transport::http2::{Received, send};
use crate::transport::refusal::{Reason, TIME, TIMEOUT};
use crate::transport::{deadline, trace};

/// How long a call may be waited for that brings no deadline. Ours all do; a health check by hand does not.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest deadline that is believed: no call of ours takes minutes.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// Who has the connection.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) peer: Peer,
    /// When its certificate ends.
    pub(super) until: Timestamp,
}

/// A refusal: why, and a text for the caller.
type Refusal = (Reason, String);

/// Answers a call, by refusing it or by its service.
///
/// What a service has begun runs to its end: when the deadline passes or the caller goes away, only the waiting ends.
pub(super) async fn call(
    server: Arc<Server>,
    caller: Caller,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let path = request.uri().path().to_owned();
    let (service, method) = split(&path);
    let (listed, time_left, permit) = match admit(&server, caller, service, request.headers()) {
        Ok(admitted) => admitted,
        Err((reason, text)) => {
            if server.note(caller.peer, service, reason) {
                let (address, role) = (caller.peer.address, caller.peer.role);
                warn!(peer.address = %address, peer.role = %role, service, method, reason = reason.name(), "refused a call: {text}");
            }
            // Whoever is gone need not be refused.
            let _ = send(reason.response(text), respond).await;
            return;
        }
    };
    let span = debug_span!("serve", otel.kind = "server", rpc.service = service, rpc.method = method, peer.role = %caller.peer.role);
    trace::extract(&span, request.headers());
    let answer = Answer::begun(&server.calls, path.clone());
    let mut request = request.map(|stream| Body::new(Received::new(stream)));
    request.extensions_mut().insert(caller.peer);

    let ends = Instant::now() + time_left;
    let work = deadline::scope(ends, listed.service.oneshot(request)).instrument(span);
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    let response = match timeout_at(ends, work.as_mut()).await {
        Ok(done) => done.unwrap_or_else(|_| Ok(panicked(service, method))),
        Err(_) => {
            let text = format!("{path} is not done within {} ms", time_left.as_millis());
            let late: Response<Body> = Status::deadline_exceeded(text).into_http();
            let _ = send(answer.watch(late, ()), respond).await;
            if work.await.is_err() {
                panicked(service, method);
            }
            drop(permit);
            return;
        }
    };
    drop(permit);
    let response = match response {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let _ = send(answer.watch(response, ()), respond).await;
}

/// The panic itself was logged by the hook.
fn panicked(service: &str, method: &str) -> Response<Body> {
    error!(service, method, "a call panicked");
    Status::internal("the service failed; its log says why").into_http()
}

fn admit(
    server: &Server,
    caller: Caller,
    service: &str,
    headers: &HeaderMap,
) -> Result<(Listed, Duration, Option<OwnedSemaphorePermit>), Refusal> {
    let now = server.identity.clock().now();
    let (us, peer) = (server.identity.role(), caller.peer.role);
    if now > caller.until {
        let text = format!(
            "the certificate that {peer} showed when it connected ended at {}; renew it there with `cairn internal-pki renew`",
            caller.until
        );
        return Err((Reason::Expired, text));
    }
    let listed = server.services.get(service).filter(|listed| listed.allowed.contains(&peer));
    let listed = listed.ok_or_else(|| {
        let text = format!(
            "{us} offers {peer} no service {service}: it may not be called by this role, or is another role's"
        );
        (Reason::NotAllowed, text)
    })?;
    clock(server, peer.name(), now, headers, listed.always)?;
    let time_left = time_left(headers)?;
    let permit = if listed.always {
        None
    } else {
        let permit = Arc::clone(&server.permits).try_acquire_owned();
        Some(permit.map_err(|_| {
            (
                Reason::Overloaded,
                format!("{us} is at work on {} calls, as many as it may be", server.config.max_calls),
            )
        })?)
    };
    Ok((listed.clone(), time_left, permit))
}

/// Wants the caller's clock to agree with ours. A health check by hand may come without.
fn clock(
    server: &Server,
    peer: &str,
    now: Timestamp,
    headers: &HeaderMap,
    optional: bool,
) -> Result<(), Refusal> {
    let theirs = headers.get(TIME).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let Some(theirs) = theirs else {
        return if optional {
            Ok(())
        } else {
            Err((Reason::Clock, format!("the call does not say {peer}'s time")))
        };
    };
    let theirs = Timestamp::from_unix(theirs / 1000);
    let differ = Duration::from_secs(now.since(theirs).unsigned_abs());
    if differ > server.config.max_clock_skew {
        let text = format!(
            "the clocks differ by {} s, and {} s are allowed: {peer} has {theirs}, {} has {now}; set the one that is wrong",
            differ.as_secs(),
            server.config.max_clock_skew.as_secs(),
            server.identity.role(),
        );
        return Err((Reason::Clock, text));
    }
    Ok(())
}

fn time_left(headers: &HeaderMap) -> Result<Duration, Refusal> {
    let timeout = headers.get(TIMEOUT).map(|value| value.to_str().ok().and_then(deadline::from_header));
    // A timeout that makes no sense is none.
    let timeout = timeout.flatten().unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT);
    if timeout < deadline::MINIMUM {
        let (left, least) = (timeout.as_micros(), deadline::MINIMUM.as_millis());
        return Err((
            Reason::Late,
            format!("{left} µs are left for the call, and it needs at least {least} ms"),
        ));
    }
    Ok(timeout)
}
