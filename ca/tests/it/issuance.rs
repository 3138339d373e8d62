//! Good paths: the order of the steps, and what the certificates contain.

use std::net::IpAddr;

use cairn_core::api::ca::IssuanceRequest;
use cairn_x509::{Certificate, KeySpec, SubjectAltName, lint_leaf};

use crate::world::{DAY, Event, Hierarchy, NOW, World, request};

/// The DER of id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
const CLIENT_AUTH: [u8; 10] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];

fn contains(certificate: &Certificate, bytes: &[u8]) -> bool {
    certificate.der().windows(bytes.len()).any(|window| window == bytes)
}

#[tokio::test]
async fn the_intent_is_stored_before_the_key_signs_and_the_certificate_before_it_is_given_out() {
    let world = World::new();
    let request = request(&[("dns", "www.example.test")]);
    let issued = world.issue(request.clone()).await.unwrap();

    assert_eq!(world.journal.letters(), "ISC");
    let events = world.journal.events().clone();
    let [Event::Intent(intent), Event::Signature { message }, Event::Certificate(stored)] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    let recorded = Certificate::from_der(&intent.lint_certificate).unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    assert_eq!(recorded.tbs_der(), message);
    assert_eq!(certificate.tbs_der(), message);
    assert_eq!((intent.order, intent.account, intent.at), (request.order, request.account, NOW));
    assert_eq!(intent.issuer.as_bytes(), world.intermediate.subject_key_identifier().unwrap());
    assert_eq!((&intent.serial, &stored.serial), (&issued.serial, &issued.serial));
    assert_eq!(certificate.serial(), issued.serial.as_bytes());
    assert_eq!(stored.der, issued.der);
    assert_eq!(stored.not_after.unix(), certificate.validity().not_after);
}

#[tokio::test]
async fn the_lint_certificate_is_not_the_issuers_and_so_no_client_would_accept_it() {
    let world = World::new();
    world.issue(request(&[("dns", "www.example.test")])).await.unwrap();
    let recorded = Certificate::from_der(&world.journal.intents()[0].lint_certificate).unwrap();
    assert!(recorded.verify_issued_by(&world.intermediate).is_err());
}

#[tokio::test]
async fn issuers_of_every_kind_issue_certificates_that_verify() {
    for spec in [KeySpec::P256, KeySpec::P384, KeySpec::Rsa2048, KeySpec::Ed25519, KeySpec::MlDsa65] {
        let world = World::with_hierarchy(Hierarchy::new(spec, 1825));
        let request = request(&[("dns", "www.example.test")]);
        let issued = world.issue(request.clone()).await.unwrap();
        let certificate = Certificate::from_der(&issued.der).unwrap();
        certificate.verify_issued_by(&world.intermediate).unwrap();
        assert_eq!(certificate.public_key().der(), request.public_key);
        assert_eq!(lint_leaf(&certificate, &world.intermediate), []);
    }
}

#[tokio::test]
async fn addresses_wildcards_and_single_labels_are_certified_in_the_order_given() {
    let world = World::new();
    let identifiers =
        [("ip", "192.0.2.1"), ("ip", "2001:db8::1"), ("dns", "*.example.test"), ("dns", "intranet")];
    let issued = world.issue(request(&identifiers)).await.unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    let ip = |text: &str| SubjectAltName::Ip(text.parse::<IpAddr>().unwrap());
    let dns = |text: &str| SubjectAltName::Dns(text.to_owned());
    let names = [ip("192.0.2.1"), ip("2001:db8::1"), dns("*.example.test"), dns("intranet")];
    assert_eq!(certificate.names(), names);
    assert_eq!(certificate.subject().common_name(), Some("*.example.test"));
}

#[tokio::test]
async fn a_certificate_for_addresses_or_long_names_alone_has_an_empty_subject() {
    let world = World::new();
    let long = format!("{}.{}.test", "a".repeat(60), "b".repeat(60));
    let issued = world.issue(request(&[("ip", "::1"), ("dns", &long)])).await.unwrap();
    assert!(Certificate::from_der(&issued.der).unwrap().subject().is_empty());
}

#[tokio::test]
async fn the_profile_decides_lifetime_common_name_and_purposes() {
    let world = World::with_config(
        "[profiles.default]\n[profiles.short]\nlifetime = \"6d\"\ncommon_name = false\nclient_auth = true",
    );
    let ordinary = world.issue(request(&[("dns", "www.example.test")])).await.unwrap();
    let ordinary = Certificate::from_der(&ordinary.der).unwrap();
    assert_eq!(ordinary.validity().lifetime(), 90 * DAY);
    assert_eq!(ordinary.subject().common_name(), Some("www.example.test"));
    assert!(!contains(&ordinary, &CLIENT_AUTH));

    let request = IssuanceRequest {
        profile: "short".to_owned(),
        order: None,
        ..request(&[("dns", "www.example.test")])
    };
    let short = Certificate::from_der(&world.issue(request).await.unwrap().der).unwrap();
    assert_eq!(short.validity().lifetime(), 6 * DAY);
    assert!(short.subject().is_empty());
    assert!(contains(&short, &CLIENT_AUTH));
}

#[tokio::test]
async fn certificates_begin_an_hour_ago() {
    let world = World::new();
    let issued = world.issue(request(&[("dns", "www.example.test")])).await.unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    assert_eq!(certificate.validity().not_before, NOW.unix() - 3600);
}

#[tokio::test]
async fn without_an_order_the_same_names_are_certified_again_under_another_serial() {
    let world = World::new();
    let request = IssuanceRequest { order: None, account: None, ..request(&[("dns", "ca.example.test")]) };
    let first = world.issue(request.clone()).await.unwrap();
    let second = world.issue(request).await.unwrap();
    assert_ne!(first.serial, second.serial);
    assert_eq!(world.journal.letters(), "ISCISC");
}

#[tokio::test]
async fn serials_carry_the_configured_prefix() {
    let world = World::with_config("serial_prefix = 42");
    let issued = world.issue(request(&[("dns", "www.example.test")])).await.unwrap();
    assert_eq!((issued.serial.as_bytes()[0], issued.serial.as_bytes().len()), (42, 16));
}

#[tokio::test]
async fn a_certificate_never_outlives_its_issuer() {
    let world = World::with_hierarchy(Hierarchy::new(KeySpec::P256, 30));
    let issued = world.issue(request(&[("dns", "www.example.test")])).await.unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    assert_eq!(certificate.validity().not_after, world.intermediate.validity().not_after);
    certificate.verify_issued_by(&world.intermediate).unwrap();
}

#[tokio::test]
async fn a_certificate_says_where_to_look_for_what_becomes_of_it_and_the_intent_on_which_list_it_will_stand()
{
    let world = World::with_config("pki_url = \"http://pki.example.test\"\ncrl = { shards = 5 }");
    let issued = world.issue(request(&[("dns", "www.example.test")])).await.unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    let intent = world.journal.intents()[0].clone();
    let shard = intent.crl_shard.unwrap();
    assert!(shard.number() < 5);
    for url in [
        "http://pki.example.test/ocsp".to_owned(),
        format!("http://pki.example.test/issuers/{}.cer", intent.issuer),
        format!("http://pki.example.test/crls/{}/{shard}.crl", intent.issuer),
    ] {
        assert!(contains(&certificate, url.as_bytes()), "{url}");
    }
    let events = world.journal.events().clone();
    let Some(Event::Certificate(stored)) = events.last() else { panic!("{events:?}") };
    assert_eq!(stored.spki_sha256, Some(certificate.public_key().sha256()));
}

#[tokio::test]
async fn a_certificate_says_nothing_of_where_to_look_if_there_is_no_such_place() {
    let world = World::new();
    let issued = world.issue(request(&[("dns", "www.example.test")])).await.unwrap();
    assert!(!contains(&Certificate::from_der(&issued.der).unwrap(), b"http://"));
    assert_eq!(world.journal.intents()[0].crl_shard, None);
}

#[tokio::test]
async fn whoever_must_staple_says_so_but_for_the_cas_own_listeners() {
    /// id-pe-tlsfeature, 1.3.6.1.5.5.7.1.24, with status_request (RFC 7633 §4).
    const MUST_STAPLE: [u8; 17] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 24, 4, 5, 0x30, 3, 2, 1, 5];
    let says_so = |certificate: &Certificate| contains(certificate, &MUST_STAPLE);
    let staple = "pki_url = \"http://pki.test\"\n[profiles.default]\nmust_staple = true";
    let world = World::with_config(staple);
    let asked = request(&[("dns", "www.example.test")]);
    let issued = world.issue(asked.clone()).await.unwrap();
    assert!(says_so(&Certificate::from_der(&issued.der).unwrap()));
    let own = world.issue(IssuanceRequest { order: None, account: None, ..asked.clone() }).await.unwrap();
    assert!(!says_so(&Certificate::from_der(&own.der).unwrap()));
    let plain = World::new().issue(asked).await.unwrap();
    assert!(!says_so(&Certificate::from_der(&plain.der).unwrap()));
}
