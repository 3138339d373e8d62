//! The same with the real storage authority, in memory.

use std::sync::Arc;

use cairn_ca::{Ca, Config, Issuer};
use cairn_core::api::IssuanceRequest;
use cairn_core::api::ca::CertificateAuthority;
use cairn_core::api::sa::{NewOrder, StorageAuthority, StorageRead, SubjectKey};
use cairn_core::random::SeededRandom;
use cairn_core::time::FakeClock;
use cairn_core::{
    Account, AccountStatus, Authorization, AuthorizationId, AuthorizationProgress, ChallengeType, ErrorKind,
    Jwk, Order, OrderProgress, Token, WorkerId,
};
use cairn_sa::SqliteStorage;
use cairn_x509::{Certificate, KeySpec};

use crate::world::{Hierarchy, NOW, request};

fn authority() -> (Ca, Arc<SqliteStorage>) {
    let Hierarchy { root, intermediate, intermediate_key, .. } = Hierarchy::new(KeySpec::P256, 1825);
    let key = Box::new(intermediate_key);
    let issuer = Issuer::load(&intermediate.to_pem(), &root.to_pem(), key, NOW).unwrap();
    let storage = Arc::new(SqliteStorage::open_ephemeral().unwrap());
    let (clock, random) = (Arc::new(FakeClock::new(NOW)), Arc::new(SeededRandom::new(1)));
    let ca = Ca::new(Config::default(), issuer, Arc::clone(&storage) as _, clock, random).unwrap();
    (ca, storage)
}

/// Stores the request's order as one that is being issued: no other may get a certificate.
async fn begin(storage: &SqliteStorage, request: &IssuanceRequest) {
    let random = SeededRandom::new(2);
    let end = NOW.plus(3600);
    let authz = Authorization {
        id: AuthorizationId::new(NOW, &random),
        account: request.account.unwrap(),
        identifier: request.identifiers[0].clone(),
        wildcard: false,
        created: NOW,
        expires: end,
        token: Token::new(&random),
        challenges: vec![ChallengeType::Http01],
        progress: AuthorizationProgress::Pending,
    };
    let order = Order {
        id: request.order.unwrap(),
        account: authz.account,
        identifiers: request.identifiers.clone(),
        authorizations: vec![authz.id],
        profile: request.profile.clone(),
        created: NOW,
        expires: end,
        progress: OrderProgress::Open,
        replaces: None,
    };
    let account = Account {
        id: authz.account,
        key: Jwk::from_spki_der(&request.public_key).unwrap(),
        contact: Vec::new(),
        status: AccountStatus::Valid,
        created: NOW,
    };
    storage.new_account(account).await.unwrap();
    let (order_id, authz_id, worker) = (order.id, authz.id, WorkerId::new(NOW, &random));
    let new = NewOrder { order, new_authorizations: vec![authz] };
    storage.new_order_and_authorizations(new).await.unwrap();
    let challenge = ChallengeType::Http01;
    storage.set_authorization_processing(authz_id, challenge, worker, NOW).await.unwrap();
    let valid = AuthorizationProgress::Valid { challenge, at: NOW, records: Vec::new() };
    storage.finalize_authorization(authz_id, valid, end).await.unwrap();
    let key = SubjectKey { spki_sha256: [7; 32], thumbprint: None };
    storage.set_order_processing(order_id, key, worker, NOW).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_was_issued_can_be_read_back_by_its_serial() {
    let (ca, storage) = authority();
    let request = request(&[("dns", "www.example.test")]);
    begin(&storage, &request).await;
    let issued = ca.issue_certificate(request.clone()).await.unwrap();
    let record = storage.certificate(&issued.serial).await.unwrap().unwrap();
    assert_eq!(record.der, issued.der);
    assert_eq!((record.order, record.account), (request.order, request.account));
    let certificate = Certificate::from_der(&record.der).unwrap();
    assert_eq!(record.not_after.unix(), certificate.validity().not_after);
    assert_eq!(certificate.authority_key_identifier(), Some(&record.issuer.as_bytes()[..]));
}

#[tokio::test]
async fn of_many_issuances_for_one_order_at_once_one_succeeds() {
    let (ca, storage) = authority();
    let request = request(&[("dns", "www.example.test")]);
    begin(&storage, &request).await;
    let issue = || ca.issue_certificate(request.clone());
    let results = tokio::join!(issue(), issue(), issue(), issue());
    let results = [results.0, results.1, results.2, results.3];
    let conflicts =
        results.iter().filter(|result| result.as_ref().is_err_and(|e| e.kind == ErrorKind::Conflict));
    assert_eq!(conflicts.count(), 3);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn an_order_that_is_not_being_issued_gets_no_certificate() {
    let (ca, _storage) = authority();
    let refused = ca.issue_certificate(request(&[("dns", "www.example.test")])).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
}
