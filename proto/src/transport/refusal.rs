//! What travels with a call besides the message, and how the transport itself says no.
//!
//! A refusal is an ordinary gRPC status with one header more, by which the caller's transport knows that the call was not begun. Then it
//! may go to another endpoint, whatever it would have done.

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataValue;

/// How much time the caller leaves, as gRPC has it.
pub(super) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The caller's clock: milliseconds since 1970-01-01T00:00:00Z.
pub(super) const TIME: HeaderName = HeaderName::from_static("cairn-time");
/// Set on a refusal: its [`Reason`].
const REFUSED: HeaderName = HeaderName::from_static(NOT_PROCESSED);
const NOT_PROCESSED: &str = "cairn-refused";
/// In how many seconds to try again.
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
/// The status of a call.
pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Why a call was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reason {
    /// The caller's role is not on the service's list, or there is no such service here.
    NotAllowed,
    /// The caller's certificate expired after it connected.
    Expired,
    /// The clocks differ too much.
    Clock,
    /// Too little time is left.
    Late,
    /// Too many calls at once.
    Overloaded,
}

impl Reason {
    const ALL: [Self; 5] = [Self::NotAllowed, Self::Expired, Self::Clock, Self::Late, Self::Overloaded];

    /// On the wire and in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not-allowed",
            Self::Expired => "expired",
            Self::Clock => "clock",
            Self::Late => "late",
            Self::Overloaded => "overloaded",
        }
    }

    /// Whether another endpoint of the same role may well say yes.
    pub(super) const fn is_the_endpoints(self) -> bool {
        match self {
            // Of two clocks that differ, the endpoint's may be the wrong one.
            Self::Overloaded | Self::Clock => true,
            Self::NotAllowed | Self::Expired | Self::Late => false,
        }
    }

    fn status(self, text: String) -> Status {
        match self {
            Self::NotAllowed => Status::permission_denied(text),
            Self::Expired => Status::unauthenticated(text),
            Self::Clock => Status::failed_precondition(text),
            Self::Late => Status::deadline_exceeded(text),
            Self::Overloaded => Status::unavailable(text),
        }
    }

    /// The answer that refuses a call.
    pub(super) fn response(self, text: String) -> Response<Body> {
        let mut response = self.status(text).into_http();
        response.headers_mut().insert(REFUSED, HeaderValue::from_static(self.name()));
        if self == Self::Overloaded {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// The reason in an answer's headers, if it is a refusal.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let name = headers.get(REFUSED)?.as_bytes();
        Self::ALL.into_iter().find(|reason| reason.name().as_bytes() == name)
    }
}

/// Whether `status` says for sure that the call was not begun: the transport of either side refused it.
#[must_use]
pub fn is_not_processed(status: &Status) -> bool {
    status.metadata().contains_key(NOT_PROCESSED)
}

/// Marks `status` as one of a call that was not begun.
pub(super) fn not_processed(mut status: Status) -> Status {
    status.metadata_mut().insert(NOT_PROCESSED, MetadataValue::from_static("not-sent"));
    status
}
