//! Several issuers: which one signs, and what changes when the set or the time does.

use std::sync::Arc;

use cairn_ca::{Issuer, Usage, Use};
use cairn_core::api::ca::IssuanceRequest;
use cairn_core::{Error, ErrorKind};
use cairn_x509::{CaProfile, Certificate, KeySpec, NameConstraints, Subtree};

use crate::world::{DAY, Hierarchy, World, request, request_for};

const NAME: &[(&str, &str)] = &[("dns", "www.example.test")];

/// Issues to a key of this kind, and gives the certificate of the issuer among `issuers` that signed.
async fn signed_by<'a>(world: &World, key: KeySpec, issuers: &'a [Certificate]) -> &'a Certificate {
    let request = IssuanceRequest { order: None, ..request_for(key, NAME) };
    let issued = world.issue(request).await.unwrap();
    let leaf = Certificate::from_der(&issued.der).unwrap();
    let issuer = issuers.iter().find(|issuer| leaf.verify_issued_by(issuer).is_ok()).unwrap();
    let intents = world.journal.intents();
    assert_eq!(
        Some(&intents.last().unwrap().issuer.as_bytes()[..]),
        issuer.subject_key_identifier(),
        "the record names who signed"
    );
    issuer
}

fn certificates(issuers: &[Issuer]) -> Vec<Certificate> {
    issuers.iter().map(|issuer| issuer.certificate().clone()).collect()
}

#[tokio::test]
async fn rsa_keys_are_certified_by_an_rsa_issuer_and_others_by_an_ecdsa_one() {
    let issuers =
        vec![Hierarchy::new(KeySpec::P256, 1825).issuer(), Hierarchy::new(KeySpec::Rsa2048, 1825).issuer()];
    let known = certificates(&issuers);
    let world = World::with_issuers(issuers);
    assert_eq!(signed_by(&world, KeySpec::P384, &known).await, &known[0]);
    assert_eq!(signed_by(&world, KeySpec::Rsa2048, &known).await, &known[1]);
}

#[tokio::test]
async fn the_next_issuer_takes_over_when_the_first_no_longer_covers_a_whole_leaf() {
    let issuers =
        vec![Hierarchy::new(KeySpec::P256, 100).issuer(), Hierarchy::new(KeySpec::P256, 500).issuer()];
    let known = certificates(&issuers);
    let world = World::with_issuers(issuers);
    assert_eq!(signed_by(&world, KeySpec::P256, &known).await, &known[0]);
    world.clock.advance(11 * DAY);
    assert_eq!(signed_by(&world, KeySpec::P256, &known).await, &known[1]);
}

#[tokio::test]
async fn an_issuer_that_is_put_in_while_the_ca_runs_is_used_and_one_that_is_taken_out_is_not() {
    let (old, new) = (Hierarchy::new(KeySpec::P256, 365), Hierarchy::new(KeySpec::P256, 1825));
    let known = [old.intermediate.clone(), new.intermediate.clone()];
    let world = World::with_issuers(vec![old.issuer()]);
    assert_eq!(signed_by(&world, KeySpec::P256, &known).await, &known[0]);
    world.exchange(vec![new.issuer()]);
    assert_eq!(signed_by(&world, KeySpec::P256, &known).await, &known[1]);

    world.exchange(Vec::new());
    let error = world.issue(request(NAME)).await.unwrap_err();
    assert!(error.to_string().contains("no issuer is in use"), "{error}");
}

#[tokio::test]
async fn an_issuer_for_other_profiles_is_not_asked() {
    let usage = Usage { from: Use::Now, profiles: ["short".to_owned()].into() };
    let issuers = vec![
        Hierarchy::new(KeySpec::P256, 365).issuer().used(usage.clone()),
        Hierarchy::new(KeySpec::P256, 1825).issuer(),
    ];
    let known = certificates(&issuers);
    let world = World::with_issuers(issuers);
    assert_eq!(signed_by(&world, KeySpec::P256, &known).await, &known[1]);

    world.exchange(vec![Hierarchy::new(KeySpec::P256, 365).issuer().used(usage)]);
    let error = world.issue(request(NAME)).await.unwrap_err();
    assert!(error.to_string().contains("no issuer is for the profile \"default\""), "{error}");
}

#[tokio::test]
async fn a_name_that_no_issuer_may_certify_is_the_clients_to_hear_of_and_nothing_is_recorded() {
    let constrained = |domain: &str| {
        let permitted = vec![Subtree::Dns(domain.to_owned())];
        let name_constraints = NameConstraints { permitted, excluded: Vec::new() };
        let profile = CaProfile { name_constraints, ..CaProfile::for_tls() };
        Hierarchy::of(&profile, KeySpec::P256, 1825).issuer()
    };
    let issuers = vec![constrained("corp.test"), constrained("example.test")];
    let known = certificates(&issuers);
    let world = World::with_issuers(issuers);
    assert_eq!(signed_by(&world, KeySpec::P256, &known).await, &known[1]);

    let before = world.journal.letters();
    let error = world.issue(request(&[("dns", "www.elsewhere.test")])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RejectedIdentifier);
    assert!(error.detail.contains("www.elsewhere.test"), "{error}");
    // No issuer certifies both.
    let both = request(&[("dns", "a.corp.test"), ("dns", "a.example.test")]);
    assert_eq!(world.issue(both).await.unwrap_err().kind, ErrorKind::RejectedIdentifier);
    assert_eq!(world.journal.letters(), before);
}

#[tokio::test]
async fn the_certificates_of_a_hierarchy_are_recorded_once_and_before_anything_is_issued_from_it() {
    let world = World::new();
    let recorded = || world.store.ca_certificates.lock().unwrap().clone();
    world.issue(request(NAME)).await.unwrap();
    world.issue(IssuanceRequest { order: None, ..request(NAME) }).await.unwrap();
    assert_eq!(recorded().len(), 1);

    let busy = Error::new(ErrorKind::Unavailable, "Try again later.");
    *world.store.ca_certificates_fail.lock().unwrap() = Some(busy.clone());
    let new = Hierarchy::new(KeySpec::P256, 1825);
    let (root, intermediate) = (new.root.clone(), new.intermediate.clone());
    let issuers = vec![Arc::new(new.issuer())];
    let authorities = vec![root.clone(), intermediate.clone()];
    world.ca.exchange(cairn_ca::Hierarchy { issuers, authorities, ..Default::default() });
    let before = world.journal.letters();
    let refused = world.issue(IssuanceRequest { order: None, ..request(NAME) }).await;
    assert_eq!(
        (refused, world.journal.letters()),
        (Err(busy), before),
        "nothing is signed that nobody could verify"
    );

    *world.store.ca_certificates_fail.lock().unwrap() = None;
    world.ca.record().await.unwrap();
    world.issue(IssuanceRequest { order: None, ..request(NAME) }).await.unwrap();
    let [_, second] = recorded().try_into().unwrap();
    let ders: Vec<_> = second.iter().map(|certificate| certificate.der.as_slice()).collect();
    assert_eq!(ders, [intermediate.der(), root.der()], "each once");
    assert_eq!(second[0].subject.unwrap().as_bytes(), intermediate.subject_key_identifier().unwrap());
}
