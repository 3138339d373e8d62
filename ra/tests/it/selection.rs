//! Certificates that an operator means.

use cairn_core::api::ListenerCertificates;
use cairn_core::api::admin::{Administration, Operator};
use cairn_core::{IssuerId, Revocation, RevocationReason, SelectedName, Selection, Serial, Stretch};
use cairn_x509::{Certificate, PublicKey};
use rcgen::{KeyPair, PublicKeyData};

use crate::world::{DAY, START, World, csr_with, identifier};

pub(crate) fn operator() -> Operator {
    "alice".parse().unwrap()
}

pub(crate) fn serial(certificate: &[u8]) -> Serial {
    Serial::from_bytes(Certificate::from_der(certificate).unwrap().serial()).unwrap()
}

pub(crate) fn named(name: &str, subdomains: bool) -> Selection {
    let name = Some(SelectedName { name: identifier(name), subdomains });
    Selection { name, ..Selection::default() }
}

/// What would be revoked, in order.
async fn found(world: &World, selection: &Selection, stretch: Stretch) -> Vec<Serial> {
    let selected = world.ra.select(&operator(), selection, &stretch, None).await.unwrap();
    assert_eq!(selected.next, None);
    selected.found.into_iter().map(|it| it.serial).collect()
}

const ALL: Stretch = Stretch::After(Vec::new());

#[tokio::test]
async fn certificates_are_meant_by_everything_that_is_said() {
    let world = World::new();
    let (account, other) = (world.account().await, world.account().await);
    let (first, key) = world.certificate(account, &["a.test"]).await;
    world.clock.advance(DAY);
    let (second, _) = world.certificate(account, &["www.a.test", "c.test"]).await;
    world.clock.advance(DAY);
    let (third, _) = world.certificate(other, &["b.test"]).await;
    let [first, second, third] = [&first, &second, &third].map(|it| serial(it));
    let spki = PublicKey::from_der(&key.subject_public_key_info()).unwrap().sha256();
    let none = Selection::default();

    for (selection, expected) in [
        (none.clone(), vec![&first, &second, &third]),
        (Selection { account: Some(other), ..none.clone() }, vec![&third]),
        (named("a.test", false), vec![&first]),
        (named("a.test", true), vec![&first, &second]),
        (Selection { account: Some(other), ..named("a.test", true) }, vec![]),
        (Selection { key: Some(spki), ..none.clone() }, vec![&first]),
        (Selection { key: Some(spki), account: Some(other), ..none.clone() }, vec![]),
        (
            Selection { issuer: Some(IssuerId::from_bytes([7; 20])), ..none.clone() },
            vec![&first, &second, &third],
        ),
        (Selection { issuer: Some(IssuerId::from_bytes([8; 20])), ..none.clone() }, vec![]),
        (Selection { issued_before: Some(START.plus(DAY)), ..none.clone() }, vec![&first]),
        (Selection { issued_after: Some(START.plus(DAY)), ..none.clone() }, vec![&second, &third]),
        (
            Selection {
                issued_after: Some(START.plus(1)),
                issued_before: Some(START.plus(DAY + 1)),
                ..none.clone()
            },
            vec![&second],
        ),
        (Selection { profile: Some("default".to_owned()), ..none.clone() }, vec![&first, &second, &third]),
        (Selection { profile: Some("short".to_owned()), ..none.clone() }, vec![]),
    ] {
        let expected: Vec<Serial> = expected.into_iter().cloned().collect();
        assert_eq!(found(&world, &selection, ALL).await, expected, "{selection}");
        let these = Stretch::These(vec![first.clone(), second.clone(), third.clone()]);
        assert_eq!(found(&world, &selection, these).await, expected, "{selection}, of these");
    }
    let unknown = Stretch::These(vec![Serial::from_bytes(&[1]).unwrap()]);
    assert_eq!(found(&world, &none, unknown).await, []);
}

#[tokio::test]
async fn the_cas_own_certificates_are_meant_by_their_serial_or_key_alone() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let own = world.ra.listener_certificate(key.subject_public_key_info()).await.unwrap().serial;
    assert_eq!(found(&world, &Selection::default(), ALL).await, []);
    assert_eq!(found(&world, &Selection::default(), Stretch::These(vec![own.clone()])).await, [own]);
}

#[tokio::test]
async fn a_second_run_passes_over_what_the_first_has_revoked() {
    let world = World::new();
    let account = world.account().await;
    let mut serials = Vec::new();
    for number in 0..5 {
        serials.push(serial(&world.certificate(account, &[&format!("n{number}.test")]).await.0));
    }
    let selection = Selection { account: Some(account), ..Selection::default() };
    let reason = Some(RevocationReason::Superseded);
    // The first was interrupted.
    let some = Stretch::These(serials[..2].to_vec());
    let first = world.ra.revoke_selected(&operator(), &selection, &some, reason).await.unwrap();
    assert_eq!((first.done, first.passed_over), (2, 0));
    world.clock.advance(10);
    let second = world.ra.revoke_selected(&operator(), &selection, &ALL, reason).await.unwrap();
    assert_eq!((second.done, second.passed_over, second.looked_at), (3, 2, 5));
    let at = async |serial: &Serial| world.deps.sa.certificate(serial).await.unwrap().unwrap().revocation;
    assert_eq!(at(&serials[0]).await, Some(Revocation { at: START, reason }));
    assert_eq!(at(&serials[4]).await, Some(Revocation { at: START.plus(10), reason }));

    // What is compromised is said so of those that are revoked, too.
    let selected = world.ra.select(&operator(), &selection, &ALL, reason).await.unwrap();
    assert_eq!((selected.found.len(), selected.revoked), (0, 5));
    let compromised = Some(RevocationReason::KeyCompromise);
    let selected = world.ra.select(&operator(), &selection, &ALL, compromised).await.unwrap();
    assert_eq!((selected.found.len(), selected.revoked), (5, 0));
    let third = world.ra.revoke_selected(&operator(), &selection, &ALL, compromised).await.unwrap();
    assert_eq!((third.done, third.passed_over), (5, 0));
    assert_eq!(at(&serials[0]).await, Some(Revocation { at: START, reason: compromised }));

    world.clock.advance(100 * DAY);
    let selected = world.ra.select(&operator(), &selection, &ALL, None).await.unwrap();
    assert_eq!((selected.expired, selected.found.len()), (5, 0), "what has expired is left");
}

#[tokio::test]
async fn more_than_one_call_looks_at_is_found_in_stretches() {
    let world = World::new();
    let account = world.account().await;
    let order_key = KeyPair::generate().unwrap();
    for _ in 0..401 {
        let order = world.ready_order(account, &["a.test"]).await;
        world.finalize(account, order, csr_with(&order_key, &["a.test"])).await.unwrap();
    }
    let spki = PublicKey::from_der(&order_key.subject_public_key_info()).unwrap().sha256();
    for selection in [Selection::default(), Selection { key: Some(spki), ..Selection::default() }] {
        let (mut after, mut all, mut calls) = (Vec::new(), Vec::new(), 0);
        loop {
            let selected =
                world.ra.select(&operator(), &selection, &Stretch::After(after), None).await.unwrap();
            all.extend(selected.found.into_iter().map(|it| it.serial));
            calls += 1;
            match selected.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!((all.len(), calls), (401, 3));
        assert!(all.is_sorted());
        all.dedup();
        assert_eq!(all.len(), 401);
    }
}
