//! Authorizations: proof in the making that an account controls an identifier, RFC 8555 §7.1.4.

use crate::challenge::{ChallengeType, Token, ValidationRecord};
use crate::id::{AccountId, AuthorizationId};
use crate::identifier::Identifier;
use crate::problem::Problem;
use crate::time::Timestamp;

/// An authorization, as in RFC 8555 §7.1.4, with its challenges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Its id.
    pub id: AuthorizationId,
    /// The account that it authorizes.
    pub account: AccountId,
    /// What it is about; never a wildcard.
    pub identifier: Identifier,
    /// Whether it serves `*.identifier` instead of `identifier`.
    pub wildcard: bool,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Timestamp,
    /// The token of all its challenges.
    pub token: Token,
    /// The challenges offered, at least one.
    pub challenges: Vec<ChallengeType>,
    /// How far it has come.
    pub progress: AuthorizationProgress,
}

/// How far an authorization has come, with the facts of each step. The status that a client sees follows from this and the time:
/// [`Authorization::status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizationProgress {
    /// No challenge has been answered.
    Pending,
    /// A challenge was answered and is being validated.
    Validating {
        /// The challenge that the client chose.
        challenge: ChallengeType,
        /// When it did.
        since: Timestamp,
    },
    /// A challenge succeeded.
    Valid {
        /// Which.
        challenge: ChallengeType,
        /// When.
        at: Timestamp,
        /// What was seen.
        records: Vec<ValidationRecord>,
    },
    /// A challenge failed; final.
    Invalid {
        /// Which.
        challenge: ChallengeType,
        /// When.
        at: Timestamp,
        /// What was seen.
        records: Vec<ValidationRecord>,
        /// Why.
        problem: Problem,
    },
    /// Its account has given it up (RFC 8555 §7.5.2); final.
    Deactivated {
        /// When.
        at: Timestamp,
    },
}

/// The status of an authorization, RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationStatus {
    /// Waits for a challenge to be answered or validated.
    Pending,
    /// Good for issuance.
    Valid,
    /// Failed.
    Invalid,
    /// Given up by its account.
    Deactivated,
    /// Its time has passed.
    Expired,
}

impl AuthorizationStatus {
    /// The word of RFC 8555 §7.1.6.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Deactivated => "deactivated",
            Self::Expired => "expired",
        }
    }
}

impl Authorization {
    /// The status at `now`.
    pub fn status(&self, now: Timestamp) -> AuthorizationStatus {
        match self.progress {
            AuthorizationProgress::Invalid { .. } => AuthorizationStatus::Invalid,
            AuthorizationProgress::Deactivated { .. } => AuthorizationStatus::Deactivated,
            _ if self.expires <= now => AuthorizationStatus::Expired,
            AuthorizationProgress::Valid { .. } => AuthorizationStatus::Valid,
            AuthorizationProgress::Pending | AuthorizationProgress::Validating { .. } => {
                AuthorizationStatus::Pending
            }
        }
    }

    /// The identifier as it stands in an order: with `*.` in front when this is for a wildcard.
    pub fn serves(&self, identifier: &Identifier) -> bool {
        identifier.is_wildcard() == self.wildcard && identifier.base() == self.identifier
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::problem::ProblemType;
    use crate::random::SeededRandom;

    /// An authorization for `a.test` that was made at second 0 and ends at second 100.
    pub(crate) fn authorization(progress: AuthorizationProgress) -> Authorization {
        let random = SeededRandom::new(1);
        let created = Timestamp::from_unix(0);
        Authorization {
            id: AuthorizationId::new(created, &random),
            account: AccountId::new(created, &random),
            identifier: Identifier::parse("dns", "a.test").unwrap(),
            wildcard: false,
            created,
            expires: created.plus(100),
            token: Token::new(&random),
            challenges: ChallengeType::ALL.to_vec(),
            progress,
        }
    }

    pub(crate) fn valid() -> AuthorizationProgress {
        AuthorizationProgress::Valid {
            challenge: ChallengeType::Http01,
            at: Timestamp::from_unix(1),
            records: Vec::new(),
        }
    }

    pub(crate) fn invalid() -> AuthorizationProgress {
        AuthorizationProgress::Invalid {
            challenge: ChallengeType::Http01,
            at: Timestamp::from_unix(1),
            records: Vec::new(),
            problem: Problem::new(ProblemType::Connection, "nobody there"),
        }
    }

    #[test]
    fn a_pending_or_valid_authorization_expires_and_a_final_one_does_not() {
        let late = Timestamp::from_unix(100);
        assert_eq!(authorization(AuthorizationProgress::Pending).status(late), AuthorizationStatus::Expired);
        assert_eq!(authorization(valid()).status(late), AuthorizationStatus::Expired);
        assert_eq!(authorization(valid()).status(late.plus(-1)), AuthorizationStatus::Valid);
        assert_eq!(authorization(invalid()).status(late), AuthorizationStatus::Invalid);
    }

    #[test]
    fn a_wildcard_and_its_base_need_an_authorization_each() {
        let plain = authorization(AuthorizationProgress::Pending);
        let wildcard = Authorization { wildcard: true, ..plain.clone() };
        let (base, star) =
            (Identifier::parse("dns", "a.test").unwrap(), Identifier::parse("dns", "*.a.test").unwrap());
        assert!(plain.serves(&base) && !plain.serves(&star));
        assert!(wildcard.serves(&star) && !wildcard.serves(&base));
    }
}
