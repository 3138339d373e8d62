//! RFC 8555 §7.6.

use cairn_core::api::RegistrationAuthority;
use cairn_core::api::ra::{RevocationProof, RevokeCertificateRequest};
use cairn_core::api::revocations::KEY_SWEPT_FOR;
use cairn_core::{AccountId, ErrorKind, Result, Revocation, RevocationReason, Serial};
use cairn_x509::{Certificate, PublicKey};
use rcgen::{KeyPair, PublicKeyData};

use crate::world::{DAY, START, World, csr_with, jwk, kind};

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
    // That the key is in other hands, it cannot know.
    revoke(&world, by(successor), &certificate, Some(1)).await.unwrap();
    let expected = Revocation { at: START, reason: Some(RevocationReason::CessationOfOperation) };
    assert_eq!(stored(&world, &certificate).await, Some(expected));
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
    assert!(!is_blocked(&world, &other).await);
    revoke(&world, by_key(&key), &certificate, None).await.unwrap();
    assert_eq!(stored(&world, &certificate).await, Some(COMPROMISED));
    assert!(is_blocked(&world, &key).await);
}

/// As it is recorded of a key that signs, whatever it says.
const COMPROMISED: Revocation = Revocation { at: START, reason: Some(RevocationReason::KeyCompromise) };

#[tokio::test]
async fn a_key_that_revokes_takes_its_other_certificates_with_it() {
    let world = World::new();
    let account = world.account().await;
    let key = KeyPair::generate().unwrap();
    let mut certificates = Vec::new();
    for name in ["a.test", "b.test", "c.test"] {
        let order = world.ready_order(account, &[name]).await;
        world.finalize(account, order, csr_with(&key, &[name])).await.unwrap();
        certificates.push(world.ca.last_issued());
    }
    let (unrelated, _) = world.certificate(account, &["d.test"]).await;
    revoke(&world, by(account), &certificates[1], Some(4)).await.unwrap();
    // One is under way while the key is being blocked.
    let late = world.ready_order(account, &["late.test"]).await;
    world.ca.hold();
    let finalized = world.finalize(account, late, csr_with(&key, &["late.test"]));
    let (finalized, ()) = tokio::join!(finalized, async {
        world.ca.reached(5).await;
        revoke(&world, by_key(&key), &certificates[0], Some(5)).await.unwrap();
        world.ra.keep_up().await.unwrap();
        for certificate in &certificates {
            assert_eq!(stored(&world, certificate).await, Some(COMPROMISED));
        }
        world.ca.release();
    });
    finalized.unwrap();
    let late = world.ca.last_issued();
    assert_eq!(stored(&world, &late).await, None);
    world.ra.keep_up().await.unwrap();
    assert_eq!(stored(&world, &late).await, Some(COMPROMISED), "it is looked for afterwards too");
    assert_eq!(stored(&world, &unrelated).await, None);
    assert_eq!(world.deps.sa.keys_to_sweep(None, 10).await.unwrap().len(), 1);
    world.clock.advance(KEY_SWEPT_FOR);
    world.ra.keep_up().await.unwrap();
    assert_eq!(world.deps.sa.keys_to_sweep(None, 10).await.unwrap(), [], "and not for ever");
}

#[tokio::test]
async fn what_has_expired_is_left_when_its_key_is_blocked() {
    let world = World::new();
    let account = world.account().await;
    let (old, key) = world.certificate(account, &["a.test"]).await;
    world.clock.advance(91 * DAY);
    let order = world.ready_order(account, &["b.test"]).await;
    world.finalize(account, order, csr_with(&key, &["b.test"])).await.unwrap();
    let new = world.ca.last_issued();
    revoke(&world, by_key(&key), &new, None).await.unwrap();
    world.ra.keep_up().await.unwrap();
    assert_eq!(stored(&world, &old).await, None);
}

#[tokio::test]
async fn certificates_that_older_programs_issued_are_found_by_their_key_too() {
    let world = World::new();
    let account = world.account().await;
    world.ca.is_old();
    let (old, key) = world.certificate(account, &["a.test"]).await;
    world.ca.is_new();
    let order = world.ready_order(account, &["b.test"]).await;
    world.finalize(account, order, csr_with(&key, &["b.test"])).await.unwrap();
    assert_eq!(world.deps.sa.certificates_without_key(10).await.unwrap().len(), 1);
    revoke(&world, by_key(&key), &world.ca.last_issued(), None).await.unwrap();
    world.ra.keep_up().await.unwrap();
    assert_eq!(stored(&world, &old).await, Some(COMPROMISED));
    assert_eq!(world.deps.sa.certificates_without_key(10).await.unwrap(), []);
}

#[tokio::test]
async fn the_key_corrects_a_reason_and_the_time_stays() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    revoke(&world, by(account), &certificate, Some(4)).await.unwrap();
    world.clock.advance(DAY);
    // The account has no proof.
    assert_eq!(kind(revoke(&world, by(account), &certificate, Some(1)).await), ErrorKind::AlreadyRevoked);
    revoke(&world, by_key(&key), &certificate, Some(4)).await.unwrap();
    assert_eq!(stored(&world, &certificate).await, Some(COMPROMISED));
    assert!(is_blocked(&world, &key).await);
    assert_eq!(kind(revoke(&world, by_key(&key), &certificate, None).await), ErrorKind::AlreadyRevoked);
    assert_eq!(kind(revoke(&world, by(account), &certificate, Some(4)).await), ErrorKind::AlreadyRevoked);
}

#[tokio::test]
async fn a_key_whose_account_said_that_it_is_compromised_is_blocked_when_it_says_so_itself() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    revoke(&world, by(account), &certificate, Some(1)).await.unwrap();
    assert!(!is_blocked(&world, &key).await);
    assert_eq!(kind(revoke(&world, by_key(&key), &certificate, Some(1)).await), ErrorKind::AlreadyRevoked);
    assert!(is_blocked(&world, &key).await, "all the same");
}

#[tokio::test]
async fn a_key_that_is_blocked_can_still_revoke() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    let spki = PublicKey::from_der(&key.subject_public_key_info()).unwrap();
    world.deps.sa.block_key(spki.sha256(), START).await.unwrap();
    revoke(&world, by_key(&key), &certificate, None).await.unwrap();
    assert_eq!(stored(&world, &certificate).await, Some(COMPROMISED));
}

#[tokio::test]
async fn an_account_is_believed_of_its_certificate_and_proves_nothing_about_the_key() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    revoke(&world, by(account), &certificate, Some(1)).await.unwrap();
    assert_eq!(stored(&world, &certificate).await, Some(COMPROMISED));
    assert!(!is_blocked(&world, &key).await);
}

#[tokio::test]
async fn a_certificate_is_revoked_once_and_only_who_may_learns_it() {
    let world = World::new();
    let account = world.account().await;
    let stranger = world.account().await;
    let (certificate, _) = world.certificate(account, &["a.test"]).await;
    revoke(&world, by(account), &certificate, None).await.unwrap();
    assert_eq!(kind(revoke(&world, by(account), &certificate, None).await), ErrorKind::AlreadyRevoked);
    assert_eq!(
        kind(revoke(&world, by_key(&KeyPair::generate().unwrap()), &certificate, None).await),
        ErrorKind::Unauthorized
    );
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
