//! Orders from their first request to their certificate, RFC 8555 §7.4.

use std::net::Ipv4Addr;

use cairn_test_env::acme::{CertificateRequest, Error, Identifier, JOSE, Status, Step, certify};
use http::Method;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use crate::world::{World, assert_refused, dns, finished, names, verified_leaf};

#[tokio::test]
async fn finalize_of_a_pending_order_is_refused_and_leaves_it_pending() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["early.test"]);
    let request = CertificateRequest::new(&identifiers).unwrap();
    let placed = client.new_order(&account, &identifiers).await.unwrap();
    let outcome = client.finalize(&account, &placed.order.finalize, &request.der).await;
    assert_refused(outcome, 403, "orderNotReady");
    assert_eq!(client.order(&account, &placed.url).await.unwrap().object.status, Status::Pending);
    world.end().await;
}

#[tokio::test]
async fn a_bad_csr_leaves_the_order_ready_for_a_good_one() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["a.csr.test", "b.csr.test"]);
    let placed = world.ready_order(&mut client, &account, &identifiers).await;
    let good = CertificateRequest::new(&identifiers).unwrap().der;
    let csr = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|&name| Identifier::dns(name)).collect();
        CertificateRequest::new(&names).unwrap().der
    };
    let mut tampered = good.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let bad = [
        ("too few names", csr(&["a.csr.test"])),
        ("too many names", csr(&["a.csr.test", "b.csr.test", "c.csr.test"])),
        ("other names", csr(&["a.csr.test", "c.csr.test"])),
        ("no names", csr(&[])),
        ("a broken signature", tampered),
        ("PEM", b"-----BEGIN CERTIFICATE REQUEST-----".to_vec()),
        (
            "the account's key",
            csr_with_key(&account.key.to_pkcs8_der().unwrap(), &["a.csr.test", "b.csr.test"]),
        ),
    ];
    for (what, csr) in bad {
        println!("{what}");
        assert_refused(client.finalize(&account, &placed.order.finalize, &csr).await, 400, "badCSR");
        assert_eq!(client.order(&account, &placed.url).await.unwrap().object.status, Status::Ready);
    }
    client.finalize(&account, &placed.order.finalize, &good).await.unwrap();
    let order = finished(&mut client, &account, &placed.url).await;
    assert_eq!(order.status, Status::Valid);
    let chain = client.certificate(&account, &order.certificate.unwrap()).await.unwrap();
    assert_eq!(names(&verified_leaf(&chain, &world.root)), ["a.csr.test", "b.csr.test"]);
    world.end().await;
}

fn csr_with_key(pkcs8: &[u8], names: &[&str]) -> Vec<u8> {
    let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8)).unwrap();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.serialize_request(&key).unwrap().der().to_vec()
}

#[tokio::test]
async fn two_finalizes_at_the_same_time_issue_one_certificate() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let mut other = world.client().await;
    for round in 0..5 {
        let identifiers = [Identifier::dns(format!("{round}.twice.test"))];
        let placed = world.ready_order(&mut client, &account, &identifiers).await;
        let url = &placed.order.finalize;
        let csrs = [(); 2].map(|()| CertificateRequest::new(&identifiers).unwrap().der);
        let (one, two) =
            tokio::join!(client.finalize(&account, url, &csrs[0]), other.finalize(&account, url, &csrs[1]));
        let refused = [&one, &two].into_iter().filter_map(|outcome| outcome.as_ref().err());
        let refused: Vec<_> = refused.map(Error::label).collect();
        assert_eq!(refused, ["orderNotReady"]);
        let order = finished(&mut client, &account, &placed.url).await;
        assert_eq!(order.status, Status::Valid);
        // Whoever comes late learns that it is done, and nothing is issued again.
        assert_refused(client.finalize(&account, url, &csrs[0]).await, 403, "orderNotReady");
        let again = finished(&mut other, &account, &placed.url).await;
        assert_eq!(again.certificate, order.certificate);
    }
    world.end().await;
}

#[tokio::test]
async fn a_wildcard_and_its_base_are_two_authorizations() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["both.test", "*.both.test"]);
    let placed = client.new_order(&account, &identifiers).await.unwrap();
    let mut wildcards = Vec::new();
    for url in &placed.order.authorizations {
        let authz = client.authorization(&account, url).await.unwrap().object;
        // RFC 8555 §7.1.4: the identifier without the asterisk, and `wildcard` true or not there at all.
        assert_eq!(authz.identifier, Identifier::dns("both.test"));
        let kinds: Vec<&str> = authz.challenges.iter().map(|challenge| challenge.kind.as_str()).collect();
        match authz.wildcard {
            Some(true) => assert_eq!(kinds, ["dns-01"]),
            None => assert_eq!(kinds, ["http-01", "dns-01", "tls-alpn-01"]),
            Some(false) => panic!("wildcard: false is not to be written"),
        }
        wildcards.push(authz.wildcard.is_some());
    }
    wildcards.sort_unstable();
    assert_eq!(wildcards, [false, true]);

    let csr = CertificateRequest::new(&identifiers).unwrap().der;
    let certified = certify(&mut client, &account, &world.dns(), &identifiers, &csr).await.unwrap();
    assert_eq!(names(&verified_leaf(&certified.chain, &world.root)), ["*.both.test", "both.test"]);
    world.end().await;
}

#[tokio::test]
async fn an_ip_address_is_certified_by_http_01_and_by_tls_alpn_01() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = [Identifier::ip(Ipv4Addr::LOCALHOST)];
    for responder in [world.http(), world.tls()] {
        let csr = CertificateRequest::new(&identifiers).unwrap().der;
        let certified = certify(&mut client, &account, &responder, &identifiers, &csr).await.unwrap();
        assert_eq!(names(&verified_leaf(&certified.chain, &world.root)), ["127.0.0.1"]);
    }
    let placed = client.new_order(&account, &identifiers).await.unwrap();
    let authz = client.authorization(&account, &placed.order.authorizations[0]).await.unwrap().object;
    // RFC 8738 §7: never by dns-01.
    assert!(authz.challenge("dns-01").is_none(), "{authz:?}");
    world.end().await;
}

#[tokio::test]
async fn names_are_lower_cased_and_their_duplicates_dropped() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let placed = client.new_order(&account, &dns(["Up.Test", "up.test", "also.test"])).await.unwrap();
    let mut ordered: Vec<_> =
        placed.order.identifiers.iter().map(|identifier| identifier.value.as_str()).collect();
    ordered.sort_unstable();
    assert_eq!(ordered, ["also.test", "up.test"]);
    assert_eq!(placed.order.authorizations.len(), 2);
    assert!(placed.order.expires.is_some());
    world.end().await;
}

#[tokio::test]
async fn an_order_that_nobody_can_fulfil_is_refused() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let many: Vec<Value> =
        (0..101).map(|number| json!({ "type": "dns", "value": format!("{number}.many.test") })).collect();
    let one = |kind: &str, value: &str| json!([{ "type": kind, "value": value }]);
    let refused = [
        (json!({ "identifiers": [] }), "malformed"),
        (json!({ "identifiers": many }), "malformed"),
        (json!({}), "malformed"),
        (json!({ "identifiers": one("dns", "a b.test") }), "malformed"),
        (json!({ "identifiers": one("dns", "under_score.test") }), "malformed"),
        (json!({ "identifiers": one("dns", "a.*.test") }), "malformed"),
        (json!({ "identifiers": one("dns", "trailing.dot.test.") }), "malformed"),
        (json!({ "identifiers": one("ip", "127.0.0.01") }), "malformed"),
        (json!({ "identifiers": one("email", "a@b.test") }), "unsupportedIdentifier"),
        (json!({ "identifiers": one("dns", "dated.test"), "notAfter": "2030-01-01T00:00:00Z" }), "malformed"),
    ];
    let url = client.directory.new_order.clone();
    for (payload, name) in refused {
        println!("{payload:.80}");
        let outcome = client.post(Step::NewOrder, (&account).into(), &url, &payload).await;
        assert_refused(outcome, 400, name);
    }
    world.end().await;
}

#[tokio::test]
async fn the_answer_to_finalize_names_the_order_and_the_certificate_is_a_pem_chain() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["chain.test"]);
    let placed = world.ready_order(&mut client, &account, &identifiers).await;
    let csr = CertificateRequest::new(&identifiers).unwrap().der;
    let payload = json!({ "csr": cairn_jose::base64url::encode(&csr) });
    let header = client.header((&account).into(), &placed.order.finalize).await.unwrap();
    let body = account.key.jws(&header, payload.to_string().as_bytes()).unwrap();
    let response = client.send(Method::POST, &placed.order.finalize, Some(JOSE), body).await.unwrap();
    assert_eq!((response.status.as_u16(), response.header("location")), (200, placed.url.as_str()));

    let url = finished(&mut client, &account, &placed.url).await.certificate.unwrap();
    let response = client.post_as_get(Step::Certificate, &account, &url).await.unwrap();
    assert_eq!(response.header("content-type"), "application/pem-certificate-chain");
    let pem = String::from_utf8(response.body.to_vec()).unwrap();
    assert!(
        pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"),
        "{pem}"
    );
    verified_leaf(pem.as_bytes(), &world.root);
    world.end().await;
}

#[tokio::test]
async fn an_authorization_that_is_given_up_ends_its_order() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let placed = world.ready_order(&mut client, &account, &dns(["given.up.test"])).await;
    let url = &placed.order.authorizations[0];
    let payload = json!({ "status": "deactivated" });
    let authz: Value =
        client.post(Step::Authorization, (&account).into(), url, &payload).await.unwrap().json().unwrap();
    assert_eq!(authz["status"], "deactivated");
    let order = client.order(&account, &placed.url).await.unwrap().object;
    assert_eq!(order.status, Status::Invalid);
    assert_eq!(order.error.unwrap().name(), "unauthorized");
    world.end().await;
}
