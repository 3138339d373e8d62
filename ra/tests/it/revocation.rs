//! RFC 8555 §7.6.

use cairn_core::api::RegistrationAuthority;
use cairn_core::api::ra::{RevocationProof, RevokeCertificateRequest};
use cairn_core::{AccountId, ErrorKind, Result, Revocation, RevocationReason, Serial};
use cairn_x509::{Certificate, PublicKey};
use rcgen::{KeyPair, PublicKeyData};

use crate::world::{DAY, START, World, jwk, kind};

async fn revoke(
    world: &World,
    proof: RevocationProof,
    certificate: &[u8],
    reason: Option<i64>,
) -> Result<()> {
    world
        .ra
        .revoke_certificate(RevokeCertificateRequest { proof, certificate: certificate.to_vec(), reason })
        .await
}

fn by_key(key: &KeyPair) -> RevocationProof {
    RevocationProof::CertificateKey(Box::new(jwk(key)))
}

const fn by(account: AccountId) -> RevocationProof {
    RevocationProof::Account(account)
}

async fn stored(world: &World, certificate: &[u8]) -> Option<Revocation> {
    let serial = Serial::from_bytes(Certificate::from_der(certificate).unwrap().serial()).unwrap();
    world.deps.sa.certificate(&serial).await.unwrap().unwrap().revocation
}

async fn is_blocked(world: &World, key: &KeyPair) -> bool {
    let key = PublicKey::from_der(&key.subject_public_key_info()).unwrap();
    world.deps.sa.key_blocked(key.sha256()).await.unwrap()
}

#[tokio::test]
async fn the_account_that_was_issued_a_certificate_revokes_it() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    assert_eq!(stored(&world, &certificate).await, None);
    revoke(&world, by(account), &certificate, Some(4)).await.unwrap();
    let expected = Revocation { at: START, reason: Some(RevocationReason::Superseded) };
    assert_eq!(stored(&world, &certificate).await, Some(expected));
}

#[tokio::test]
async fn an_account_that_has_proven_all_names_revokes_it() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test", "*.a.test"]).await;
    let successor = world.account().await;
    assert_eq!(kind(revoke(&world, by(successor), &certificate, None).await), ErrorKind::Unauthorized);
    world.ready_order(successor, &["a.test"]).await;
    assert_eq!(
        kind(revoke(&world, by(successor), &certificate, None).await),
        ErrorKind::Unauthorized,
        "one of two"
    );
    world.ready_order(successor, &["*.a.test"]).await;
    revoke(&world, by(successor), &certificate, None).await.unwrap();
}

#[tokio::test]
async fn expired_authorizations_give_no_right() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    let successor = world.account().await;
    world.ready_order(successor, &["a.test"]).await;
    world.clock.advance(30 * DAY);
    assert_eq!(kind(revoke(&world, by(successor), &certificate, None).await), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn the_certificates_key_revokes_it_and_another_does_not() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    let other = KeyPair::generate().unwrap();
    assert_eq!(kind(revoke(&world, by_key(&other), &certificate, None).await), ErrorKind::Unauthorized);
    revoke(&world, by_key(&key), &certificate, None).await.unwrap();
    assert_eq!(stored(&world, &certificate).await, Some(Revocation { at: START, reason: None }));
    assert!(!is_blocked(&world, &key).await);
}

#[tokio::test]
async fn a_key_that_says_it_is_compromised_is_blocked() {
    let world = World::new();
    let account = world.account().await;
    let (first, first_key) = world.certificate(account, &["a.test"]).await;
    let (second, second_key) = world.certificate(account, &["b.test"]).await;
    revoke(&world, by_key(&first_key), &first, Some(1)).await.unwrap();
    assert!(is_blocked(&world, &first_key).await);
    revoke(&world, by(account), &second, Some(1)).await.unwrap();
    assert!(!is_blocked(&world, &second_key).await, "an account proves nothing about a key");
}

#[tokio::test]
async fn a_certificate_is_revoked_once_and_only_who_may_learns_it() {
    let world = World::new();
    let account = world.account().await;
    let stranger = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    revoke(&world, by(account), &certificate, None).await.unwrap();
    assert_eq!(kind(revoke(&world, by(account), &certificate, None).await), ErrorKind::AlreadyRevoked);
    assert_eq!(kind(revoke(&world, by_key(&key), &certificate, Some(1)).await), ErrorKind::AlreadyRevoked);
    assert_eq!(kind(revoke(&world, by(stranger), &certificate, None).await), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn reasons_that_are_not_for_subscribers_are_refused() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    for reason in [2, 6, 7, 8, 10, 11, -1] {
        let outcome = revoke(&world, by(account), &certificate, Some(reason)).await;
        assert_eq!(kind(outcome), ErrorKind::BadRevocationReason);
    }
    assert_eq!(stored(&world, &certificate).await, None);
    revoke(&world, by(account), &certificate, Some(0)).await.unwrap();
    assert_eq!(stored(&world, &certificate).await, Some(Revocation { at: START, reason: None }));
}

#[tokio::test]
async fn a_certificate_that_is_not_ours_is_not_found() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    let forged = world.ca.forge(&certificate);
    assert_eq!(kind(revoke(&world, by(account), &forged, None).await), ErrorKind::NotFound);
    assert_eq!(kind(revoke(&world, by_key(&key), &forged, None).await), ErrorKind::NotFound);

    let elsewhere = World::new();
    let foreign_account = elsewhere.account().await;
    let (foreign, foreign_key) = elsewhere.certificate(foreign_account, &["other.test"]).await;
    assert_eq!(kind(revoke(&world, by_key(&foreign_key), &foreign, None).await), ErrorKind::NotFound);
    assert_eq!(stored(&world, &certificate).await, None);
}

#[tokio::test]
async fn what_is_no_certificate_is_malformed() {
    let world = World::new();
    let account = world.account().await;
    for bytes in [&b""[..], b"-----BEGIN CERTIFICATE-----", &[0x30, 0]] {
        assert_eq!(kind(revoke(&world, by(account), bytes, None).await), ErrorKind::Malformed);
    }
}

#[tokio::test]
async fn an_expired_certificate_can_be_revoked() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    world.clock.advance(100 * DAY);
    revoke(&world, by(account), &certificate, None).await.unwrap();
}
