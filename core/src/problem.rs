//! Problem documents (RFC 9457) with the types of RFC 8555 §6.7: what a client sees of an error, and what an order or a challenge
//! keeps of a failure. This file holds the one mapping from [`Error`] to a problem.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::identifier::Identifier;

/// What every ACME problem type's name begins with.
const URN_PREFIX: &str = "urn:ietf:params:acme:error:";

macro_rules! problem_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)*) => {
        /// A problem type from the registry that RFC 8555 §9.7.3 opened. No other is ever sent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ProblemType {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ProblemType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name behind `urn:ietf:params:acme:error:`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that goes with this type, where nothing more precise is known.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

problem_types! {
    /// The request names an account that does not exist.
    AccountDoesNotExist = "accountDoesNotExist", 400;
    /// Another order replaces the certificate already (RFC 9773 §7.4).
    AlreadyReplaced = "alreadyReplaced", 409;
    /// The certificate is revoked already.
    AlreadyRevoked = "alreadyRevoked", 400;
    /// The CSR is unacceptable.
    BadCsr = "badCSR", 400;
    /// The nonce is unknown or used; the client tries again with a fresh one.
    BadNonce = "badNonce", 400;
    /// The JWS was signed by a key that the server does not support.
    BadPublicKey = "badPublicKey", 400;
    /// The revocation reason is not allowed.
    BadRevocationReason = "badRevocationReason", 400;
    /// The JWS was signed with an algorithm that the server does not support.
    BadSignatureAlgorithm = "badSignatureAlgorithm", 400;
    /// CAA records forbid issuance.
    Caa = "caa", 403;
    /// Several things are wrong; see the subproblems.
    Compound = "compound", 400;
    /// The server could not connect to the validation target.
    Connection = "connection", 400;
    /// A DNS query failed during validation.
    Dns = "dns", 400;
    /// The answer to a validation was not the expected one.
    IncorrectResponse = "incorrectResponse", 403;
    /// A contact URL is invalid.
    InvalidContact = "invalidContact", 400;
    /// The request is malformed.
    Malformed = "malformed", 400;
    /// The order is not ready to be finalized.
    OrderNotReady = "orderNotReady", 403;
    /// Too many requests.
    RateLimited = "rateLimited", 429;
    /// The server will not issue for the identifier.
    RejectedIdentifier = "rejectedIdentifier", 400;
    /// Something is wrong on the server's side.
    ServerInternal = "serverInternal", 500;
    /// A TLS error during validation.
    Tls = "tls", 400;
    /// The client lacks authorization.
    Unauthorized = "unauthorized", 403;
    /// The scheme of a contact URL is not supported.
    UnsupportedContact = "unsupportedContact", 400;
    /// The identifier's type is not supported.
    UnsupportedIdentifier = "unsupportedIdentifier", 400;
}

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ProblemDocument", try_from = "ProblemDocument")]
pub struct Problem {
    /// Its type.
    pub kind: ProblemType,
    /// For a person at the client's side: what is wrong and what to do.
    pub detail: String,
    /// The HTTP status.
    pub status: u16,
    /// One per identifier, when several are concerned (RFC 8555 §6.7.1).
    pub subproblems: Vec<Subproblem>,
    /// The algorithms that a `badSignatureAlgorithm` recommends instead (RFC 8555 §6.2).
    pub algorithms: Vec<String>,
}

/// A part of a problem that concerns one identifier, RFC 8555 §6.7.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subproblem {
    /// Its type.
    pub kind: ProblemType,
    /// For a person at the client's side.
    pub detail: String,
    /// Which identifier.
    pub identifier: Identifier,
}

impl Problem {
    /// A problem with the usual status of its type.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            status: kind.status(),
            subproblems: Vec::new(),
            algorithms: Vec::new(),
        }
    }

    /// The same with another HTTP status.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with these subproblems.
    #[must_use]
    pub fn with_subproblems(mut self, subproblems: Vec<Subproblem>) -> Self {
        self.subproblems = subproblems;
        self
    }
}

/// The one mapping from what passes between rooms to what a client sees. The error's `source` stays behind.
impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let (kind, mut status) = shape(error.kind);
        if error.kind == ErrorKind::Internal && error.retry_after.is_some() {
            // A fault that passes: clients that give up at 500 come back after 503.
            status = 503;
        }
        Self::new(kind, error.detail.clone()).with_status(status).with_subproblems(error.subproblems.clone())
    }
}

const fn shape(kind: ErrorKind) -> (ProblemType, u16) {
    let kind = match kind {
        ErrorKind::AccountDoesNotExist => ProblemType::AccountDoesNotExist,
        ErrorKind::AlreadyReplaced => ProblemType::AlreadyReplaced,
        ErrorKind::AlreadyRevoked => ProblemType::AlreadyRevoked,
        ErrorKind::BadCsr => ProblemType::BadCsr,
        ErrorKind::BadNonce => ProblemType::BadNonce,
        ErrorKind::BadPublicKey => ProblemType::BadPublicKey,
        ErrorKind::BadRevocationReason => ProblemType::BadRevocationReason,
        ErrorKind::InvalidContact => ProblemType::InvalidContact,
        ErrorKind::Malformed => ProblemType::Malformed,
        ErrorKind::OrderNotReady => ProblemType::OrderNotReady,
        ErrorKind::RejectedIdentifier => ProblemType::RejectedIdentifier,
        ErrorKind::UnsupportedContact => ProblemType::UnsupportedContact,
        ErrorKind::UnsupportedIdentifier => ProblemType::UnsupportedIdentifier,
        ErrorKind::Unauthorized => ProblemType::Unauthorized,
        // RFC 8555 §7.3.6 names the status for requests of a deactivated account.
        ErrorKind::AccountNotValid => return (ProblemType::Unauthorized, 401),
        // The registry has no type for these; `malformed` is what the client's request then was.
        ErrorKind::NotFound => return (ProblemType::Malformed, 404),
        ErrorKind::Conflict => return (ProblemType::Malformed, 409),
        ErrorKind::Unavailable => return (ProblemType::ServerInternal, 503),
        ErrorKind::Internal => ProblemType::ServerInternal,
    };
    (kind, kind.status())
}

/// The JSON form of RFC 9457 and RFC 8555 §6.7.
#[derive(Serialize, Deserialize)]
struct ProblemDocument {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    status: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subproblems: Vec<SubproblemDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    algorithms: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SubproblemDocument {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    identifier: IdentifierDocument,
}

#[derive(Serialize, Deserialize)]
struct IdentifierDocument {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl From<Problem> for ProblemDocument {
    fn from(problem: Problem) -> Self {
        let subproblems = problem.subproblems.iter().map(|sub| SubproblemDocument {
            kind: urn(sub.kind),
            detail: sub.detail.clone(),
            identifier: IdentifierDocument {
                kind: sub.identifier.kind().to_owned(),
                value: sub.identifier.to_string(),
            },
        });
        Self {
            kind: urn(problem.kind),
            subproblems: subproblems.collect(),
            detail: problem.detail,
            status: problem.status,
            algorithms: problem.algorithms,
        }
    }
}

/// A stored problem document that no version of Cairn has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown problem type or identifier in a problem document")]
struct UnknownProblem;

impl TryFrom<ProblemDocument> for Problem {
    type Error = UnknownProblem;

    fn try_from(document: ProblemDocument) -> Result<Self, UnknownProblem> {
        let subproblems = document.subproblems.iter().map(|sub| {
            let identifier =
                Identifier::parse(&sub.identifier.kind, &sub.identifier.value).map_err(|_| UnknownProblem)?;
            Ok(Subproblem { kind: from_urn(&sub.kind)?, detail: sub.detail.clone(), identifier })
        });
        Ok(Self {
            kind: from_urn(&document.kind)?,
            subproblems: subproblems.collect::<Result<_, _>>()?,
            detail: document.detail,
            status: document.status,
            algorithms: document.algorithms,
        })
    }
}

fn urn(kind: ProblemType) -> String {
    format!("{URN_PREFIX}{}", kind.name())
}

fn from_urn(urn: &str) -> Result<ProblemType, UnknownProblem> {
    let name = urn.strip_prefix(URN_PREFIX).ok_or(UnknownProblem)?;
    ProblemType::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownProblem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_have_the_json_form_of_the_rfc_and_read_back() {
        let problem =
            Problem::new(ProblemType::RejectedIdentifier, "no").with_subproblems(vec![Subproblem {
                kind: ProblemType::RejectedIdentifier,
                detail: "not here".to_owned(),
                identifier: Identifier::parse("dns", "a.test").unwrap(),
            }]);
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:ietf:params:acme:error:rejectedIdentifier",
                "detail": "no",
                "status": 400,
                "subproblems": [{
                    "type": "urn:ietf:params:acme:error:rejectedIdentifier",
                    "detail": "not here",
                    "identifier": {"type": "dns", "value": "a.test"},
                }],
            })
        );
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    }

    #[test]
    fn empty_members_are_left_out() {
        let json = serde_json::to_string(&Problem::new(ProblemType::BadNonce, "again")).unwrap();
        assert!(
            !json.contains("subproblems") && !json.contains("algorithms") && !json.contains("null"),
            "{json}"
        );
    }

    #[test]
    fn an_errors_source_never_reaches_the_problem() {
        let error = Error::internal("Try again later.", std::io::Error::other("secret path"));
        let json = serde_json::to_string(&Problem::from(&error)).unwrap();
        assert!(!json.contains("secret"), "{json}");
    }
}
