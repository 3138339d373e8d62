//! Bad paths: what is refused, and what has happened by then.

use cairn_ca::{Ca, Config};
use cairn_core::api::ca::IssuanceRequest;
use cairn_core::random::SeededRandom;
use cairn_core::{Error, ErrorKind};
use cairn_x509::KeySpec;

use crate::world::{DAY, Hierarchy, World, request};

/// The SubjectPublicKeyInfo of an RSA key with 1024 bits: well-formed, and too short for any certificate.
fn rsa_1024() -> Vec<u8> {
    let head = "30819f300d06092a864886f70d010101050003818d0030818902818100";
    let octets = (0..head.len()).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap());
    octets.chain([0xc5; 128]).chain([0x02, 3, 1, 0, 1]).collect()
}

/// The error's chain of sources, as it goes to the log.
fn log_of(error: &Error) -> String {
    assert_eq!(error.kind, ErrorKind::Internal, "{error}");
    assert_eq!(
        error.detail,
        "The CA could not issue the certificate; its operator finds the reason in the log."
    );
    error.to_string()
}

#[tokio::test]
async fn what_the_caller_got_wrong_is_refused_before_anything_is_stored() {
    let world = World::new();
    let good = || request(&[("dns", "www.example.test")]);
    let cases = [
        (IssuanceRequest { profile: "fancy".to_owned(), ..good() }, "no profile named \"fancy\""),
        (IssuanceRequest { identifiers: Vec::new(), ..good() }, "at least one name"),
        (IssuanceRequest { public_key: b"no key".to_vec(), ..good() }, "public key"),
    ];
    for (request, expected) in cases {
        let log = log_of(&world.issue(request).await.unwrap_err());
        assert!(log.contains(expected), "{log}");
    }
    assert_eq!(world.journal.letters(), "");
}

#[tokio::test]
async fn a_finding_in_the_lint_certificate_prevents_intent_and_signature() {
    let world = World::new();
    let twice = request(&[("dns", "www.example.test"), ("dns", "www.example.test")]);
    let log = log_of(&world.issue(twice).await.unwrap_err());
    assert!(log.contains("names_stand_once"), "{log}");

    let weak = IssuanceRequest { public_key: rsa_1024(), ..request(&[("dns", "www.example.test")]) };
    let log = log_of(&world.issue(weak).await.unwrap_err());
    assert!(log.contains("rsa_key") && log.contains("BRs §6.1.5"), "{log}");
    assert_eq!(world.journal.letters(), "");
}

#[tokio::test]
async fn a_second_issuance_for_the_same_order_is_a_conflict_and_signs_nothing() {
    let world = World::new();
    let request = request(&[("dns", "www.example.test")]);
    world.issue(request.clone()).await.unwrap();
    let error = world.issue(request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(world.journal.letters(), "ISC");
}

#[tokio::test]
async fn when_the_intent_cannot_be_stored_nothing_is_signed_and_the_callers_error_is_the_storages() {
    let world = World::new();
    let busy = Error::new(ErrorKind::Unavailable, "Try again later.");
    *world.store.intent_fails.lock().unwrap() = Some(busy.clone());
    let error = world.issue(request(&[("dns", "www.example.test")])).await.unwrap_err();
    assert_eq!(error, busy);
    assert_eq!(world.journal.letters(), "");
}

#[tokio::test]
async fn when_the_key_fails_the_intent_stays_and_the_order_gets_no_second_try() {
    let world = World::new();
    let request = request(&[("dns", "www.example.test")]);
    *world.key_fails.lock().unwrap() = true;
    let log = log_of(&world.issue(request.clone()).await.unwrap_err());
    assert!(log.contains("signing failed"), "{log}");
    assert_eq!(world.journal.letters(), "I");

    *world.key_fails.lock().unwrap() = false;
    assert_eq!(world.issue(request).await.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(world.journal.letters(), "I");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_stored_is_not_given_out() {
    let world = World::new();
    let broken = Error::internal("Try again later.", std::io::Error::other("disk full"));
    *world.store.certificate_fails.lock().unwrap() = Some(broken.clone());
    let error = world.issue(request(&[("dns", "www.example.test")])).await.unwrap_err();
    assert_eq!(error, broken);
    assert_eq!(world.journal.letters(), "IS");
}

#[tokio::test]
async fn a_certificate_whose_order_was_given_up_meanwhile_is_stored_and_not_given_out() {
    let world = World::new();
    *world.store.order_given_up.lock().unwrap() = true;
    let request = request(&[("dns", "www.example.test")]);
    assert_eq!(world.issue(request.clone()).await.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(world.journal.letters(), "ISC");
    world.issue(IssuanceRequest { order: None, ..request }).await.unwrap();
}

#[tokio::test]
async fn an_issuer_in_its_last_hour_or_past_its_end_issues_nothing() {
    let world = World::with_hierarchy(Hierarchy::new(KeySpec::P256, 1));
    let request = IssuanceRequest { order: None, ..request(&[("dns", "www.example.test")]) };
    world.issue(request.clone()).await.unwrap();
    for seconds in [DAY - 3598, 3600] {
        world.clock.advance(seconds);
        let log = log_of(&world.issue(request.clone()).await.unwrap_err());
        assert!(log.contains("make a new intermediate"), "{log}");
    }
    assert_eq!(world.journal.letters(), "ISC");
}

#[tokio::test]
async fn a_clock_before_the_issuers_beginning_issues_nothing() {
    let world = World::new();
    world.clock.advance(-2 * DAY);
    let log = log_of(&world.issue(request(&[("dns", "www.example.test")])).await.unwrap_err());
    assert!(log.contains("check this machine's clock"), "{log}");
}

#[test]
fn a_configuration_that_is_not_valid_makes_no_certificate_authority() {
    let world = World::new();
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let issuer = cairn_ca::Issuer::load(
        &hierarchy.intermediate.to_pem(),
        &hierarchy.root.to_pem(),
        Box::new(hierarchy.intermediate_key),
        crate::world::NOW,
    );
    let config: Config = toml::from_str("profiles = {}").unwrap();
    let error =
        Ca::new(config, issuer.unwrap(), world.store, world.clock, std::sync::Arc::new(SeededRandom::new(1)));
    assert_eq!(error.unwrap_err().key, "profiles");
}
