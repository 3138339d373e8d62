//! Authorizations in every progress.

use cairn_core::{Authorization, AuthorizationProgress};

use super::{account_id, authorization_id, token};
use crate::reading::{BadMessage, Read, list, present, read, time, value, wire};
use crate::v1;
use crate::v1::authorization_progress::{Deactivated, Invalid, Progress, Valid, Validating};

impl From<Authorization> for v1::Authorization {
    fn from(authorization: Authorization) -> Self {
        let Authorization {
            id,
            account,
            identifier,
            wildcard,
            created,
            expires,
            token,
            challenges,
            progress,
        } = authorization;
        Self {
            id: id.as_bytes().to_vec(),
            account: account.as_bytes().to_vec(),
            identifier: Some(identifier.into()),
            wildcard: Some(wildcard),
            created: Some(created.unix()),
            expires: Some(expires.unix()),
            token: token.as_bytes().to_vec(),
            challenges: challenges.into_iter().map(|it| v1::ChallengeType::from(it).into()).collect(),
            progress: Some(progress.into()),
        }
    }
}

impl TryFrom<v1::Authorization> for Authorization {
    type Error = BadMessage;

    fn try_from(it: v1::Authorization) -> Read<Self> {
        let challenges = it.challenges.into_iter();
        Ok(Self {
            id: authorization_id("Authorization.id", &it.id)?,
            account: account_id("Authorization.account", &it.account)?,
            identifier: read("Authorization.identifier", it.identifier)?,
            wildcard: present("Authorization.wildcard", it.wildcard)?,
            created: time("Authorization.created", it.created)?,
            expires: time("Authorization.expires", it.expires)?,
            token: token("Authorization.token", &it.token)?,
            challenges: challenges
                .map(|it| value::<v1::ChallengeType, _>("Authorization.challenges", it))
                .collect::<Read<_>>()?,
            progress: read("Authorization.progress", it.progress)?,
        })
    }
}

impl From<AuthorizationProgress> for v1::AuthorizationProgress {
    fn from(progress: AuthorizationProgress) -> Self {
        let progress = match progress {
            AuthorizationProgress::Pending => Progress::Pending(v1::Nothing {}),
            AuthorizationProgress::Validating { challenge, since } => Progress::Validating(Validating {
                challenge: v1::ChallengeType::from(challenge).into(),
                since: Some(since.unix()),
            }),
            AuthorizationProgress::Valid { challenge, at, records } => Progress::Valid(Valid {
                challenge: v1::ChallengeType::from(challenge).into(),
                at: Some(at.unix()),
                records: wire(records),
            }),
            AuthorizationProgress::Invalid { challenge, at, records, problem } => {
                Progress::Invalid(Invalid {
                    challenge: v1::ChallengeType::from(challenge).into(),
                    at: Some(at.unix()),
                    records: wire(records),
                    problem: Some(problem.into()),
                })
            }
            AuthorizationProgress::Deactivated { at } => {
                Progress::Deactivated(Deactivated { at: Some(at.unix()) })
            }
        };
        Self { progress: Some(progress) }
    }
}

impl TryFrom<v1::AuthorizationProgress> for AuthorizationProgress {
    type Error = BadMessage;

    fn try_from(it: v1::AuthorizationProgress) -> Read<Self> {
        let challenge = |number| value::<v1::ChallengeType, _>("AuthorizationProgress.challenge", number);
        let at = |seconds| time("AuthorizationProgress.at", seconds);
        Ok(match present("AuthorizationProgress.progress", it.progress)? {
            Progress::Pending(v1::Nothing {}) => Self::Pending,
            Progress::Validating(it) => Self::Validating {
                challenge: challenge(it.challenge)?,
                since: time("AuthorizationProgress.since", it.since)?,
            },
            Progress::Valid(it) => Self::Valid {
                challenge: challenge(it.challenge)?,
                at: at(it.at)?,
                records: list(it.records)?,
            },
            Progress::Invalid(it) => Self::Invalid {
                challenge: challenge(it.challenge)?,
                at: at(it.at)?,
                records: list(it.records)?,
                problem: read("AuthorizationProgress.problem", it.problem)?,
            },
            Progress::Deactivated(it) => Self::Deactivated { at: at(it.at)? },
        })
    }
}
