//! RFC 8555 §7.4, from a ready order to a certificate.

use std::future::poll_fn;
use std::task::Poll;

use cairn_core::api::RegistrationAuthority;
use cairn_core::api::ra::{FinalizeOrderRequest, RevocationProof, RevokeCertificateRequest};
use cairn_core::{ErrorKind, OrderId, OrderProgress, OrderStatus, Period, ProblemType};
use cairn_ra::Orphans;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, PublicKeyData};

use crate::world::{DAY, Issuance, START, World, csr, csr_from, csr_with, jwk, kind, refused_connection};

#[tokio::test]
async fn a_quick_issuance_is_final_in_the_first_answer() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    let key = KeyPair::generate().unwrap();
    let done = world.finalize(account, order, csr_with(&key, &["a.test"])).await.unwrap();
    let OrderProgress::Issued { serial } = &done.order.progress else { panic!("{:?}", done.order.progress) };
    let record = world.deps.sa.certificate(serial).await.unwrap().unwrap();
    assert_eq!((record.order, record.account), (Some(order), Some(account)));
    assert_eq!(world.stored_order(order).await, done);

    let requests = world.ca.requests.lock().unwrap();
    assert_eq!(requests[0].public_key, key.subject_public_key_info());
    assert_eq!(requests[0].identifiers, done.order.identifiers);
    assert_eq!(requests[0].profile, "default");
}

#[tokio::test]
async fn a_slow_issuance_goes_on_behind_the_answer() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let order = world.order(account, &["a.test"]).await;
    validate_all(&world, order.order.id).await;
    world.ca.hold();
    let answer = world.finalize(account, order.order.id, csr(&["a.test"])).await.unwrap();
    assert_eq!(answer.status(START), OrderStatus::Processing);
    assert_eq!(
        kind(world.finalize(account, order.order.id, csr(&["a.test"])).await),
        ErrorKind::OrderNotReady,
        "while it runs"
    );
    world.ca.release();
    world.quiet().await;
    assert_eq!(world.stored_order(order.order.id).await.status(START), OrderStatus::Valid);
    assert_eq!(world.ca.calls(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_order_half_done() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    // Begun, and dropped at its first wait, as the front end drops it when the connection closes.
    let mut request = Box::pin(world.finalize(account, order, csr(&["a.test"])));
    let begun = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
    assert!(begun.is_pending());
    drop(request);
    world.quiet().await;
    assert_eq!(world.stored_order(order).await.status(START), OrderStatus::Valid);
}

/// Validates an order's authorizations however short the grace is.
async fn validate_all(world: &World, order: OrderId) {
    let order = world.stored_order(order).await;
    for authz in &order.authorizations {
        let request = crate::world::answer(order.order.account, authz.id, authz.challenges[0]);
        world.another_ra().perform_validation(request).await.unwrap();
    }
}

#[tokio::test]
async fn an_order_is_finalized_only_when_it_is_ready() {
    let world = World::new();
    let account = world.account().await;
    let pending = world.order(account, &["a.test"]).await.order.id;
    assert_refused(&world, pending, "pending").await;

    let valid = world.ready_order(account, &["b.test"]).await;
    world.finalize(account, valid, csr(&["b.test"])).await.unwrap();
    assert_refused(&world, valid, "valid").await;

    world.va.next_fails(refused_connection());
    let invalid = world.ready_order(account, &["c.test"]).await;
    assert_refused(&world, invalid, "invalid").await;

    let expired = world.ready_order(account, &["d.test"]).await;
    world.clock.advance(7 * DAY);
    assert_refused(&world, expired, "invalid").await;
    assert_eq!(world.ca.calls(), 1);
}

async fn assert_refused(world: &World, order: OrderId, because: &str) {
    let stored = world.stored_order(order).await;
    let names: Vec<String> = stored.order.identifiers.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let error = world.finalize(stored.order.account, order, csr(&names)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OrderNotReady);
    assert!(error.detail.contains(&format!("is {because};")), "{}", error.detail);
    assert_eq!(world.stored_order(order).await, stored);
}

#[tokio::test]
async fn anothers_order_looks_like_none() {
    let world = World::new();
    let (owner, stranger) = (world.account().await, world.account().await);
    let order = world.ready_order(owner, &["a.test"]).await;
    let anothers = world.finalize(stranger, order, csr(&["a.test"])).await.unwrap_err();
    let none = world.finalize(stranger, OrderId::from_bytes([9; 16]), csr(&["a.test"])).await.unwrap_err();
    assert_eq!(anothers.kind, ErrorKind::NotFound);
    assert_eq!(anothers, none);
}

/// A CSR that is refused leaves the order ready, for a better one.
async fn assert_bad_csr(world: &World, order: OrderId, csr: Vec<u8>, because: &str) {
    let account = world.stored_order(order).await.order.account;
    let error = world.finalize(account, order, csr).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadCsr, "{error}");
    assert!(error.detail.contains(because), "{}", error.detail);
    assert_eq!(world.stored_order(order).await.status(world.deps.clock.now()), OrderStatus::Ready);
    assert_eq!(world.ca.calls(), 0);
}

#[tokio::test]
async fn a_csr_is_for_exactly_the_names_of_its_order() {
    let world =
        World::with_policy(|_| {}, |policy| policy.allowed_networks = vec!["192.0.2.0/24".parse().unwrap()]);
    let account = world.account().await;
    let names = ["*.a.test", "192.0.2.1", "a.test"];
    let order = world.ready_order(account, &names).await;
    assert_bad_csr(&world, order, csr(&["a.test", "*.a.test"]), "it lacks 192.0.2.1").await;
    assert_bad_csr(&world, order, csr(&["a.test", "*.a.test", "192.0.2.1", "b.test"]), "asks for b.test")
        .await;
    let others = ["b.test", "c.test", "d.test", "e.test", "f.test"];
    assert_bad_csr(&world, order, csr(&others), "b.test, c.test, d.test and 2 more").await;
    let key = KeyPair::generate().unwrap();
    let with_name = |name: &'static str| {
        move |params: &mut CertificateParams| params.distinguished_name.push(DnType::CommonName, name)
    };
    assert_bad_csr(&world, order, csr_from(&key, &names, with_name("b.test")), "b.test").await;
    let spelled = ["A.Test", "*.a.TEST", "192.0.2.1"];
    assert!(world.finalize(account, order, csr_from(&key, &spelled, with_name("a.test"))).await.is_ok());
}

#[tokio::test]
async fn the_common_name_alone_names_too() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    let key = KeyPair::generate().unwrap();
    let csr = csr_from(&key, &[], |params| params.distinguished_name.push(DnType::CommonName, "a.test"));
    assert!(world.finalize(account, order, csr).await.is_ok());
}

#[tokio::test]
async fn what_is_no_csr_is_refused() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    assert_bad_csr(&world, order, b"-----BEGIN CERTIFICATE REQUEST-----".to_vec(), "PEM").await;
    assert_bad_csr(&world, order, Vec::new(), "DER").await;
    let mut forged = csr(&["a.test"]);
    *forged.last_mut().unwrap() ^= 1;
    assert_bad_csr(&world, order, forged, "signed").await;
}

#[tokio::test]
async fn must_staple_is_refused() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    let csr = csr_from(&KeyPair::generate().unwrap(), &["a.test"], |params| {
        // RFC 7633 §4: SEQUENCE OF INTEGER, with status_request.
        let must_staple =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]);
        params.custom_extensions.push(must_staple);
    });
    assert_bad_csr(&world, order, csr, "must-staple").await;
}

#[tokio::test]
async fn a_key_against_policy_makes_a_bad_csr() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    assert_bad_csr(&world, order, csr_with(&key, &["a.test"]), "Ed25519").await;
}

#[tokio::test]
async fn an_accounts_key_stands_in_no_certificate() {
    let world = World::new();
    let (own, others) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let account = world.account_with(&own).await;
    world.account_with(&others).await;
    let order = world.ready_order(account, &["a.test"]).await;
    assert_bad_csr(&world, order, csr_with(&own, &["a.test"]), "account's key").await;
    assert_bad_csr(&world, order, csr_with(&others, &["a.test"]), "account's key").await;
}

#[tokio::test]
async fn a_compromised_key_is_not_certified_again() {
    let world = World::new();
    let account = world.account().await;
    let (certificate, key) = world.certificate(account, &["a.test"]).await;
    let proof = RevocationProof::CertificateKey(Box::new(jwk(&key)));
    world
        .ra
        .revoke_certificate(RevokeCertificateRequest { proof, certificate, reason: Some(1) })
        .await
        .unwrap();
    let order = world.ready_order(account, &["a.test"]).await;
    let error = world.finalize(account, order, csr_with(&key, &["a.test"])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadCsr);
    assert!(error.detail.contains("compromised"), "{}", error.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_finalizations_issue_one_certificate() {
    let world = World::new();
    let another = world.another_ra();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    let request = || FinalizeOrderRequest { account, order, csr: csr(&["a.test"]) };
    let (a, b, c) = tokio::join!(
        world.ra.finalize_order(request()),
        another.finalize_order(request()),
        world.ra.finalize_order(request())
    );
    let (won, lost): (Vec<_>, Vec<_>) = [a, b, c].into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|outcome| kind(outcome) == ErrorKind::OrderNotReady));
    assert_eq!(world.ca.calls(), 1);
    assert_eq!(world.stored_order(order).await.status(START), OrderStatus::Valid);
}

#[tokio::test]
async fn an_issuance_that_could_not_be_begun_is_tried_again() {
    let world = World::with(|config| {
        config.retry_pause = Period::from_millis(1);
        config.answer_grace = Period::from_secs(10);
    });
    let account = world.account().await;
    for (number, kind) in [ErrorKind::Unavailable, ErrorKind::Internal].into_iter().enumerate() {
        let order = world.ready_order(account, &["a.test"]).await;
        world.ca.next(Issuance::Breaks(kind));
        let done = world.finalize(account, order, csr(&["a.test"])).await.unwrap();
        assert_eq!(done.status(START), OrderStatus::Valid);
        assert_eq!(world.ca.calls(), 2 * (number + 1));
    }
}

#[tokio::test]
async fn that_the_ca_may_not_certify_a_name_is_told_to_the_client() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    world.ca.next(Issuance::Breaks(ErrorKind::RejectedIdentifier));
    let answer = world.finalize(account, order, csr(&["a.test"])).await.unwrap();
    assert_eq!(answer.status(START), OrderStatus::Invalid);
    let problem = world.stored_order(order).await.error(START).unwrap();
    assert_eq!(
        (problem.kind, problem.detail.as_str()),
        (ProblemType::RejectedIdentifier, "as the test wants it")
    );
    assert_eq!(world.ca.calls(), 1);
}

#[tokio::test]
async fn an_issuance_that_was_begun_is_left_to_the_sweeper_which_says_whose_fault_it_is() {
    let world = World::new();
    let account = world.account().await;
    let order = world.ready_order(account, &["a.test"]).await;
    world.ca.next(Issuance::Breaks(ErrorKind::Conflict));
    let answer = world.finalize(account, order, csr(&["a.test"])).await.unwrap();
    assert_eq!(answer.status(START), OrderStatus::Processing);
    assert_eq!(world.stored_order(order).await.status(START), OrderStatus::Processing);
    world.ra.sweep(Orphans::Silent).await.unwrap();
    let status = world.stored_order(order).await.status(START);
    assert_eq!(status, OrderStatus::Processing, "a certificate may still come");
    world.clock.advance(60);
    world.ra.sweep(Orphans::Silent).await.unwrap();
    assert_eq!(world.stored_order(order).await.error(START).unwrap().kind, ProblemType::ServerInternal);
    assert_eq!(world.ca.calls(), 1, "never a second time");
}

#[tokio::test]
async fn beyond_the_bound_nothing_is_begun() {
    let world = World::with(|config| {
        config.answer_grace = Period::from_millis(1);
        config.max_issuances = 1;
    });
    let account = world.account().await;
    let first = world.order(account, &["a.test"]).await.order.id;
    let second = world.order(account, &["b.test"]).await.order.id;
    validate_all(&world, first).await;
    validate_all(&world, second).await;
    world.ca.hold();
    world.finalize(account, first, csr(&["a.test"])).await.unwrap();
    assert_eq!(kind(world.finalize(account, second, csr(&["b.test"])).await), ErrorKind::Unavailable);
    assert_eq!(world.stored_order(second).await.status(START), OrderStatus::Ready);
    world.ca.release();
    world.quiet().await;
    assert!(world.finalize(account, second, csr(&["b.test"])).await.is_ok());
}

#[tokio::test]
async fn shutdown_finishes_running_issuances_and_those_that_were_asked_for_when_it_began() {
    let world = World::with(|config| config.answer_grace = Period::from_millis(1));
    let account = world.account().await;
    let first = world.order(account, &["a.test"]).await.order.id;
    let second = world.order(account, &["b.test"]).await.order.id;
    validate_all(&world, first).await;
    validate_all(&world, second).await;
    world.ca.hold();
    world.finalize(account, first, csr(&["a.test"])).await.unwrap();
    world.deps.shutdown.cancel();
    world.finalize(account, second, csr(&["b.test"])).await.unwrap();
    world.ca.release();
    world.quiet().await;
    assert_eq!(world.stored_order(first).await.status(START), OrderStatus::Valid);
    assert_eq!(world.stored_order(second).await.status(START), OrderStatus::Valid);
}
