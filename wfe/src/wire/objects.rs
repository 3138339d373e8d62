//! The objects of RFC 8555 §7.1 as clients see them.

use std::fmt::Display;

use cairn_core::{
    Account, Authorization, AuthorizationProgress as Progress, AuthorizationStatus, CertificateId,
    ChallengeType, Identifier, OrderProgress, OrderStatus, OrderWithAuthorizations, Problem, ProblemType,
    RenewalInfo, Timestamp, Token, ValidationRecord,
};
use serde::{Serialize, Serializer};

use crate::edge::Visit;
use crate::links::{Link, Resource};

/// RFC 8555 §7.1.1, with what there is and nothing else; `meta` has nothing to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DirectoryObject<'a> {
    new_nonce: Link<'a>,
    new_account: Link<'a>,
    new_order: Link<'a>,
    revoke_cert: Link<'a>,
    /// RFC 9773 §3.
    renewal_info: Link<'a>,
}

impl<'a> DirectoryObject<'a> {
    pub(crate) fn new(visit: &'a Visit) -> Self {
        Self {
            new_nonce: visit.link(Resource::NewNonce),
            new_account: visit.link(Resource::NewAccount),
            new_order: visit.link(Resource::NewOrder),
            revoke_cert: visit.link(Resource::RevokeCert),
            renewal_info: visit.link(Resource::RenewalInfo),
        }
    }
}

/// RFC 8555 §7.1.2, without `orders`: no list of them is served.
#[derive(Serialize)]
pub(crate) struct AccountObject<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    contact: &'a [String],
}

impl<'a> AccountObject<'a> {
    pub(crate) fn new(account: &'a Account) -> Self {
        Self { status: account.status.as_str(), contact: &account.contact }
    }
}

/// RFC 8555 §9.7.7.
#[derive(Serialize)]
struct IdentifierObject<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(serialize_with = "text")]
    value: &'a Identifier,
}

impl<'a> IdentifierObject<'a> {
    const fn new(identifier: &'a Identifier) -> Self {
        Self { kind: identifier.kind(), value: identifier }
    }
}

/// RFC 8555 §7.1.3.
#[derive(Serialize)]
pub(crate) struct OrderObject<'a> {
    status: &'static str,
    #[serde(serialize_with = "text")]
    expires: Timestamp,
    identifiers: Vec<IdentifierObject<'a>>,
    authorizations: Vec<Link<'a>>,
    finalize: Link<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Link<'a>>,
    /// RFC 9773 §5.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_text")]
    replaces: Option<&'a CertificateId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

impl<'a> OrderObject<'a> {
    pub(crate) fn new(visit: &'a Visit, order: &'a OrderWithAuthorizations, now: Timestamp) -> Self {
        let certificate = match &order.order.progress {
            OrderProgress::Issued { serial } => Some(visit.link(Resource::Certificate(serial))),
            OrderProgress::Open | OrderProgress::Processing { .. } | OrderProgress::Failed { .. } => None,
        };
        let error = order.error(now);
        let order_status = order.status(now);
        let order = &order.order;
        Self {
            status: order_status.as_str(),
            expires: order.expires,
            identifiers: order.identifiers.iter().map(IdentifierObject::new).collect(),
            authorizations: order
                .authorizations
                .iter()
                .map(|id| visit.link(Resource::Authorization(*id)))
                .collect(),
            finalize: visit.link(Resource::Finalize(order.id)),
            certificate,
            replaces: order.replaces.as_ref(),
            error,
        }
    }

    /// Whether asking again soon makes sense.
    pub(crate) fn is_processing(&self) -> bool {
        self.status == OrderStatus::Processing.as_str()
    }
}

/// RFC 9773 §4.2.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RenewalInfoObject<'a> {
    suggested_window: Window,
    #[serde(rename = "explanationURL", skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
}

#[derive(Serialize)]
struct Window {
    #[serde(serialize_with = "text")]
    start: Timestamp,
    #[serde(serialize_with = "text")]
    end: Timestamp,
}

impl<'a> RenewalInfoObject<'a> {
    pub(crate) fn new(info: &'a RenewalInfo) -> Self {
        let suggested_window = Window { start: info.start, end: info.end };
        Self { suggested_window, explanation: info.explanation.as_deref() }
    }
}

/// RFC 8555 §7.1.4.
#[derive(Serialize)]
pub(crate) struct AuthorizationObject<'a> {
    status: &'static str,
    #[serde(serialize_with = "text")]
    expires: Timestamp,
    identifier: IdentifierObject<'a>,
    /// Present only when it is true.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wildcard: bool,
    challenges: Vec<ChallengeObject<'a>>,
}

impl<'a> AuthorizationObject<'a> {
    pub(crate) fn new(visit: &'a Visit, authz: &'a Authorization, now: Timestamp) -> Self {
        // RFC 8555 §7.1.4: a valid authorization shows the challenge that succeeded, an invalid one that which failed.
        let shown = match &authz.progress {
            Progress::Valid { challenge, .. } | Progress::Invalid { challenge, .. } => {
                std::slice::from_ref(challenge)
            }
            Progress::Pending | Progress::Validating { .. } | Progress::Deactivated { .. } => {
                &authz.challenges
            }
        };
        Self {
            status: authz.status(now).as_str(),
            expires: authz.expires,
            identifier: IdentifierObject::new(&authz.identifier),
            wildcard: authz.wildcard,
            challenges: shown.iter().map(|kind| ChallengeObject::new(visit, authz, *kind, now)).collect(),
        }
    }

    /// Whether asking again soon makes sense.
    pub(crate) fn is_processing(&self) -> bool {
        self.challenges.iter().any(ChallengeObject::is_processing)
    }
}

/// RFC 8555 §8.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChallengeObject<'a> {
    #[serde(rename = "type")]
    kind: ChallengeType,
    url: Link<'a>,
    status: ChallengeStatus,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_text")]
    validated: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Problem>,
    #[serde(serialize_with = "text")]
    token: Token,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    validation_record: &'a [ValidationRecord],
}

/// RFC 8555 §7.1.6.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ChallengeStatus {
    Pending,
    Processing,
    Valid,
    Invalid,
}

impl<'a> ChallengeObject<'a> {
    /// The challenge of this type in `authz`, which offers it.
    pub(crate) fn new(
        visit: &'a Visit,
        authz: &'a Authorization,
        kind: ChallengeType,
        now: Timestamp,
    ) -> Self {
        let open = authz.status(now) == AuthorizationStatus::Pending;
        let mut object = Self {
            kind,
            url: visit.link(Resource::Challenge(authz.id, kind)),
            status: ChallengeStatus::Pending,
            validated: None,
            error: None,
            token: authz.token,
            validation_record: &[],
        };
        match &authz.progress {
            Progress::Validating { challenge, .. } if open && *challenge == kind => {
                object.status = ChallengeStatus::Processing;
            }
            Progress::Valid { challenge, at, records } if *challenge == kind => {
                object.status = ChallengeStatus::Valid;
                object.validated = Some(*at);
                object.validation_record = records;
            }
            Progress::Invalid { challenge, records, problem, .. } if *challenge == kind => {
                object.status = ChallengeStatus::Invalid;
                object.error = Some(problem);
                object.validation_record = records;
            }
            Progress::Pending | Progress::Validating { .. } | Progress::Deactivated { .. } if !open => {
                // Whoever polls a challenge learns from it that the authorization has ended.
                object.status = ChallengeStatus::Invalid;
                object.error = Some(&CLOSED);
            }
            // Open and untried; or never to be tried, since another challenge of the authorization was.
            Progress::Pending
            | Progress::Validating { .. }
            | Progress::Valid { .. }
            | Progress::Invalid { .. }
            | Progress::Deactivated { .. } => {}
        }
        object
    }

    /// Whether asking again soon makes sense.
    pub(crate) fn is_processing(&self) -> bool {
        self.status == ChallengeStatus::Processing
    }
}

/// Why a challenge of an expired or deactivated authorization is invalid (RFC 8555 §8: `error`).
static CLOSED: std::sync::LazyLock<Problem> = std::sync::LazyLock::new(|| {
    let detail = "The challenge's authorization has expired or was deactivated. Place a new order.";
    Problem::new(ProblemType::Unauthorized, detail)
});

fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn optional_text<S: Serializer>(value: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
