//! Problem documents on HTTP (RFC 8555 §6.7): the rendering of core's [`Problem`], and the few problems that HTTP itself makes. What an
//! error means to a client is decided in core.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use cairn_core::{Error, ErrorKind, Problem, ProblemType};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};

use crate::site::Host;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Seconds after which a client may try again when we are too busy or going down: about as long as a restart takes.
const BUSY_RETRY_AFTER: u64 = 10;

/// A request that ends with a problem document.
#[derive(Clone, Debug)]
pub(crate) struct Rejection(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    problem: Problem,
    /// What it came from, for the log.
    error: Option<Error>,
}

impl Rejection {
    pub(crate) const fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// The fault of ours behind it, if it is one.
    pub(crate) fn fault(&self) -> Option<&Error> {
        self.0
            .error
            .as_ref()
            .filter(|error| matches!(error.kind, ErrorKind::Internal | ErrorKind::Unavailable))
    }
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Inner { problem, error: None }))
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self(Box::new(Inner { problem: Problem::from(&error), error: Some(error) }))
    }
}

/// The document. The rejection itself rides along as an extension, for the log.
impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let problem = self.problem();
        // An object of strings and numbers always has a JSON form; without one, an empty body with the status is what is left.
        let body = serde_json::to_vec(problem).unwrap_or_default();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        let known = self.0.error.as_ref().and_then(|error| error.retry_after).map(whole_seconds);
        let busy = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(BUSY_RETRY_AFTER);
        if let Some(pause) = known.or(busy) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(pause));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// A pause of at least one second: nobody is told to come back at once.
fn whole_seconds(pause: Duration) -> u64 {
    pause.as_secs() + u64::from(pause.subsec_nanos() > 0).max(u64::from(pause.is_zero()))
}

/// A `malformed` problem.
pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemType::Malformed, detail)
}

/// 404 for a path that no resource has.
pub(crate) async fn no_such_resource() -> Rejection {
    let detail = "There is nothing under this URL. The directory at /dir lists what there is.";
    malformed(detail).with_status(StatusCode::NOT_FOUND.as_u16()).into()
}

/// 405, RFC 8555 §6.3. The router adds `Allow`.
pub(crate) async fn method_not_allowed(method: Method) -> Rejection {
    let detail = if method == Method::GET || method == Method::HEAD {
        "This resource is read by POST-as-GET: a signed POST with an empty payload (RFC 8555 section 6.3)."
    } else {
        "This resource does not have this method."
    };
    malformed(detail).with_status(StatusCode::METHOD_NOT_ALLOWED.as_u16()).into()
}

/// 408 for a body that does not arrive.
pub(crate) fn too_slow() -> Rejection {
    malformed("The request's body did not arrive in time.")
        .with_status(StatusCode::REQUEST_TIMEOUT.as_u16())
        .into()
}

/// 413 for a body of more than `limit` bytes.
pub(crate) fn too_large(limit: usize) -> Rejection {
    let detail = format!("The request's body is larger than {limit} bytes.");
    malformed(detail).with_status(StatusCode::PAYLOAD_TOO_LARGE.as_u16()).into()
}

/// 415, RFC 8555 §6.2.
pub(crate) fn unsupported_media_type() -> Rejection {
    malformed("The request's Content-Type must be application/jose+json.")
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE.as_u16())
        .into()
}

/// 421 (RFC 9110 §15.5.20) for a host that is not ours.
pub(crate) fn misdirected(authority: &str, hosts: &[Host]) -> Rejection {
    let hosts = hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(", ");
    malformed(format!("The request is for \"{authority}\", but this server is reached as: {hosts}."))
        .with_status(StatusCode::MISDIRECTED_REQUEST.as_u16())
        .into()
}
