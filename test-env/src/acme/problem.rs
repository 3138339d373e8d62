//! What can go wrong for a client: the server says so (RFC 8555 §6.7), or it says nothing that can be understood.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::objects::Identifier;

/// The result of a request.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A problem document, RFC 9457, as the server sent it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Problem {
    /// The whole URN.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sentence for people.
    #[serde(default)]
    pub detail: String,
    /// The HTTP status; optional in a document that stands in another object.
    pub status: Option<u16>,
    /// One for each identifier that is to blame, RFC 8555 §6.7.1.
    #[serde(default)]
    pub subproblems: Vec<Self>,
    /// Stands in subproblems only.
    pub identifier: Option<Identifier>,
    /// What the server would take, with `badSignatureAlgorithm` (RFC 8555 §6.2).
    #[serde(default)]
    pub algorithms: Vec<Value>,
    /// When to come back, RFC 8555 §6.6: from the header of the answer that it was.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// The last part of the URN: `badNonce`.
    pub fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or(&self.kind)
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused the request.
    #[error("the server says {}: {}", .0.name(), .0.detail)]
    Refused(Box<Problem>),
    /// The order or authorization has become invalid, for this reason.
    #[error("the order failed with {}: {}", .0.name(), .0.detail)]
    Failed(Box<Problem>),
    /// The server could not be reached, or went away. Whether it has carried out the request is not known.
    #[error("no answer to the request: {0}")]
    Connection(String),
    /// An answer that makes no sense.
    #[error("an answer that cannot be used: {0}")]
    Nonsense(String),
    /// The server did not come to an end in time.
    #[error("still {0} at the end of the client's patience")]
    Late(String),
}

impl Error {
    /// One word to count errors by.
    pub fn label(&self) -> &str {
        match self {
            Self::Refused(problem) | Self::Failed(problem) => problem.name(),
            Self::Connection(_) => "(connection)",
            Self::Nonsense(_) => "(nonsense)",
            Self::Late(_) => "(late)",
        }
    }

    /// The problem, if the server named one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) | Self::Failed(problem) => Some(problem),
            Self::Connection(_) | Self::Nonsense(_) | Self::Late(_) => None,
        }
    }

    pub(crate) fn nonsense(what: impl std::fmt::Display) -> Self {
        Self::Nonsense(what.to_string())
    }

    pub(crate) fn connection(what: impl std::fmt::Display) -> Self {
        Self::Connection(what.to_string())
    }
}
