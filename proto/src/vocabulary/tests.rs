//! Everything of the vocabulary survives its octets, and no octets make the reading panic.

use std::net::IpAddr;
use std::time::Duration;

use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::sa::{
    Intent, NewCertificate, NewOrder, NewRevocation, ProcessingOrder, RunningValidation,
};
use cairn_core::*;
use cairn_jose::Algorithm;
use cairn_jose::sign::SigningKey;
use prop::collection::vec;
use prop::option;
use proptest::prelude::*;
use prost::Message;

use crate::reading::{BadMessage, Read};
use crate::v1;

/// There and back, as octets.
fn there_and_back<W, T>(sent: T) -> Read<T>
where
    W: Message + Default + From<T>,
    T: TryFrom<W, Error = BadMessage>,
{
    W::decode(W::from(sent).encode_to_vec().as_slice()).unwrap().try_into()
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix)
}

fn identifier() -> impl Strategy<Value = Identifier> {
    prop_oneof![
        "(\\*\\.)?[a-z][a-z0-9]{0,10}(\\.[a-z]{1,8}){1,3}"
            .prop_map(|name| Identifier::parse("dns", &name).unwrap()),
        any::<IpAddr>().prop_map(Identifier::Ip),
    ]
}

fn challenge() -> impl Strategy<Value = ChallengeType> {
    prop::sample::select(&ChallengeType::ALL)
}

fn serial() -> impl Strategy<Value = Serial> {
    vec(any::<u8>(), 1..=20).prop_filter_map("no serial", |octets| Serial::from_bytes(&octets))
}

fn subproblems() -> impl Strategy<Value = Vec<Subproblem>> {
    let subproblem = (prop::sample::select(ProblemType::ALL), any::<String>(), identifier())
        .prop_map(|(kind, detail, identifier)| Subproblem { kind, detail, identifier });
    vec(subproblem, 0..3)
}

fn problem() -> impl Strategy<Value = Problem> {
    let kind = prop::sample::select(ProblemType::ALL);
    (kind, any::<String>(), 100..1000_u16, subproblems(), vec(any::<String>(), 0..2)).prop_map(
        |(kind, detail, status, subproblems, algorithms)| Problem {
            kind,
            detail,
            status,
            subproblems,
            algorithms,
        },
    )
}

fn error() -> impl Strategy<Value = Error> {
    let kind =
        (1..=18).prop_map(|number| ErrorKind::try_from(v1::ErrorKind::try_from(number).unwrap()).unwrap());
    (kind, any::<String>(), subproblems(), option::of(any::<Duration>())).prop_map(
        |(kind, detail, subproblems, retry_after)| {
            let mut error = Error::new(kind, detail).with_subproblems(subproblems);
            error.retry_after = retry_after;
            error
        },
    )
}

fn records() -> impl Strategy<Value = Vec<ValidationRecord>> {
    let record = (
        option::of(any::<String>()),
        any::<String>(),
        option::of(any::<u16>()),
        vec(any::<IpAddr>(), 0..3),
        option::of(any::<IpAddr>()),
        option::of(any::<String>()),
        option::of(problem()),
    )
        .prop_map(|(url, hostname, port, addresses_resolved, address_used, perspective, problem)| {
            ValidationRecord { url, hostname, port, addresses_resolved, address_used, perspective, problem }
        });
    vec(record, 0..3)
}

fn authorization_progress() -> impl Strategy<Value = AuthorizationProgress> {
    prop_oneof![
        Just(AuthorizationProgress::Pending),
        (challenge(), time())
            .prop_map(|(challenge, since)| AuthorizationProgress::Validating { challenge, since }),
        (challenge(), time(), records()).prop_map(|(challenge, at, records)| AuthorizationProgress::Valid {
            challenge,
            at,
            records
        }),
        (challenge(), time(), records(), problem()).prop_map(|(challenge, at, records, problem)| {
            AuthorizationProgress::Invalid { challenge, at, records, problem }
        }),
        time().prop_map(|at| AuthorizationProgress::Deactivated { at }),
    ]
}

fn authorization() -> impl Strategy<Value = Authorization> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 32]>());
    (ids, identifier(), any::<bool>(), time(), time(), vec(challenge(), 0..4), authorization_progress())
        .prop_map(|((id, account, token), identifier, wildcard, created, expires, challenges, progress)| {
            Authorization {
                id: AuthorizationId::from_bytes(id),
                account: AccountId::from_bytes(account),
                identifier,
                wildcard,
                created,
                expires,
                token: Token::from_bytes(token),
                challenges,
                progress,
            }
        })
}

fn order_progress() -> impl Strategy<Value = OrderProgress> {
    prop_oneof![
        Just(OrderProgress::Open),
        time().prop_map(|since| OrderProgress::Processing { since }),
        serial().prop_map(|serial| OrderProgress::Issued { serial }),
        problem().prop_map(|problem| OrderProgress::Failed { problem }),
    ]
}

fn order() -> impl Strategy<Value = OrderWithAuthorizations> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 16]>());
    let replaces = option::of((any::<[u8; 20]>(), serial()));
    let times = (time(), time());
    let parts = vec((identifier(), authorization()), 0..4);
    (ids, parts, any::<String>(), times, order_progress(), replaces).prop_map(
        |((id, account), parts, profile, (created, expires), progress, replaces)| {
            let (identifiers, authorizations): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let order = Order {
                id: OrderId::from_bytes(id),
                account: AccountId::from_bytes(account),
                identifiers,
                authorizations: authorizations.iter().map(|it| it.id).collect(),
                profile,
                created,
                expires,
                progress,
                replaces: replaces
                    .map(|(issuer, serial)| CertificateId { issuer: IssuerId::from_bytes(issuer), serial }),
            };
            OrderWithAuthorizations { order, authorizations }
        },
    )
}

fn certificate() -> impl Strategy<Value = CertificateRecord> {
    let reason = option::of(prop::sample::select(&RevocationReason::ALL));
    let revocation = option::of((time(), reason).prop_map(|(at, reason)| Revocation { at, reason }));
    let ids = (option::of(any::<[u8; 16]>()), option::of(any::<[u8; 16]>()), any::<[u8; 20]>());
    (serial(), ids, vec(any::<u8>(), 0..9), time(), revocation).prop_map(
        |(serial, (order, account, issuer), der, not_after, revocation)| CertificateRecord {
            serial,
            order: order.map(OrderId::from_bytes),
            account: account.map(AccountId::from_bytes),
            issuer: IssuerId::from_bytes(issuer),
            der,
            not_after,
            revocation,
        },
    )
}

proptest! {
    #[test]
    fn identifiers_survive(sent in identifier()) {
        prop_assert_eq!(there_and_back::<v1::Identifier, _>(sent.clone()), Ok(sent));
    }

    #[test]
    fn problems_survive(sent in problem()) {
        prop_assert_eq!(there_and_back::<v1::Problem, _>(sent.clone()), Ok(sent));
    }

    #[test]
    fn errors_survive(sent in error()) {
        let wire = v1::Error::decode(v1::Error::from(&sent).encode_to_vec().as_slice()).unwrap();
        prop_assert_eq!(Error::try_from(wire), Ok(sent.clone()));
        // They are small enough not to be cut.
        prop_assert_eq!(crate::status::into_error(crate::status::from_error(&sent)), sent);
    }

    #[test]
    fn orders_survive_with_their_authorizations(sent in order()) {
        prop_assert_eq!(there_and_back::<v1::OrderWithAuthorizations, _>(sent.clone()), Ok(sent));
    }

    #[test]
    fn certificates_survive(sent in certificate()) {
        prop_assert_eq!(there_and_back::<v1::CertificateRecord, _>(sent.clone()), Ok(sent));
    }

    #[test]
    fn an_order_with_an_octet_changed_or_its_end_cut_off_is_read_or_refused(
        sent in order(), at in any::<prop::sample::Index>(), octet in any::<u8>(),
    ) {
        let mut octets = v1::OrderWithAuthorizations::from(sent).encode_to_vec();
        let at = at.index(octets.len());
        octets[at] = octet;
        read_as_everything(&octets);
        read_as_everything(&octets[..at]);
    }

    #[test]
    fn no_octets_make_reading_panic(octets in vec(any::<u8>(), 0..200)) {
        read_as_everything(&octets);
    }
}

fn read_as_everything(octets: &[u8]) {
    macro_rules! read {
        ($($wire:ident => $ours:ty),* $(,)?) => {
            $(let _ = v1::$wire::decode(octets).map(<$ours>::try_from);)*
        };
    }
    read!(
        Account => Account,
        Authorization => Authorization,
        AuthorizationProgress => AuthorizationProgress,
        CertificateRecord => CertificateRecord,
        Error => Error,
        FinalizeOrderRequest => api::ra::FinalizeOrderRequest,
        Identifier => Identifier,
        Incident => Incident,
        IncidentCertificate => api::revocations::IncidentCertificate,
        IncidentEntry => api::revocations::IncidentEntry,
        IncidentStretch => api::admin::IncidentStretch,
        Intent => Intent,
        IssuanceRequest => api::IssuanceRequest,
        IssuedCertificate => IssuedCertificate,
        NewAccountRequest => api::ra::NewAccountRequest,
        NewAccountResponse => api::ra::NewAccountResponse,
        NewCertificate => NewCertificate,
        NewOrderAndAuthorizationsRequest => NewOrder,
        NewOrderRequest => api::ra::NewOrderRequest,
        Order => Order,
        Renewal => Renewal,
        Selected => api::admin::Selected,
        Selection => Selection,
        StoredCertificate => api::revocations::StoredCertificate,
        Stretch => Stretch,
        OrderProgress => OrderProgress,
        OrderWithAuthorizations => OrderWithAuthorizations,
        PerformValidationRequest => api::ra::PerformValidationRequest,
        Problem => Problem,
        ProcessingOrder => ProcessingOrder,
        Revocation => Revocation,
        RevokeCertificateRequest => api::ra::RevokeCertificateRequest,
        RunningValidation => RunningValidation,
        StorageRevokeCertificateRequest => NewRevocation,
        Subproblem => Subproblem,
        ValidationRecord => ValidationRecord,
        ValidationRequest => api::ValidationRequest,
        ValidationResult => api::ValidationResult,
    );
}

#[test]
fn accounts_survive_whatever_their_key_and_status() {
    for algorithm in
        [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa, Algorithm::Rs256]
    {
        for status in [AccountStatus::Valid, AccountStatus::Deactivated, AccountStatus::Revoked] {
            let account = Account {
                id: AccountId::from_bytes([1; 16]),
                key: SigningKey::generate(algorithm).unwrap().jwk().clone(),
                contact: vec!["mailto:a@a.test".to_owned(), String::new()],
                status,
                created: Timestamp::from_unix(-1),
            };
            assert_eq!(there_and_back::<v1::Account, _>(account.clone()), Ok(account));
        }
    }
}

/// What `change` makes of a good message is refused, and the refusal names `field`.
fn refused<W: Default + Message + Clone, T: TryFrom<W, Error = BadMessage> + std::fmt::Debug>(
    good: &W,
    field: &str,
    change: impl FnOnce(&mut W),
) {
    let mut bad = good.clone();
    assert!(T::try_from(bad.clone()).is_ok(), "{field}: the message was good");
    change(&mut bad);
    let error = T::try_from(bad).unwrap_err().to_string();
    assert!(error.contains(&format!(" {field} ")), "{error}");
}

#[test]
fn each_field_of_an_authorization_is_looked_at() {
    let good = v1::Authorization::from(Authorization {
        id: AuthorizationId::from_bytes([1; 16]),
        account: AccountId::from_bytes([2; 16]),
        identifier: Identifier::parse("dns", "a.test").unwrap(),
        wildcard: false,
        created: Timestamp::from_unix(0),
        expires: Timestamp::from_unix(0),
        token: Token::from_bytes([3; 32]),
        challenges: vec![ChallengeType::Http01],
        progress: AuthorizationProgress::Pending,
    });
    type Change = fn(&mut v1::Authorization);
    let dns = |text: &str| Some(v1::Identifier { kind: Some(v1::identifier::Kind::Dns(text.to_owned())) });
    let changes: &[(&str, Change)] = &[
        ("Authorization.id", |it| it.id.clear()),
        ("Authorization.account", |it| it.account.push(0)),
        ("Authorization.identifier", |it| it.identifier = None),
        ("Identifier.kind", |it| it.identifier = Some(v1::Identifier { kind: None })),
        ("Authorization.wildcard", |it| it.wildcard = None),
        ("Authorization.created", |it| it.created = None),
        ("Authorization.expires", |it| it.expires = None),
        ("Authorization.token", |it| it.token.truncate(31)),
        ("Authorization.challenges", |it| it.challenges.push(77)),
        ("ChallengeType", |it| it.challenges.push(0)),
        ("Authorization.progress", |it| it.progress = None),
        ("AuthorizationProgress.progress", |it| it.progress = Some(v1::AuthorizationProgress::default())),
    ];
    for (field, change) in changes {
        refused::<_, Authorization>(&good, field, change);
    }
    for text in ["A.test", "a..test", "", "192.0.2.1"] {
        refused::<_, Authorization>(&good, "Identifier.dns", |it| it.identifier = dns(text));
    }
    refused::<_, Authorization>(&good, "Identifier.ip", |it| {
        it.identifier = Some(v1::Identifier { kind: Some(v1::identifier::Kind::Ip(vec![1; 5])) });
    });
}

#[test]
fn an_order_without_one_of_its_authorizations_is_refused() {
    let order = Order {
        id: OrderId::from_bytes([1; 16]),
        account: AccountId::from_bytes([2; 16]),
        identifiers: Vec::new(),
        authorizations: vec![AuthorizationId::from_bytes([3; 16])],
        profile: String::new(),
        created: Timestamp::from_unix(0),
        expires: Timestamp::from_unix(0),
        progress: OrderProgress::Open,
        replaces: None,
    };
    let sent = OrderWithAuthorizations { order, authorizations: Vec::new() };
    let error = there_and_back::<v1::OrderWithAuthorizations, _>(sent).unwrap_err();
    assert!(error.to_string().contains("OrderWithAuthorizations.authorizations"), "{error}");
}

#[test]
fn a_key_authorization_is_one_of_its_token() {
    let token = Token::from_bytes([7; 32]);
    let request = api::ValidationRequest {
        authorization: AuthorizationId::from_bytes([1; 16]),
        identifier: Identifier::parse("dns", "a.test").unwrap(),
        challenge: ChallengeType::Http01,
        token,
        key_authorization: token.key_authorization(Thumbprint::from_bytes([8; 32])),
    };
    let good = v1::ValidationRequest::from(request);
    let field = "ValidationRequest.key_authorization";
    for text in ["", ".", "x", "x.y", &format!("{}.", good.key_authorization)] {
        refused::<_, api::ValidationRequest>(&good, field, |it| it.key_authorization = text.to_owned());
    }
    refused::<_, api::ValidationRequest>(&good, field, |it| it.token = vec![6; 32]);
}
