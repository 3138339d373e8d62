//! Every core type survives its row, and a row that no Cairn has written is refused.

use cairn_core::{ChallengeType, Problem, ProblemType, Subproblem, ValidationRecord};
use proptest::prelude::*;

use super::*;

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix)
}

fn any_identifier() -> impl Strategy<Value = Identifier> {
    let dns = "(\\*\\.)?[a-z][a-z0-9]{0,10}(\\.[a-z]{1,8}){1,3}";
    prop_oneof![
        dns.prop_map(|name| Identifier::parse("dns", &name).unwrap()),
        any::<std::net::IpAddr>().prop_map(Identifier::Ip),
    ]
}

fn challenge() -> impl Strategy<Value = ChallengeType> {
    prop::sample::select(&ChallengeType::ALL)
}

fn any_serial() -> impl Strategy<Value = Serial> {
    prop::collection::vec(any::<u8>(), 1..=20)
        .prop_filter_map("no serial", |bytes| Serial::from_bytes(&bytes))
}

fn problem() -> impl Strategy<Value = Problem> {
    let kind = || prop::sample::select(ProblemType::ALL);
    let subproblem = (kind(), "\\PC{0,20}", any_identifier())
        .prop_map(|(kind, detail, identifier)| Subproblem { kind, detail, identifier });
    (kind(), "\\PC{0,40}", prop::collection::vec(subproblem, 0..3))
        .prop_map(|(kind, detail, subproblems)| Problem::new(kind, detail).with_subproblems(subproblems))
}

fn records() -> impl Strategy<Value = Vec<ValidationRecord>> {
    let record = (
        prop::option::of("\\PC{0,40}"),
        "\\PC{0,20}",
        prop::option::of(any::<u16>()),
        prop::collection::vec(any::<std::net::IpAddr>(), 0..3),
        prop::option::of(any::<std::net::IpAddr>()),
        prop::option::of("\\PC{0,20}"),
        prop::option::of(problem()),
    )
        .prop_map(|(url, hostname, port, addresses_resolved, address_used, perspective, problem)| {
            ValidationRecord { url, hostname, port, addresses_resolved, address_used, perspective, problem }
        });
    prop::collection::vec(record, 0..3)
}

fn authorization_progress() -> impl Strategy<Value = AuthorizationProgress> {
    prop_oneof![
        Just(AuthorizationProgress::Pending),
        (challenge(), timestamp())
            .prop_map(|(challenge, since)| AuthorizationProgress::Validating { challenge, since }),
        (challenge(), timestamp(), records())
            .prop_map(|(challenge, at, records)| AuthorizationProgress::Valid { challenge, at, records }),
        (challenge(), timestamp(), records(), problem()).prop_map(|(challenge, at, records, problem)| {
            AuthorizationProgress::Invalid { challenge, at, records, problem }
        }),
        timestamp().prop_map(|at| AuthorizationProgress::Deactivated { at }),
    ]
}

fn order_progress() -> impl Strategy<Value = OrderProgress> {
    prop_oneof![
        Just(OrderProgress::Open),
        timestamp().prop_map(|since| OrderProgress::Processing { since }),
        any_serial().prop_map(|serial| OrderProgress::Issued { serial }),
        problem().prop_map(|problem| OrderProgress::Failed { problem }),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    (
        (any::<[u8; 16]>(), any::<[u8; 16]>(), "[a-z]{1,10}", timestamp(), timestamp()),
        prop::collection::vec((any_identifier(), any::<[u8; 16]>()), 0..5),
        order_progress(),
        prop::option::of((any::<[u8; 20]>(), any_serial())),
    )
        .prop_map(|((id, account, profile, created, expires), names, progress, replaces)| {
            let (identifiers, ids): (_, Vec<_>) = names.into_iter().unzip();
            Order {
                id: OrderId::from_bytes(id),
                account: AccountId::from_bytes(account),
                identifiers,
                authorizations: ids.into_iter().map(AuthorizationId::from_bytes).collect(),
                profile,
                created,
                expires,
                progress,
                replaces: replaces
                    .map(|(issuer, serial)| CertificateId { issuer: IssuerId::from_bytes(issuer), serial }),
            }
        })
}

fn authorization() -> impl Strategy<Value = Authorization> {
    (
        (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 32]>(), timestamp(), timestamp()),
        any_identifier(),
        any::<bool>(),
        prop::collection::vec(challenge(), 0..4),
        authorization_progress(),
    )
        .prop_map(
            |((id, account, token, created, expires), identifier, wildcard, challenges, progress)| {
                Authorization {
                    id: AuthorizationId::from_bytes(id),
                    account: AccountId::from_bytes(account),
                    identifier: identifier.base(),
                    wildcard,
                    created,
                    expires,
                    token: Token::from_bytes(token),
                    challenges,
                    progress,
                }
            },
        )
}

fn account() -> Account {
    let jwk = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    Account {
        id: AccountId::from_bytes([7; 16]),
        key: serde_json::from_str(jwk).unwrap(),
        contact: vec!["mailto:a@example.test".to_owned()],
        status: AccountStatus::Valid,
        created: Timestamp::from_unix(5),
    }
}

proptest! {
    #[test]
    fn an_order_survives_its_row(order in order()) {
        prop_assert_eq!(Order::try_from(OrderRow::from(&order)).unwrap(), order);
    }

    #[test]
    fn an_authorization_survives_its_row(authorization in authorization()) {
        let row = AuthorizationRow::from(&authorization);
        prop_assert_eq!(Authorization::try_from(row).unwrap(), authorization);
    }

    #[test]
    fn orders_for_the_same_have_one_hash_and_others_another(
        names in prop::collection::vec(any_identifier(), 1..4),
        more in any_identifier(),
    ) {
        let hash = request_hash("default", &names);
        prop_assert_eq!(hash, request_hash("default", &names));
        prop_assert_ne!(hash, request_hash("short", &names));
        prop_assert_ne!(hash, request_hash("default", &[&names[..], &[more]].concat()));
    }
}

#[test]
fn an_account_survives_its_row_in_every_status() {
    for status in [AccountStatus::Valid, AccountStatus::Deactivated, AccountStatus::Revoked] {
        let account = Account { status, ..account() };
        assert_eq!(Account::try_from(AccountRow::from(&account)).unwrap(), account);
    }
}

#[test]
fn a_row_that_makes_no_sense_names_its_column() {
    let column = |change: fn(&mut AccountRow)| {
        let mut row = AccountRow::from(&account());
        change(&mut row);
        Account::try_from(row).unwrap_err().to_string()
    };
    assert!(column(|row| row.status = "happy".to_owned()).contains("column status of table accounts"));
    assert!(column(|row| row.jwk = "{}".to_owned()).contains("column jwk"));
    assert!(column(|row| row.contact = "a@b".to_owned()).contains("column contact"));
}

#[test]
fn a_status_without_its_facts_is_refused() {
    for status in ["validating", "valid", "invalid", "deactivated", "unheard of"] {
        let columns = ProgressColumns {
            status: status.to_owned(),
            challenge: None,
            at: None,
            records: None,
            problem: None,
        };
        assert_eq!(columns.progress(), None, "{status}");
    }
}

#[test]
fn a_list_of_ids_with_half_an_id_is_refused() {
    assert_eq!(authorization_ids(&[0; 32]).unwrap().len(), 2);
    assert_eq!(authorization_ids(&[0; 31]), None);
}

#[test]
fn a_certificate_row_with_an_unknown_reason_or_a_bad_serial_is_refused() {
    let row = |serial: &[u8], revocation_reason| CertificateRow {
        serial: serial.to_vec(),
        order_id: None,
        account_id: None,
        issuer: [0; 20],
        der: vec![],
        not_after: 0,
        revoked_at: Some(9),
        revocation_reason,
    };
    let revoked = CertificateRecord::try_from(row(&[1], Some(1))).unwrap().revocation.unwrap();
    assert_eq!(revoked.reason, Some(RevocationReason::KeyCompromise));
    assert!(CertificateRecord::try_from(row(&[1], Some(7))).is_err());
    assert!(CertificateRecord::try_from(row(&[0], None)).is_err());
}
