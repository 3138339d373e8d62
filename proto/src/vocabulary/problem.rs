//! Problem documents.

use cairn_core::{Problem, ProblemType, Subproblem};

use crate::reading::{BadMessage, Read, list, read, same_names, value, wire};
use crate::v1;

same_names!(ProblemType {
    AccountDoesNotExist,
    AlreadyRevoked,
    BadCsr,
    BadNonce,
    BadPublicKey,
    BadRevocationReason,
    BadSignatureAlgorithm,
    Caa,
    Compound,
    Connection,
    Dns,
    IncorrectResponse,
    InvalidContact,
    Malformed,
    OrderNotReady,
    RateLimited,
    RejectedIdentifier,
    ServerInternal,
    Tls,
    Unauthorized,
    UnsupportedContact,
    UnsupportedIdentifier,
    AlreadyReplaced,
});

impl From<Problem> for v1::Problem {
    fn from(problem: Problem) -> Self {
        let Problem { kind, detail, status, subproblems, algorithms } = problem;
        Self {
            kind: v1::ProblemType::from(kind).into(),
            detail,
            status: status.into(),
            subproblems: wire(subproblems),
            algorithms,
        }
    }
}

impl TryFrom<v1::Problem> for Problem {
    type Error = BadMessage;

    fn try_from(it: v1::Problem) -> Read<Self> {
        let v1::Problem { kind, detail, status, subproblems, algorithms } = it;
        let status = u16::try_from(status).ok().filter(|status| (100..1000).contains(status));
        Ok(Self {
            kind: value::<v1::ProblemType, _>("Problem.kind", kind)?,
            detail,
            status: status.ok_or(BadMessage::new("Problem.status", "is no HTTP status"))?,
            subproblems: list(subproblems)?,
            algorithms,
        })
    }
}

impl From<Subproblem> for v1::Subproblem {
    fn from(subproblem: Subproblem) -> Self {
        let Subproblem { kind, detail, identifier } = subproblem;
        Self { kind: v1::ProblemType::from(kind).into(), detail, identifier: Some(identifier.into()) }
    }
}

impl TryFrom<v1::Subproblem> for Subproblem {
    type Error = BadMessage;

    fn try_from(it: v1::Subproblem) -> Read<Self> {
        let v1::Subproblem { kind, detail, identifier } = it;
        Ok(Self {
            kind: value::<v1::ProblemType, _>("Subproblem.kind", kind)?,
            detail,
            identifier: read("Subproblem.identifier", identifier)?,
        })
    }
}
