//! One of everything.

use std::time::Duration;

use cairn_core::api::OcspResponse;
use cairn_core::api::admin::SelectedCertificate;
use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
use cairn_core::api::revocations::{IncidentEntry, StoredCertificate};
use cairn_core::api::sa::{
    Intent, NewCertificate, NewOrder, NewRevocation, ProcessingOrder, RunningValidation,
};
use cairn_core::*;
use cairn_jose::Algorithm;
use cairn_jose::sign::SigningKey;

pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_767_323_045);

pub(crate) fn identifiers() -> Vec<Identifier> {
    [("dns", "a.test"), ("dns", "*.xn--bcher-kva.test"), ("ip", "192.0.2.1"), ("ip", "::ffff:192.0.2.1")]
        .into_iter()
        .map(|(kind, value)| Identifier::parse(kind, value).unwrap())
        .collect()
}

pub(crate) fn key() -> Jwk {
    SigningKey::generate(Algorithm::Es256).unwrap().jwk().clone()
}

pub(crate) fn account() -> Account {
    Account {
        id: AccountId::from_bytes([1; 16]),
        key: key(),
        contact: vec!["mailto:a@a.test".to_owned(), "mailto:b@a.test".to_owned()],
        status: AccountStatus::Deactivated,
        created: NOW,
    }
}

pub(crate) fn problem() -> Problem {
    let mut problem = Problem::new(ProblemType::Compound, "ünïcode\r\n and more")
        .with_status(499)
        .with_subproblems(subproblems());
    problem.algorithms = vec!["ES256".to_owned()];
    problem
}

pub(crate) fn subproblems() -> Vec<Subproblem> {
    let subproblem = |(number, identifier)| Subproblem {
        kind: ProblemType::ALL[number],
        detail: format!("No. {number}: ü"),
        identifier,
    };
    identifiers().into_iter().enumerate().map(subproblem).collect()
}

pub(crate) fn records() -> Vec<ValidationRecord> {
    vec![
        ValidationRecord {
            url: Some("http://a.test/.well-known/acme-challenge/x".to_owned()),
            hostname: "a.test".to_owned(),
            port: Some(80),
            addresses_resolved: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            address_used: Some("2001:db8::1".parse().unwrap()),
            perspective: Some("far away".to_owned()),
            problem: Some(problem()),
        },
        ValidationRecord { hostname: "b.test".to_owned(), ..ValidationRecord::default() },
    ]
}

pub(crate) fn serial() -> Serial {
    Serial::from_bytes(&[0, 0x80, 1]).unwrap()
}

pub(crate) fn progresses() -> Vec<AuthorizationProgress> {
    let (challenge, at) = (ChallengeType::TlsAlpn01, NOW);
    vec![
        AuthorizationProgress::Pending,
        AuthorizationProgress::Validating { challenge, since: at },
        AuthorizationProgress::Valid { challenge, at, records: records() },
        AuthorizationProgress::Invalid { challenge, at, records: records(), problem: problem() },
        AuthorizationProgress::Deactivated { at },
    ]
}

pub(crate) fn authorization() -> Authorization {
    authorizations().swap_remove(3)
}

/// One in each progress.
pub(crate) fn authorizations() -> Vec<Authorization> {
    let authorization = |(number, progress): (usize, AuthorizationProgress)| Authorization {
        id: AuthorizationId::from_bytes([u8::try_from(number).unwrap(); 16]),
        account: AccountId::from_bytes([1; 16]),
        identifier: identifiers()[number % 4].base(),
        wildcard: number == 1,
        created: Timestamp::from_unix(-1),
        expires: Timestamp::from_unix(0),
        token: Token::from_bytes([7; 32]),
        challenges: ChallengeType::ALL.to_vec(),
        progress,
    };
    progresses().into_iter().enumerate().map(authorization).collect()
}

pub(crate) fn order() -> Order {
    Order {
        id: OrderId::from_bytes([3; 16]),
        account: AccountId::from_bytes([1; 16]),
        identifiers: identifiers(),
        authorizations: authorizations().iter().map(|authorization| authorization.id).collect(),
        profile: "default".to_owned(),
        created: NOW,
        expires: NOW.plus(1),
        progress: OrderProgress::Failed { problem: problem() },
        replaces: Some(certificate_id()),
    }
}

pub(crate) fn certificate_id() -> CertificateId {
    CertificateId { issuer: IssuerId::from_bytes([9; 20]), serial: serial() }
}

pub(crate) fn renewal() -> Renewal {
    Renewal {
        issuer: IssuerId::from_bytes([9; 20]),
        issued: NOW,
        not_after: NOW.plus(1),
        revoked: Some(NOW.plus(2)),
        incident: Some(OpenIncident {
            since: NOW.plus(3),
            explanation: Some("https://ca.test/why".to_owned()),
        }),
        replace_by: Some(NOW.plus(4)),
    }
}

pub(crate) fn incident() -> Incident {
    Incident {
        id: IncidentId::from_bytes([6; 16]),
        name: "Too long".to_owned(),
        selection: "everything".to_owned(),
        reason: Some(RevocationReason::Superseded),
        drill: true,
        explanation: Some("https://ca.test/why".to_owned()),
        created: NOW,
        end: Some(IncidentEnd { at: NOW.plus(1), by: "operator alice".to_owned() }),
        status: IncidentStatus::Finished,
    }
}

/// One of which nothing is said that may be left out.
pub(crate) fn bare_incident() -> Incident {
    Incident { reason: None, explanation: None, end: None, status: IncidentStatus::Open, ..incident() }
}

pub(crate) fn entries() -> Vec<IncidentEntry> {
    vec![IncidentEntry { serial: serial(), subject: [7; 16] }]
}

pub(crate) fn stored() -> Vec<StoredCertificate> {
    let profile = Some("short".to_owned());
    let known = StoredCertificate { record: certificate(), issued: NOW, profile };
    vec![known.clone(), StoredCertificate { profile: None, ..known }]
}

pub(crate) fn selected() -> Vec<SelectedCertificate> {
    let one = SelectedCertificate {
        serial: serial(),
        account: Some(AccountId::from_bytes([1; 16])),
        names: vec!["a.test".to_owned()],
        more_names: 3,
        not_after: NOW,
        revocation: Some(revocation()),
    };
    vec![one.clone(), SelectedCertificate { account: None, names: Vec::new(), revocation: None, ..one }]
}

pub(crate) fn selections() -> Vec<Selection> {
    let whole = Selection {
        account: Some(AccountId::from_bytes([1; 16])),
        name: Some(SelectedName { name: identifiers().remove(0), subdomains: true }),
        key: Some([8; 32]),
        issuer: Some(IssuerId::from_bytes([9; 20])),
        issued_before: Some(NOW),
        issued_after: Some(NOW.plus(-1)),
        profile: Some(String::new()),
    };
    vec![Selection::default(), whole]
}

pub(crate) fn whole_order() -> OrderWithAuthorizations {
    OrderWithAuthorizations { order: order(), authorizations: authorizations() }
}

pub(crate) fn new_order() -> NewOrder {
    NewOrder { order: order(), new_authorizations: authorizations() }
}

pub(crate) fn certificate() -> CertificateRecord {
    CertificateRecord {
        serial: serial(),
        order: Some(OrderId::from_bytes([3; 16])),
        account: Some(AccountId::from_bytes([1; 16])),
        issuer: IssuerId::from_bytes([9; 20]),
        der: vec![0x30, 0],
        not_after: NOW,
        revocation: Some(revocation()),
    }
}

pub(crate) fn issued() -> IssuedCertificate {
    IssuedCertificate { serial: serial(), der: vec![0x30, 0x80, 0xff] }
}

pub(crate) fn revocation() -> Revocation {
    Revocation { at: NOW, reason: Some(RevocationReason::PrivilegeWithdrawn) }
}

pub(crate) fn new_revocation() -> NewRevocation {
    NewRevocation { serial: serial(), revocation: revocation(), blocked_key: Some([5; 32]) }
}

pub(crate) fn intent() -> Intent {
    Intent {
        serial: serial(),
        order: Some(OrderId::from_bytes([3; 16])),
        account: None,
        issuer: IssuerId::from_bytes([9; 20]),
        crl_shard: Some(CrlShard::new(3)),
        lint_certificate: vec![1, 2, 3],
        at: NOW,
    }
}

pub(crate) fn new_certificate() -> NewCertificate {
    NewCertificate {
        serial: serial(),
        der: vec![4, 5],
        spki_sha256: Some([6; 32]),
        not_after: NOW.plus(9),
        at: NOW,
    }
}

pub(crate) fn revocation_position() -> RevocationPosition {
    RevocationPosition::from_number(1 << 50)
}

pub(crate) fn revocation_events() -> Vec<RevocationEvent> {
    let event = |number, revocation| RevocationEvent {
        position: RevocationPosition::from_number(number),
        serial: serial(),
        issuer: IssuerId::from_bytes([9; 20]),
        revocation,
    };
    vec![event(1, revocation()), event(2, Revocation { at: NOW, reason: None })]
}

pub(crate) fn shard() -> ShardId {
    ShardId { issuer: IssuerId::from_bytes([9; 20]), shard: CrlShard::new(u16::MAX) }
}

pub(crate) fn crl_id() -> CrlId {
    CrlId { shard: shard(), kind: CrlKind::Delta, number: u64::MAX }
}

pub(crate) fn crl() -> CrlHead {
    CrlHead {
        id: crl_id(),
        this_update: NOW,
        next_update: NOW.plus(1),
        base: Some(0),
        position: revocation_position(),
        entries: 1,
        length: 2,
        sha256: [3; 32],
    }
}

pub(crate) fn crls() -> Vec<CrlHead> {
    let complete = CrlId { kind: CrlKind::Complete, number: 0, ..crl_id() };
    vec![CrlHead { id: complete, base: None, ..crl() }, crl()]
}

pub(crate) fn revoked() -> Vec<RevokedCertificate> {
    let certificate = |revocation| RevokedCertificate {
        serial: serial(),
        not_after: NOW.plus(5),
        revocation,
        position: revocation_position(),
    };
    vec![certificate(revocation()), certificate(Revocation { at: NOW, reason: None })]
}

/// One with a name and one without.
pub(crate) fn certificate_status() -> CertificateStatus {
    CertificateStatus { issuer: IssuerId::from_bytes([6; 20]), revocation: Some(revocation()) }
}

pub(crate) fn ocsp_response() -> OcspResponse {
    OcspResponse { der: vec![0x30, 3], this_update: NOW, next_update: NOW.plus(60) }
}

pub(crate) fn ca_certificates() -> Vec<CaCertificate> {
    let certificate = |number: u8, subject| CaCertificate { der: vec![0x30, number], subject, at: NOW };
    vec![certificate(1, Some(IssuerId::from_bytes([9; 20]))), certificate(2, None)]
}

pub(crate) fn processing_orders() -> Vec<ProcessingOrder> {
    let id = OrderId::from_bytes([3; 16]);
    vec![ProcessingOrder { id, since: NOW }]
}

pub(crate) fn running_validations() -> Vec<RunningValidation> {
    vec![RunningValidation { authorization: authorization(), thumbprint: key().thumbprint() }]
}

pub(crate) const KINDS: [ErrorKind; 18] = [
    ErrorKind::AccountDoesNotExist,
    ErrorKind::AccountNotValid,
    ErrorKind::AlreadyRevoked,
    ErrorKind::BadCsr,
    ErrorKind::BadNonce,
    ErrorKind::BadPublicKey,
    ErrorKind::BadRevocationReason,
    ErrorKind::Conflict,
    ErrorKind::Internal,
    ErrorKind::InvalidContact,
    ErrorKind::Malformed,
    ErrorKind::NotFound,
    ErrorKind::OrderNotReady,
    ErrorKind::RejectedIdentifier,
    ErrorKind::Unauthorized,
    ErrorKind::Unavailable,
    ErrorKind::UnsupportedContact,
    ErrorKind::UnsupportedIdentifier,
];

/// An error with everything.
pub(crate) fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "what the client is told: ü \r\n %41")
        .with_subproblems(subproblems())
        .with_retry_after(Duration::new(7, 999_999_999))
        .with_source("what the log is told")
}
