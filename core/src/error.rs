//! The error that passes between rooms. Each room has small errors of its own and turns them into this one at its edge.
//!
//! An error tells three people three things: the client gets `kind` and `detail`, the operator's log also gets `source`, and the
//! reader of this file learns from the kind's documentation which problem it becomes ([`crate::problem`] holds the mapping).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::problem::Subproblem;

/// What a service call gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure; decides the problem that a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// `accountDoesNotExist`.
    AccountDoesNotExist,
    /// `unauthorized` with status 401: the account is deactivated or revoked.
    AccountNotValid,
    /// `alreadyReplaced`.
    AlreadyReplaced,
    /// `alreadyRevoked`.
    AlreadyRevoked,
    /// `badCSR`.
    BadCsr,
    /// `badNonce`.
    BadNonce,
    /// `badPublicKey`.
    BadPublicKey,
    /// `badRevocationReason`.
    BadRevocationReason,
    /// `malformed` with status 409: the object changed under the request; nothing was done.
    Conflict,
    /// `serverInternal`: a fault of ours; with status 503 if it is known when it has passed. The detail is for the client, the source
    /// for the log.
    Internal,
    /// `invalidContact`.
    InvalidContact,
    /// `malformed`.
    Malformed,
    /// `malformed` with status 404.
    NotFound,
    /// `orderNotReady`.
    OrderNotReady,
    /// `rejectedIdentifier`.
    RejectedIdentifier,
    /// `unauthorized` with status 403.
    Unauthorized,
    /// `serverInternal` with status 503 and Retry-After: too busy or shutting down; nothing was done.
    Unavailable,
    /// `unsupportedContact`.
    UnsupportedContact,
    /// `unsupportedIdentifier`.
    UnsupportedIdentifier,
}

/// When to try again what nobody answered: about as long as a restart takes.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(10);

/// A failure on its way from the room that met it to the client and to the log.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind.
    pub kind: ErrorKind,
    /// For the ACME client: what is wrong and what to do. Never holds a secret, a path or an inner error's text.
    pub detail: String,
    /// One per identifier, when several are concerned.
    pub subproblems: Vec<Subproblem>,
    /// When the client may try again, if that is known; whole seconds go to the client (RFC 8555 §6.6). `None` leaves it to the kind.
    pub retry_after: Option<Duration>,
    /// For the log alone.
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that tells the client `detail`.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), subproblems: Vec::new(), retry_after: None, source: None }
    }

    /// A fault of ours: `detail` for the client, `source` for the log.
    pub fn internal(
        detail: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(ErrorKind::Internal, detail).with_source(source)
    }

    /// A call was sent and no answer came: what became of it is not known. `detail` is for the client, `source` for the log.
    pub fn unanswered(
        detail: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::internal(detail, source).with_retry_after(UNANSWERED_PAUSE)
    }

    /// The same with a source for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The same with the time after which the client may try again.
    #[must_use]
    pub fn with_retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The same with subproblems.
    #[must_use]
    pub fn with_subproblems(mut self, subproblems: Vec<Subproblem>) -> Self {
        self.subproblems = subproblems;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.detail)?;
        let mut source = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Two errors are equal when a client cannot tell them apart.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.detail == other.detail
            && self.subproblems == other.subproblems
            && self.retry_after == other.retry_after
    }
}
