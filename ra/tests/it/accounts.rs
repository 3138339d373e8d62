//! RFC 8555 §7.3.

use cairn_core::api::RegistrationAuthority;
use cairn_core::api::ra::{NewAccountRequest, RevocationProof, RevokeCertificateRequest};
use cairn_core::{AccountStatus, ErrorKind};
use rcgen::KeyPair;

use crate::world::{World, jwk, kind};

fn request(key: &KeyPair, contact: &[&str]) -> NewAccountRequest {
    NewAccountRequest { key: jwk(key), contact: contact.iter().copied().map(str::to_owned).collect() }
}

#[tokio::test]
async fn a_key_without_an_account_gets_a_new_one() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let answer = world.ra.new_account(request(&key, &["mailto:a@example.com"])).await.unwrap();
    assert!(answer.created);
    assert_eq!(answer.account.contact, ["mailto:a@example.com"]);
    assert_eq!(world.deps.sa.account(answer.account.id).await.unwrap(), Some(answer.account));
}

#[tokio::test]
async fn a_key_with_an_account_gets_that_one_and_the_request_is_ignored() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let first = world.ra.new_account(request(&key, &[])).await.unwrap();
    let second = world.ra.new_account(request(&key, &["not even a contact"])).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.account, first.account);
}

#[tokio::test]
async fn racing_requests_for_one_key_make_one_account() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let ask = || world.ra.new_account(request(&key, &[]));
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    let answers = [a.unwrap(), b.unwrap(), c.unwrap()];
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
    assert!(answers.iter().all(|answer| answer.account.id == answers[0].account.id));
}

#[tokio::test]
async fn weak_keys_make_no_accounts() {
    let world = World::with_policy(|_| {}, |policy| policy.account_keys = vec![cairn_pa::KeyAlgorithm::P384]);
    let outcome = world.ra.new_account(request(&KeyPair::generate().unwrap(), &[])).await;
    assert_eq!(kind(outcome), ErrorKind::BadPublicKey);
}

#[tokio::test]
async fn blocked_keys_make_no_accounts() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    let proof = RevocationProof::CertificateKey(Box::new(jwk(&key)));
    let revocation = RevokeCertificateRequest { proof, certificate, reason: Some(1) };
    world.ra.revoke_certificate(revocation).await.unwrap();
    assert_eq!(kind(world.ra.new_account(request(&key, &[])).await), ErrorKind::BadPublicKey);
}

#[tokio::test]
async fn bad_contacts_make_no_accounts() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    for (contact, expected) in [
        ("tel:+15551234", ErrorKind::UnsupportedContact),
        ("mailto:a@b?subject=c", ErrorKind::InvalidContact),
    ] {
        assert_eq!(kind(world.ra.new_account(request(&key, &[contact])).await), expected);
    }
    assert_eq!(world.deps.sa.account_by_key(jwk(&key).thumbprint()).await.unwrap(), None);
}

#[tokio::test]
async fn contacts_are_replaced_and_cleared() {
    let world = World::new();
    let account = world.account().await;
    let contact = vec!["mailto:b@example.com".to_owned()];
    assert_eq!(world.ra.update_account(account, contact.clone()).await.unwrap().contact, contact);
    let bad = vec!["https://example.com".to_owned()];
    assert_eq!(kind(world.ra.update_account(account, bad).await), ErrorKind::UnsupportedContact);
    assert!(world.ra.update_account(account, Vec::new()).await.unwrap().contact.is_empty());
}

#[tokio::test]
async fn a_closed_account_stays_closed_and_its_key_opens_no_other() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let account = world.account_with(&key).await;
    assert_eq!(world.ra.deactivate_account(account).await.unwrap().status, AccountStatus::Deactivated);
    assert_eq!(kind(world.ra.new_account(request(&key, &[])).await), ErrorKind::AccountNotValid);
    assert_eq!(kind(world.ra.update_account(account, Vec::new()).await), ErrorKind::AccountNotValid);
    assert_eq!(kind(world.ra.deactivate_account(account).await), ErrorKind::AccountNotValid);
}
