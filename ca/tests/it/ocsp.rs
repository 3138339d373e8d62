//! OCSP: what is said of whom, by whose signature, and what is not said.

use std::sync::Arc;

use cairn_ca::{Issuer, Responder};
use cairn_core::api::ca::IssuanceRequest;
use cairn_core::api::{OcspAnswer, OcspResponder, OcspResponse};
use cairn_core::{Error, ErrorKind, Revocation, RevocationReason, Serial};
use cairn_x509::ocsp::{CertId, IssuerHash, Nonce, Request, Response, Status};
use cairn_x509::{
    Certificate, CrlInputs, CrlReason, FileSigner, KeySpec, Name, OcspResponderInputs, RevokedEntry, Signer,
    Validity, crl, ocsp_responder,
};

use crate::world::{DAY, Hierarchy, NOW, World, request};

const DELEGATED: &str = "[ocsp]\nsigner = \"delegated\"";

async fn issued(world: &World) -> Serial {
    let request = IssuanceRequest { order: None, ..request(&[("dns", "www.example.test")]) };
    world.issue(request).await.unwrap().serial
}

fn id(issuer: &Certificate, serial: &Serial) -> CertId {
    CertId::new(IssuerHash::Sha1, issuer, serial.as_bytes())
}

async fn answer(world: &World, request: &Request) -> OcspAnswer {
    world.ca.ocsp_response(request.to_der().unwrap()).await.unwrap()
}

fn about(certificates: Vec<CertId>) -> Request {
    Request { certificates, nonce: None }
}

async fn signed(world: &World, request: &Request) -> (OcspResponse, Response) {
    let OcspAnswer::Signed(response) = answer(world, request).await else { panic!("no answer") };
    let read = Response::from_der(&response.der).unwrap();
    (response, read)
}

/// What is said of the certificate with this serial, proven.
async fn status(world: &World, serial: &Serial) -> Status {
    let (_, read) = signed(world, &about(vec![id(&world.intermediate, serial)])).await;
    read.verify(&world.intermediate).unwrap();
    read.responses[0].status
}

fn never_issued() -> Serial {
    Serial::from_bytes(&[0x7f; 16]).unwrap()
}

fn revoke(world: &World, serial: &Serial, reason: Option<RevocationReason>) {
    world.store.revoked.lock().unwrap().insert(serial.clone(), Revocation { at: NOW.plus(-5), reason });
}

#[tokio::test]
async fn what_was_issued_is_good_until_it_is_revoked() {
    let world = World::new();
    let serial = issued(&world).await;
    let request = about(vec![id(&world.intermediate, &serial)]);
    let (response, read) = signed(&world, &request).await;
    read.verify(&world.intermediate).unwrap();
    assert_eq!((response.this_update, response.next_update), (NOW, NOW.plus(DAY)));
    assert_eq!((read.produced_at, read.nonce.clone()), (NOW.unix(), None));
    let [single] = read.responses.as_slice() else { panic!("{read:?}") };
    assert_eq!((single.status, &single.id), (Status::Good, &request.certificates[0]));
    assert_eq!((single.this_update, single.next_update), (NOW.unix(), Some(NOW.plus(DAY).unix())));

    revoke(&world, &serial, Some(RevocationReason::KeyCompromise));
    let reason = Some(CrlReason::KeyCompromise);
    assert_eq!(status(&world, &serial).await, Status::Revoked { at: NOW.plus(-5).unix(), reason });
    revoke(&world, &serial, None);
    assert_eq!(status(&world, &serial).await, Status::Revoked { at: NOW.plus(-5).unix(), reason: None });
    // Also when it has ended.
    world.clock.advance(200 * DAY);
    assert!(matches!(status(&world, &serial).await, Status::Revoked { .. }));
}

#[tokio::test]
async fn both_hashes_are_understood_and_answered_in_the_words_of_the_request() {
    let world = World::new();
    let serial = issued(&world).await;
    for hash in [IssuerHash::Sha1, IssuerHash::Sha256] {
        let asked = CertId::new(hash, &world.intermediate, serial.as_bytes());
        let (_, read) = signed(&world, &about(vec![asked.clone()])).await;
        assert_eq!((&read.responses[0].id, read.responses[0].status), (&asked, Status::Good));
    }
}

#[tokio::test]
async fn what_was_never_issued_by_this_ca_gets_no_signature() {
    let world = World::new();
    let serial = issued(&world).await;
    let stranger = Hierarchy::new(KeySpec::P256, 365).intermediate;
    for ids in [
        vec![id(&world.intermediate, &never_issued())],
        vec![id(&stranger, &serial)],
        vec![id(&stranger, &serial), id(&world.intermediate, &never_issued())],
        // No serial of ours looks like this, and no certificate's either.
        vec![CertId::new(IssuerHash::Sha1, &world.intermediate, &[0])],
    ] {
        let before = world.journal.letters();
        assert_eq!(answer(&world, &about(ids)).await, OcspAnswer::Unauthorized);
        assert_eq!(world.journal.letters(), before, "nothing was signed");
    }
}

#[tokio::test]
async fn an_intent_is_no_certificate() {
    let world = World::new();
    let failure = Error::new(ErrorKind::Unavailable, "away");
    *world.store.certificate_fails.lock().unwrap() = Some(failure);
    world.issue(request(&[("dns", "www.example.test")])).await.unwrap_err();
    let intended = world.journal.intents()[0].serial.clone();
    let asked = about(vec![id(&world.intermediate, &intended)]);
    assert_eq!(answer(&world, &asked).await, OcspAnswer::Unauthorized);
}

#[tokio::test]
async fn of_several_certificates_those_of_others_are_unknown() {
    let world = World::new();
    let (good, bad) = (issued(&world).await, issued(&world).await);
    revoke(&world, &bad, None);
    let stranger = Hierarchy::new(KeySpec::P256, 365).intermediate;
    let ids = vec![
        id(&stranger, &good),
        id(&world.intermediate, &never_issued()),
        id(&world.intermediate, &bad),
        id(&world.intermediate, &good),
    ];
    let (_, read) = signed(&world, &about(ids.clone())).await;
    read.verify(&world.intermediate).unwrap();
    let said: Vec<_> = read.responses.iter().map(|single| single.status).collect();
    let revoked = Status::Revoked { at: NOW.plus(-5).unix(), reason: None };
    assert_eq!(said, [Status::Unknown, Status::Unknown, revoked, Status::Good]);
    assert!(read.responses.iter().map(|single| &single.id).eq(&ids));
}

#[tokio::test]
async fn one_issuer_does_not_speak_for_another() {
    let [one, other] = [365, 400].map(|days| Hierarchy::new(KeySpec::P256, days));
    let intermediates = [one.intermediate.clone(), other.intermediate.clone()];
    let world = World::with_issuers(vec![one.issuer(), other.issuer()]);
    let serial = issued(&world).await;
    let [issuer, another] = match world.journal.intents()[0].issuer.as_bytes().as_slice() {
        id if Some(id) == intermediates[0].subject_key_identifier() => intermediates,
        _ => {
            let [one, other] = intermediates;
            [other, one]
        }
    };
    let (_, read) = signed(&world, &about(vec![id(&another, &serial), id(&issuer, &serial)])).await;
    read.verify(&issuer).unwrap();
    assert_eq!((read.responses[0].status, read.responses[1].status), (Status::Unknown, Status::Good));
    assert_eq!(answer(&world, &about(vec![id(&another, &serial)])).await, OcspAnswer::Unauthorized);
}

#[tokio::test]
async fn the_nonce_stands_in_the_answer() {
    let world = World::new();
    let serial = issued(&world).await;
    for length in [1, 32, 128] {
        let nonce = Nonce::new(&vec![7; length]);
        let certificates = vec![id(&world.intermediate, &serial)];
        let (_, read) = signed(&world, &Request { certificates, nonce: nonce.clone() }).await;
        assert_eq!(read.nonce, nonce);
    }
}

#[tokio::test]
async fn what_is_no_request_is_malformed_and_what_cannot_be_asked_is_put_off() {
    let world = World::new();
    for bytes in [&b""[..], b"\x30", b"\x30\x00", &[0; 9000]] {
        let error = world.ca.ocsp_response(bytes.to_vec()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed);
    }
    let serial = issued(&world).await;
    let asked = about(vec![id(&world.intermediate, &serial)]).to_der().unwrap();
    for kind in [ErrorKind::Unavailable, ErrorKind::Internal] {
        *world.store.statuses_fail.lock().unwrap() = Some(Error::new(kind, "away"));
        let error = world.ca.ocsp_response(asked.clone()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn an_answer_ends_with_its_issuer() {
    let world = World::with_hierarchy(Hierarchy::new(KeySpec::P256, 30));
    let serial = issued(&world).await;
    world.clock.advance(30 * DAY - 7200);
    let (response, _) = signed(&world, &about(vec![id(&world.intermediate, &serial)])).await;
    assert_eq!(response.next_update.unix(), world.intermediate.validity().not_after);
}

#[tokio::test]
async fn a_delegated_responder_answers_with_a_certificate_like_every_other() {
    let world = World::with_config(DELEGATED);
    let serial = issued(&world).await;
    assert_eq!(world.journal.letters(), "ISC");
    let (_, read) = signed(&world, &about(vec![id(&world.intermediate, &serial)])).await;
    read.verify(&world.intermediate).unwrap();
    assert_eq!(
        world.journal.letters(),
        "ISCISC",
        "its certificate was recorded before and after the signature"
    );
    let certificate = Certificate::from_der(&world.journal.certificates()[1].der).unwrap();
    assert_eq!(cairn_x509::lint_ocsp_responder(&certificate, &world.intermediate), []);
    assert_eq!(certificate.validity().not_after, NOW.plus(3 * DAY - 1).unix());
    let intent = world.journal.intents()[1].clone();
    assert_eq!((intent.order, intent.account, intent.crl_shard), (None, None, None));
    // The next answers need the issuer's key no more.
    *world.key_fails.lock().unwrap() = true;
    assert_eq!(status(&world, &serial).await, Status::Good);
    assert_eq!(world.journal.letters(), "ISCISC");
}

#[tokio::test]
async fn a_responder_is_renewed_at_half_of_its_life_and_goes_on_while_that_fails() {
    let world = World::with_config(DELEGATED);
    let serial = issued(&world).await;
    assert_eq!(status(&world, &serial).await, Status::Good);
    let made = || world.journal.certificates().len();
    world.clock.advance(3 * DAY / 2 - 2);
    assert_eq!((status(&world, &serial).await, made()), (Status::Good, 2));

    world.clock.advance(2);
    *world.key_fails.lock().unwrap() = true;
    assert_eq!((status(&world, &serial).await, made()), (Status::Good, 2));
    *world.key_fails.lock().unwrap() = false;
    assert_eq!((status(&world, &serial).await, made()), (Status::Good, 3));

    // Also while nobody asks.
    world.clock.advance(2 * DAY);
    world.ca.renew_responders().await.unwrap();
    assert_eq!(made(), 4);
    world.ca.renew_responders().await.unwrap();
    assert_eq!(made(), 4);

    // One that has ended answers nothing.
    world.clock.advance(30 * DAY);
    *world.key_fails.lock().unwrap() = true;
    let asked = about(vec![id(&world.intermediate, &serial)]).to_der().unwrap();
    world.ca.ocsp_response(asked).await.unwrap_err();
}

#[tokio::test]
async fn an_answer_does_not_outlive_its_responder() {
    let world = World::with_config(
        "[ocsp]\nsigner = \"delegated\"\nvalidity = \"10d\"\nresponder_lifetime = \"20d\"",
    );
    let serial = issued(&world).await;
    assert_eq!(status(&world, &serial).await, Status::Good);
    world.clock.advance(15 * DAY);
    *world.key_fails.lock().unwrap() = true;
    let (response, _) = signed(&world, &about(vec![id(&world.intermediate, &serial)])).await;
    assert_eq!(response.next_update, NOW.plus(20 * DAY - 1));
}

#[tokio::test]
async fn issuers_of_every_kind_delegate_to_a_responder_that_verifies() {
    for spec in [KeySpec::P384, KeySpec::Rsa2048, KeySpec::Ed25519, KeySpec::MlDsa65] {
        for config in ["", DELEGATED] {
            let world = World::with(toml::from_str(config).unwrap(), Hierarchy::new(spec, 1825));
            let serial = issued(&world).await;
            assert_eq!(status(&world, &serial).await, Status::Good, "{spec} {config}");
        }
    }
}

#[tokio::test]
async fn many_who_ask_at_once_have_one_responder_made() {
    let world = World::with_config(DELEGATED);
    let serial = issued(&world).await;
    let asked = about(vec![id(&world.intermediate, &serial)]).to_der().unwrap();
    let answers = (0..16).map(|_| world.ca.ocsp_response(asked.clone()));
    for answer in futures_util::future::join_all(answers).await {
        answer.unwrap();
    }
    assert_eq!(world.journal.certificates().len(), 2);
}

/// A responder that `key` has certified.
fn responder(authority: &Certificate, key: &FileSigner, days: i64) -> Arc<Responder> {
    let own = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = OcspResponderInputs {
        serial: &[9; 16],
        validity: Validity { not_before: NOW.plus(-DAY).unix(), not_after: NOW.plus(days * DAY).unix() },
        public_key: own.public_key(),
        subject: &Name::new("Test Responder", None).unwrap(),
    };
    let certificate = ocsp_responder(authority, key.algorithm(), inputs).unwrap().sign(key).unwrap();
    Arc::new(Responder::load(certificate, authority.clone(), Box::new(own), NOW).unwrap())
}

fn hierarchy_with(world: &World, responders: Vec<Arc<Responder>>, issuers: Vec<Arc<Issuer>>) {
    world.ca.exchange(cairn_ca::Hierarchy { issuers, responders, ..Default::default() });
}

#[tokio::test]
async fn an_issuer_whose_key_has_gone_is_spoken_for_by_the_responder_that_was_installed_for_it() {
    let Hierarchy { root, root_key, intermediate, intermediate_key } = Hierarchy::new(KeySpec::P256, 1825);
    let installed = responder(&intermediate, &intermediate_key, 30);
    let world = World::with_hierarchy(Hierarchy { root, root_key, intermediate, intermediate_key });
    let serial = issued(&world).await;
    let next = Arc::new(Hierarchy::new(KeySpec::P256, 1825).issuer());
    let asked = about(vec![id(&world.intermediate, &serial)]);

    hierarchy_with(&world, Vec::new(), vec![Arc::clone(&next)]);
    assert_eq!(answer(&world, &asked).await, OcspAnswer::Unauthorized);

    hierarchy_with(&world, vec![installed], vec![next]);
    assert_eq!(status(&world, &serial).await, Status::Good);
    revoke(&world, &serial, None);
    assert!(matches!(status(&world, &serial).await, Status::Revoked { .. }));
    world.clock.advance(31 * DAY);
    assert_eq!(answer(&world, &asked).await, OcspAnswer::Unauthorized, "it has ended");
}

#[tokio::test]
async fn cas_are_spoken_for_by_the_roots_responder_as_its_crl_says() {
    let Hierarchy { root, root_key, intermediate, intermediate_key } = Hierarchy::new(KeySpec::P256, 1825);
    let installed = responder(&root, &root_key, 365);
    let list = |number: u64, revoked: &[&Certificate]| {
        let entries = revoked.iter().map(|certificate| RevokedEntry {
            serial: certificate.serial(),
            revoked_at: NOW.plus(-60).unix(),
            reason: Some(CrlReason::CaCompromise),
        });
        let inputs = CrlInputs {
            this_update: NOW.plus(-60 + i64::try_from(number).unwrap()).unix(),
            next_update: NOW.plus(DAY / 2).unix(),
            number,
            scope: None,
            base: None,
            delta_url: None,
        };
        crl(&root, root_key.algorithm(), inputs, entries).unwrap().sign(&root_key).unwrap()
    };
    let (empty, full) = (list(1, &[]), list(2, &[&intermediate]));
    let serial = Serial::from_bytes(intermediate.serial()).unwrap();
    let asked = about(vec![id(&root, &serial)]);
    let world = World::new();
    let issuer = Hierarchy { root: root.clone(), root_key, intermediate, intermediate_key }.issuer();
    let issuers = vec![Arc::new(issuer)];
    let exchange = |crls: Vec<cairn_x509::Crl>| {
        let (issuers, responders) = (issuers.clone(), vec![Arc::clone(&installed)]);
        world.ca.exchange(cairn_ca::Hierarchy { issuers, responders, crls, ..Default::default() });
    };

    exchange(Vec::new());
    assert_eq!(answer(&world, &asked).await, OcspAnswer::Unauthorized, "nobody knows");
    exchange(vec![empty.clone()]);
    let (response, read) = signed(&world, &asked).await;
    read.verify(&root).unwrap();
    assert_eq!(read.responses[0].status, Status::Good);
    assert_eq!((response.this_update, response.next_update), (NOW.plus(-59), NOW.plus(DAY / 2)));
    let strange = about(vec![id(&root, &never_issued())]);
    assert_eq!(answer(&world, &strange).await, OcspAnswer::Unauthorized);

    exchange(vec![full, empty]);
    let (_, read) = signed(&world, &asked).await;
    let reason = Some(CrlReason::CaCompromise);
    assert_eq!(read.responses[0].status, Status::Revoked { at: NOW.plus(-60).unix(), reason });
    world.clock.advance(DAY);
    assert_eq!(answer(&world, &asked).await, OcspAnswer::Unauthorized, "the list is of yesterday");
}
