//! Revocation, RFC 8555 §7.6: by whom, of what, and why.

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{CertificateRequest, Step};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use crate::world::{World, assert_refused, certificates, dns, es256};

/// CRLReason codes, RFC 5280 §5.3.1.
const KEY_COMPROMISE: i64 = 1;
const SUPERSEDED: i64 = 4;

fn leaf(chain: &[u8]) -> Vec<u8> {
    certificates(chain)[0].der().to_vec()
}

fn key(request: &CertificateRequest) -> SigningKey {
    SigningKey::from_pkcs8_der(Algorithm::Es256, &request.key).unwrap()
}

#[tokio::test]
async fn its_account_revokes_a_certificate_once() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["a.test"])).await;
    let leaf = leaf(&certified.chain);
    client.revoke((&account).into(), &leaf, None).await.unwrap();
    assert_refused(client.revoke((&account).into(), &leaf, None).await, 400, "alreadyRevoked");
    // It stays to be downloaded: a revoked certificate is no secret.
    assert_eq!(client.certificate(&account, &certified.url).await.unwrap(), certified.chain);
    world.end().await;
}

#[tokio::test]
async fn its_own_key_revokes_a_certificate_also_when_the_account_is_closed() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["k.test"]);
    let (certified, request) = world.certificate(&mut client, &account, &identifiers).await;
    let payload = json!({ "status": "deactivated" });
    client.post(Step::Other, (&account).into(), &account.url, &payload).await.unwrap();
    let leaf = leaf(&certified.chain);
    assert_refused(client.revoke((&account).into(), &leaf, None).await, 401, "unauthorized");
    client.revoke((&key(&request)).into(), &leaf, Some(SUPERSEDED)).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_key_that_was_reported_as_compromised_by_itself_is_certified_no_more() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["stolen.test"]);
    let (certified, request) = world.certificate(&mut client, &account, &identifiers).await;
    client.revoke((&key(&request)).into(), &leaf(&certified.chain), Some(KEY_COMPROMISE)).await.unwrap();
    let placed = world.ready_order(&mut client, &account, &identifiers).await;
    let outcome = client.finalize(&account, &placed.order.finalize, &request.der).await;
    assert_refused(outcome, 400, "badCSR");
    world.end().await;
}

#[tokio::test]
async fn strangers_revoke_nothing_until_they_have_proven_control_of_all_names() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["x.test", "y.test"])).await;
    let leaf = leaf(&certified.chain);

    let (mut other, stranger) = world.member().await;
    assert_refused(other.revoke((&stranger).into(), &leaf, None).await, 403, "unauthorized");
    assert_refused(other.revoke((&es256()).into(), &leaf, None).await, 403, "unauthorized");
    world.ready_order(&mut other, &stranger, &dns(["x.test"])).await;
    assert_refused(other.revoke((&stranger).into(), &leaf, None).await, 403, "unauthorized");
    world.ready_order(&mut other, &stranger, &dns(["y.test"])).await;
    other.revoke((&stranger).into(), &leaf, None).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_reason_that_subscribers_may_not_give_revokes_nothing() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["r.test"])).await;
    let leaf = leaf(&certified.chain);
    for reason in [-1, 2, 6, 7, 8, 10, 11, 256] {
        let problem = assert_refused(
            client.revoke((&account).into(), &leaf, Some(reason)).await,
            400,
            "badRevocationReason",
        );
        assert!(problem.detail.contains('4'), "it says which are allowed: {problem:?}");
    }
    client.revoke((&account).into(), &leaf, Some(SUPERSEDED)).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_certificate_that_is_not_ours_cannot_be_revoked() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, request) = world.certificate(&mut client, &account, &dns(["ours.test"])).await;
    let theirs = CertificateParams::new(["theirs.test".to_owned()]).unwrap();
    let theirs = theirs.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert_refused(client.revoke((&account).into(), theirs.der(), None).await, 404, "malformed");

    // Our serial, but not our certificate: every octet counts.
    let mut altered = leaf(&certified.chain);
    *altered.last_mut().unwrap() ^= 1;
    assert_refused(client.revoke((&account).into(), &altered, None).await, 404, "malformed");
    assert_refused(client.revoke((&account).into(), &request.der, None).await, 400, "malformed");
    world.end().await;
}
