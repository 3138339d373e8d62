//! Orders, RFC 8555 §7.1.3. An order's status is never stored: it is computed from what has happened to the order, from its
//! authorizations and from the time, so that it cannot disagree with them.

use crate::authorization::{Authorization, AuthorizationProgress, AuthorizationStatus};
use crate::certificate::Serial;
use crate::id::{AccountId, AuthorizationId, OrderId};
use crate::identifier::Identifier;
use crate::problem::{Problem, ProblemType, Subproblem};
use crate::renewal::CertificateId;
use crate::time::Timestamp;

/// An order, as in RFC 8555 §7.1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who placed it.
    pub account: AccountId,
    /// What it is for: sorted, without duplicates, never changed.
    pub identifiers: Vec<Identifier>,
    /// One authorization per identifier, in the same order; never changed.
    pub authorizations: Vec<AuthorizationId>,
    /// The name of the profile by which its certificate will be issued.
    pub profile: String,
    /// When it was placed.
    pub created: Timestamp,
    /// Until when it can be finalized.
    pub expires: Timestamp,
    /// What has happened to it.
    pub progress: OrderProgress,
    /// The certificate that it replaces (RFC 9773 §5); never changed.
    pub replaces: Option<CertificateId>,
}

/// What has happened to an order, with the facts of each step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderProgress {
    /// Not finalized: pending or ready, as its authorizations say.
    Open,
    /// Finalized; its certificate is being issued.
    Processing {
        /// When it was finalized.
        since: Timestamp,
    },
    /// Its certificate is issued; final.
    Issued {
        /// Which.
        serial: Serial,
    },
    /// Issuance failed; final.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// The status of an order, RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Some authorization is still open.
    Pending,
    /// All authorizations are valid; may be finalized.
    Ready,
    /// The certificate is being issued.
    Processing,
    /// The certificate is there.
    Valid,
    /// Nothing will come of it.
    Invalid,
}

impl OrderStatus {
    /// The word of RFC 8555 §7.1.6.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Processing => "processing",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
        }
    }
}

/// An order together with its authorizations: all that its status follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderWithAuthorizations {
    /// The order.
    pub order: Order,
    /// Its authorizations, in the order of `order.authorizations`.
    pub authorizations: Vec<Authorization>,
}

impl OrderWithAuthorizations {
    /// The status at `now`, RFC 8555 §7.1.6.
    pub fn status(&self, now: Timestamp) -> OrderStatus {
        match self.order.progress {
            OrderProgress::Issued { .. } => OrderStatus::Valid,
            OrderProgress::Failed { .. } => OrderStatus::Invalid,
            OrderProgress::Processing { .. } => OrderStatus::Processing,
            OrderProgress::Open if self.order.expires <= now => OrderStatus::Invalid,
            OrderProgress::Open => self.open_status(now),
        }
    }

    fn open_status(&self, now: Timestamp) -> OrderStatus {
        let mut status = OrderStatus::Ready;
        for authz in &self.authorizations {
            match authz.status(now) {
                AuthorizationStatus::Valid => {}
                AuthorizationStatus::Pending => status = OrderStatus::Pending,
                AuthorizationStatus::Invalid
                | AuthorizationStatus::Deactivated
                | AuthorizationStatus::Expired => {
                    return OrderStatus::Invalid;
                }
            }
        }
        status
    }

    /// Why the order is invalid, if it is (the `error` member of RFC 8555 §7.1.3).
    pub fn error(&self, now: Timestamp) -> Option<Problem> {
        if self.status(now) != OrderStatus::Invalid {
            return None;
        }
        if let OrderProgress::Failed { problem } = &self.order.progress {
            return Some(problem.clone());
        }
        let mut failures: Vec<Subproblem> =
            self.authorizations.iter().filter_map(|authz| failure(authz, now)).collect();
        match failures.len() {
            0 => Some(Problem::new(
                ProblemType::Malformed,
                "The order expired before it was finalized. Place a new order.",
            )),
            // One failure is the order's error itself; `identifier` stands in subproblems only (RFC 8555 §6.7.1).
            1 => failures
                .pop()
                .map(|one| Problem::new(one.kind, format!("{}: {}", one.identifier, one.detail))),
            _ => Some(
                Problem::new(
                    ProblemType::Compound,
                    "Several authorizations of this order failed; see subproblems.",
                )
                .with_subproblems(failures),
            ),
        }
    }
}

/// What is wrong with an authorization that its order cannot be finalized with.
fn failure(authz: &Authorization, now: Timestamp) -> Option<Subproblem> {
    let (kind, detail) = match (authz.status(now), &authz.progress) {
        (AuthorizationStatus::Invalid, AuthorizationProgress::Invalid { problem, .. }) => {
            (problem.kind, problem.detail.clone())
        }
        (AuthorizationStatus::Deactivated, _) => {
            (ProblemType::Unauthorized, "The authorization was deactivated. Place a new order.".to_owned())
        }
        (AuthorizationStatus::Expired, _) => {
            (ProblemType::Unauthorized, "The authorization expired. Place a new order.".to_owned())
        }
        _ => return None,
    };
    Some(Subproblem { kind, detail, identifier: authz.identifier.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::tests::{authorization, invalid, valid};

    fn order(progress: OrderProgress, authorizations: Vec<AuthorizationProgress>) -> OrderWithAuthorizations {
        let authorizations: Vec<_> = authorizations.into_iter().map(authorization).collect();
        let created = Timestamp::from_unix(0);
        OrderWithAuthorizations {
            order: Order {
                id: OrderId::from_bytes([1; 16]),
                account: AccountId::from_bytes([2; 16]),
                identifiers: authorizations.iter().map(|authz| authz.identifier.clone()).collect(),
                authorizations: authorizations.iter().map(|authz| authz.id).collect(),
                profile: "default".to_owned(),
                created,
                expires: created.plus(50),
                progress,
                replaces: None,
            },
            authorizations,
        }
    }

    const NOW: Timestamp = Timestamp::from_unix(10);

    #[test]
    fn an_order_is_ready_when_every_authorization_is_valid() {
        use AuthorizationProgress::Pending;
        assert_eq!(order(OrderProgress::Open, vec![Pending, valid()]).status(NOW), OrderStatus::Pending);
        assert_eq!(order(OrderProgress::Open, vec![valid(), valid()]).status(NOW), OrderStatus::Ready);
    }

    #[test]
    fn one_failed_authorization_makes_the_order_invalid_and_tells_why() {
        let failed = order(OrderProgress::Open, vec![AuthorizationProgress::Pending, invalid()]);
        assert_eq!(failed.status(NOW), OrderStatus::Invalid);
        let error = failed.error(NOW).unwrap();
        assert_eq!(error.kind, ProblemType::Connection);
        assert!(error.detail.contains("a.test") && error.detail.contains("nobody there"));
    }

    #[test]
    fn several_failures_become_subproblems_with_their_identifiers() {
        let error = order(OrderProgress::Open, vec![invalid(), invalid()]).error(NOW).unwrap();
        assert_eq!(error.kind, ProblemType::Compound);
        assert_eq!(error.subproblems.len(), 2);
    }

    #[test]
    fn an_open_order_expires_and_an_issued_one_stays_valid() {
        let late = Timestamp::from_unix(50);
        let open = order(OrderProgress::Open, vec![valid()]);
        assert_eq!(open.status(late), OrderStatus::Invalid);
        assert!(open.error(late).unwrap().detail.contains("expired"));
        let issued =
            order(OrderProgress::Issued { serial: Serial::from_bytes(&[1]).unwrap() }, vec![valid()]);
        assert_eq!(issued.status(late.plus(1000)), OrderStatus::Valid);
        assert_eq!(issued.error(late), None);
    }

    #[test]
    fn a_deactivated_authorization_ends_the_order() {
        let gone = order(OrderProgress::Open, vec![AuthorizationProgress::Deactivated { at: NOW }]);
        assert_eq!(gone.status(NOW), OrderStatus::Invalid);
        assert_eq!(gone.error(NOW).unwrap().kind, ProblemType::Unauthorized);
    }
}
