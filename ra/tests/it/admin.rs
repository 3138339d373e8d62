//! What an operator asks.

use cairn_core::api::RegistrationAuthority;
use cairn_core::api::admin::{AccountName, Administration, Operator, OperatorRevocation, Workload};
use cairn_core::api::ra::{RevocationProof, RevokeCertificateRequest};
use cairn_core::{
    AccountId, AccountStatus, AuthorizationStatus, ErrorKind, OrderStatus, Revocation, RevocationReason,
    Serial,
};
use cairn_x509::{Certificate, PublicKey};
use rcgen::{KeyPair, PublicKeyData};

use crate::world::{START, World, answer, csr_with, jwk, kind};

fn operator() -> Operator {
    "alice".parse().unwrap()
}

fn serial(certificate: &[u8]) -> Serial {
    Serial::from_bytes(Certificate::from_der(certificate).unwrap().serial()).unwrap()
}

fn spki_sha256(key: &KeyPair) -> [u8; 32] {
    PublicKey::from_der(&key.subject_public_key_info()).unwrap().sha256()
}

#[tokio::test]
async fn an_operator_finds_accounts_by_id_and_by_key() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let id = world.account_with(&key).await;
    let by_id = world.ra.account(&operator(), AccountName::Id(id)).await.unwrap();
    assert_eq!(by_id.id, id);
    let by_key = AccountName::Key(jwk(&key).thumbprint());
    assert_eq!(world.ra.account(&operator(), by_key).await, Ok(by_id));
    let nobody = AccountName::Id(AccountId::from_bytes([1; 16]));
    assert_eq!(kind(world.ra.account(&operator(), nobody).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_account_that_an_operator_closes_is_revoked_once() {
    let world = World::new();
    let id = world.account().await;
    let closed = Administration::deactivate_account(&world.ra, &operator(), id).await.unwrap();
    assert_eq!(closed.status, AccountStatus::Revoked);
    let again = Administration::deactivate_account(&world.ra, &operator(), id).await;
    assert_eq!(kind(again), ErrorKind::Conflict);
    assert!(world.try_order(id, &["a.test"]).await.is_err());
    let nobody = AccountId::from_bytes([1; 16]);
    let outcome = Administration::deactivate_account(&world.ra, &operator(), nobody).await;
    assert_eq!(kind(outcome), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_order_loses_an_authorization_that_an_operator_takes_away() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    let found = world.ra.order(&operator(), order).await.unwrap();
    assert_eq!(found.status(START), OrderStatus::Ready);
    let authz = found.authorizations[0].id;
    let taken = Administration::deactivate_authorization(&world.ra, &operator(), authz).await.unwrap();
    assert_eq!(taken.status(START), AuthorizationStatus::Deactivated);
    assert_eq!(world.ra.authorization(&operator(), authz).await, Ok(taken));
    let found = world.ra.order(&operator(), order).await.unwrap();
    assert_eq!(found.status(START), OrderStatus::Invalid);
    let again = Administration::deactivate_authorization(&world.ra, &operator(), authz).await;
    assert_eq!(kind(again), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_operator_revokes_without_proof_and_blocks_the_key_if_asked() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    let serial = serial(&certificate);
    let asked = OperatorRevocation {
        serial: serial.clone(),
        reason: Some(RevocationReason::PrivilegeWithdrawn),
        block_key: true,
    };
    let revoked = Administration::revoke_certificate(&world.ra, &operator(), asked.clone()).await.unwrap();
    let expected = Revocation { at: START, reason: Some(RevocationReason::PrivilegeWithdrawn) };
    assert_eq!(revoked.revocation, Some(expected));
    assert_eq!(world.ra.certificate(&operator(), &serial).await, Ok(revoked));
    assert_eq!(world.deps.sa.key_blocked(spki_sha256(&key)).await, Ok(true));
    let again = Administration::revoke_certificate(&world.ra, &operator(), asked).await;
    assert_eq!(kind(again), ErrorKind::AlreadyRevoked);
    let request =
        RevokeCertificateRequest { proof: RevocationProof::Account(account), certificate, reason: None };
    assert_eq!(
        kind(RegistrationAuthority::revoke_certificate(&world.ra, request).await),
        ErrorKind::AlreadyRevoked
    );
}

#[tokio::test]
async fn a_revocation_that_does_not_ask_for_it_blocks_no_key() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    let reason = Some(RevocationReason::KeyCompromise);
    let asked = OperatorRevocation { serial: serial(&certificate), reason, block_key: false };
    Administration::revoke_certificate(&world.ra, &operator(), asked).await.unwrap();
    assert_eq!(world.deps.sa.key_blocked(spki_sha256(&key)).await, Ok(false));
}

#[tokio::test]
async fn a_blocked_key_gets_no_certificate() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    assert_eq!(world.ra.block_key(&operator(), spki_sha256(&key)).await, Ok(true));
    assert_eq!(world.ra.block_key(&operator(), spki_sha256(&key)).await, Ok(false));
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    let outcome = world.finalize(account, order, csr_with(&key, &["a.test"])).await;
    assert_eq!(kind(outcome), ErrorKind::BadCsr);
}

#[tokio::test]
async fn the_status_counts_what_runs() {
    let world = World::with(|config| {
        config.max_validations = 7;
        config.answer_grace = cairn_core::Period::from_millis(1);
    });
    let account = world.account().await;
    let order = world.order(account, &["a.test"]).await;
    let authz = &order.authorizations[0];
    world.va.hold();
    world.ra.perform_validation(answer(account, authz.id, authz.challenges[0])).await.unwrap();
    let status = world.ra.status(&operator()).await.unwrap();
    assert_eq!(status.validations, Workload { running: 1, limit: 7 });
    assert_eq!((status.issuances.running, status.stopping), (0, false));
    world.va.release();
    world.deps.shutdown.cancel();
    world.quiet().await;
    let status = world.ra.status(&operator()).await.unwrap();
    assert_eq!((status.validations.running, status.stopping), (0, true));
}
