//! OCSP and what goes with it, as relying parties meet it.

use std::net::SocketAddr;

use cairn_test_env::acme::{Account, Client};
use cairn_test_env::{relying_party as party, wait};
use cairn_x509::Certificate;
use cairn_x509::ocsp::{CertId, IssuerHash, Nonce, Refusal, Request, ResponseError, Status};
use tokio::task::spawn_blocking;

use crate::world::{PATIENCE, World, certificates, dns};

/// A server, and a certificate of it.
struct Story {
    world: World,
    client: Client,
    account: Account,
    leaf: Certificate,
    issuer: Certificate,
    pki: SocketAddr,
}

impl Story {
    async fn new(name: &str) -> Self {
        let world = World::new().await;
        let (mut client, account) = world.member().await;
        let (certified, _) = world.certificate(&mut client, &account, &dns([name])).await;
        let [leaf, issuer, ..] = certificates(&certified.chain).try_into().unwrap_or_else(|chain: Vec<_>| {
            let [leaf, issuer] = chain.try_into().unwrap();
            [leaf, issuer]
        });
        // Whoever looks goes where the certificate says.
        let [url] = leaf.description().unwrap().ocsp_urls.try_into().unwrap();
        let (pki, path) = party::place(&url).unwrap();
        assert_eq!(path, "/ocsp");
        Self { world, client, account, leaf, issuer, pki }
    }

    fn status(&self) -> Status {
        party::status(self.pki, &self.issuer, &self.leaf).unwrap()
    }

    fn request(&self) -> Vec<u8> {
        party::request(&self.issuer, &self.leaf).unwrap()
    }
}

#[tokio::test]
async fn a_certificate_is_good_and_soon_after_its_revocation_revoked() {
    let mut story = Story::new("ocsp.test").await;
    assert_eq!(story.status(), Status::Good);
    assert_eq!(story.status(), Status::Good, "also from the cache");
    story.client.revoke((&story.account).into(), story.leaf.der(), Some(4)).await.unwrap();
    let story = spawn_blocking(move || {
        let seen = wait::until("a revoked answer", PATIENCE, || {
            Ok(Some(story.status()).filter(|status| *status != Status::Good))
        });
        let Status::Revoked { reason, .. } = seen.unwrap() else { panic!() };
        assert_eq!(reason, Some(cairn_x509::CrlReason::Superseded));
        story
    });
    story.await.unwrap().world.end().await;
}

#[tokio::test]
async fn every_way_to_ask_has_the_same_answer() {
    let story = Story::new("forms.test").await;
    let posted = party::post(story.pki, &story.request()).unwrap();
    assert_eq!(posted.header("content-type"), "application/ocsp-response");
    assert_eq!(posted.header("content-length"), posted.body.len().to_string());
    let base64 = base64(&story.request());
    for text in [
        base64.clone(),
        base64.replace('/', "%2F").replace('+', "%2b").replace('=', "%3D"),
        base64.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned(),
        format!("/{base64}"),
    ] {
        let got = party::get(story.pki, &format!("/ocsp/{text}"), "").unwrap();
        assert_eq!((got.status, &got.body), (200, &posted.body), "{text}");
        assert!(got.header("cache-control").starts_with("max-age=300, public"), "{got:?}");
        let again = format!("If-None-Match: {}\r\n", got.header("etag"));
        let known = party::get(story.pki, &format!("/ocsp/{text}"), &again).unwrap();
        assert_eq!((known.status, known.body.len()), (304, 0));
        assert_eq!(known.header("etag"), got.header("etag"));
    }
    let path = format!("/ocsp/{base64}");
    let head = format!("HEAD {path} HTTP/1.1\r\nHost: pki\r\nConnection: close\r\n\r\n");
    let head = party::exchange(story.pki, head.as_bytes()).unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), posted.header("content-length"));
    story.world.end().await;
}

#[tokio::test]
async fn a_nonce_comes_back_and_such_an_answer_is_kept_by_nobody() {
    let story = Story::new("nonce.test").await;
    let certificates = vec![CertId::new(IssuerHash::Sha256, &story.issuer, story.leaf.serial())];
    let request = Request { certificates, nonce: Nonce::new(&[7; 32]) };
    let answer = party::post(story.pki, &request.to_der().unwrap()).unwrap();
    let response = answer.ocsp().unwrap();
    response.verify(&story.issuer).unwrap();
    assert_eq!(response.nonce, request.nonce);
    assert_eq!((answer.header("cache-control"), answer.header("etag")), ("no-store", ""));
    story.world.end().await;
}

#[tokio::test]
async fn what_is_not_ours_or_no_request_is_refused_without_a_signature() {
    let story = Story::new("strange.test").await;
    let refusal = |answer: &party::Answer| {
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/ocsp-response");
        let Err(ResponseError::Refused(refusal)) = answer.ocsp() else { panic!("{answer:?}") };
        refusal
    };
    let about = |issuer: &Certificate, serial: &[u8]| {
        let certificates = vec![CertId::new(IssuerHash::Sha1, issuer, serial)];
        party::post(story.pki, &Request { certificates, nonce: None }.to_der().unwrap()).unwrap()
    };
    assert_eq!(refusal(&about(&story.issuer, &[0x7f; 16])), Refusal::Unauthorized);
    assert_eq!(refusal(&about(&story.leaf, story.leaf.serial())), Refusal::Unauthorized);

    for request in [&b""[..], b"\x30\x03\x02\x01\x00", &[0x30; 9000]] {
        assert_eq!(refusal(&party::post(story.pki, request).unwrap()), Refusal::MalformedRequest);
    }
    for path in ["/ocsp/", "/ocsp/MA", "/ocsp/%", "/ocsp/%00", "/ocsp/a/b/c"] {
        assert_eq!(refusal(&party::get(story.pki, path, "").unwrap()), Refusal::MalformedRequest, "{path}");
    }
    let typeless = "POST /ocsp HTTP/1.1\r\nHost: pki\r\nConnection: close\r\nContent-Length: 2\r\n\r\n0\0";
    assert_eq!(party::exchange(story.pki, typeless.as_bytes()).unwrap().status, 415);
    assert_eq!(party::get(story.pki, "/ocsp", "").unwrap().status, 405);
    assert_eq!(party::get(story.pki, "/", "").unwrap().status, 404);
    story.world.end().await;
}

#[tokio::test]
async fn the_issuers_certificate_lies_where_the_certificate_says() {
    let story = Story::new("issuer.test").await;
    let [url] = story.leaf.description().unwrap().issuer_urls.try_into().unwrap();
    let (address, path) = party::place(&url).unwrap();
    let answer = party::get(address, &path, "").unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/pkix-cert"));
    assert_eq!(Certificate::from_der(&answer.body).unwrap(), story.issuer);
    assert!(answer.header("cache-control").contains("max-age="));
    let again = format!("If-None-Match: {}\r\n", answer.header("etag"));
    assert_eq!(party::get(address, &path, &again).unwrap().status, 304);
    for nobody in
        [path.replace(".cer", ".crt"), format!("/issuers/{}.cer", "0".repeat(40)), "/issuers/".to_owned()]
    {
        assert_eq!(party::get(address, &nobody, "").unwrap().status, 404, "{nobody}");
    }
    story.world.end().await;
}

/// RFC 4648 §4.
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = octets.chunks(3).map(|three| {
        let number = (0..3).fold(0_usize, |number, at| {
            number << 8 | usize::from(three.get(at).copied().unwrap_or_default())
        });
        let digit = |at: usize| char::from(ALPHABET[number >> (18 - 6 * at) & 63]);
        (0..4).map(|at| if at <= three.len() { digit(at) } else { '=' }).collect::<String>()
    });
    digits.collect()
}
