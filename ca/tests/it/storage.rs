//! The same with the real storage authority, in memory.

use std::sync::Arc;

use cairn_ca::{Ca, Config, Issuer};
use cairn_core::ErrorKind;
use cairn_core::api::ca::CertificateAuthority;
use cairn_core::api::sa::StorageRead;
use cairn_core::random::SeededRandom;
use cairn_core::time::FakeClock;
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

#[tokio::test]
async fn a_certificate_that_was_issued_can_be_read_back_by_its_serial() {
    let (ca, storage) = authority();
    let request = request(&[("dns", "www.example.test")]);
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
    let (ca, _storage) = authority();
    let request = request(&[("dns", "www.example.test")]);
    let issue = || ca.issue_certificate(request.clone());
    let results = tokio::join!(issue(), issue(), issue(), issue());
    let results = [results.0, results.1, results.2, results.3];
    let conflicts =
        results.iter().filter(|result| result.as_ref().is_err_and(|e| e.kind == ErrorKind::Conflict));
    assert_eq!(conflicts.count(), 3);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}
