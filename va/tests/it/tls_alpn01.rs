//! tls-alpn-01, RFC 8737, and for addresses RFC 8738 §6.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use cairn_core::api::va::ValidationResult;
use cairn_core::{Identifier, ProblemType};
use rcgen::{
    CertificateParams, CustomExtension, DnType, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType,
};
use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};

use crate::world::{LOOPBACK, NAME, World, assert_valid, digest, dns, ip, problem, tls_config};

const ACME: &[&str] = &["acme-tls/1"];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const ACME_IDENTIFIER: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 31];

/// The certificate that a client should make.
fn params(san: SanType) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![san];
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest())];
    params
}

fn name(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn extension(oid: &[u64], content: Vec<u8>, critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content);
    extension.set_criticality(critical);
    extension
}

fn self_signed(params: CertificateParams) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    tls_config(certificate.der(), &key, rustls::ALL_VERSIONS, ACME)
}

async fn validate(config: Arc<ServerConfig>, identifier: &Identifier) -> ValidationResult {
    let mut world = World::new().await;
    world.serve_tls_alpn(config);
    world.tls_alpn01(identifier).await
}

/// Expects a certificate to be refused for what it says or how it says it.
async fn refused(params: CertificateParams, kind: ProblemType, words: &str) {
    let result = validate(self_signed(params), &dns(NAME)).await;
    assert_eq!(problem(&result, &[NAME, "127.0.0.1", words]).kind, kind);
}

#[tokio::test]
async fn the_right_certificate_makes_the_challenge_valid_with_every_version_and_key() {
    for version in [&TLS12, &TLS13] {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let certificate = params(name(NAME)).self_signed(&key).unwrap();
            let result = validate(tls_config(certificate.der(), &key, &[version], ACME), &dns(NAME)).await;
            assert_valid(&result);
            assert_eq!(result.records[0].hostname, NAME);
            assert_eq!(result.records[0].address_used, Some(LOOPBACK));
        }
    }
}

#[tokio::test]
async fn rsa_keys_are_as_good() {
    for version in [&TLS12, &TLS13] {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = params(name(NAME)).self_signed(&key).unwrap();
        assert_valid(&validate(tls_config(certificate.der(), &key, &[version], ACME), &dns(NAME)).await);
    }
}

#[tokio::test]
async fn the_server_is_asked_by_name_and_gets_no_data() {
    let mut world = World::new().await;
    let requests = world.serve_tls_alpn(self_signed(params(name(NAME))));
    let port = world.config.tls_alpn_port;
    let result = world.tls_alpn01(&dns(NAME)).await;
    assert_valid(&result);
    assert_eq!(result.records[0].port, Some(port));
    while requests.all().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(requests.all(), [format!("{NAME} 0")]);
}

#[tokio::test]
async fn addresses_are_asked_for_by_their_reverse_name() {
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let v6_name = format!("1.{}ip6.arpa", "0.".repeat(31));
    for (address, sni) in [(LOOPBACK, "1.0.0.127.in-addr.arpa"), (v6, &v6_name)] {
        let mut world = World::on(address).await;
        let requests = world.serve_tls_alpn(self_signed(params(SanType::IpAddress(address))));
        assert_valid(&world.tls_alpn01(&ip(address)).await);
        while requests.all().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(requests.all(), [format!("{sni} 0")]);
    }
}

#[tokio::test]
async fn names_are_compared_without_case() {
    assert_valid(&validate(self_signed(params(name("WWW.Example.TEST"))), &dns(NAME)).await);
}

#[tokio::test]
async fn unknown_extensions_are_tolerated() {
    let mut params = params(name(NAME));
    params.custom_extensions.push(extension(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0], false));
    params.custom_extensions.push(extension(&[1, 3, 6, 1, 4, 1, 99999, 2], vec![5, 0], true));
    assert_valid(&validate(self_signed(params), &dns(NAME)).await);
}

#[tokio::test]
async fn the_server_must_choose_the_protocol() {
    let key = KeyPair::generate().unwrap();
    let certificate = params(name(NAME)).self_signed(&key).unwrap();
    // Without any protocol a server ignores the extension; with others it sends an alert (RFC 7301 §3.2).
    for protocols in [&[][..], &["http/1.1", "h2"]] {
        let config = tls_config(certificate.der(), &key, rustls::ALL_VERSIONS, protocols);
        let result = validate(config, &dns(NAME)).await;
        assert_eq!(problem(&result, &["did not choose", "acme-tls/1"]).kind, ProblemType::IncorrectResponse);
    }
}

#[tokio::test]
async fn exactly_one_name_of_the_right_type_is_wanted() {
    let words = "exactly one name";
    refused(params(name("other.test")), ProblemType::IncorrectResponse, words).await;
    refused(params(name("*.example.test")), ProblemType::IncorrectResponse, words).await;
    refused(params(SanType::IpAddress(LOOPBACK)), ProblemType::IncorrectResponse, words).await;
    for second in [
        name(NAME),
        name("other.test"),
        SanType::IpAddress(LOOPBACK),
        SanType::Rfc822Name("a@example.test".try_into().unwrap()),
        SanType::URI("https://www.example.test".try_into().unwrap()),
    ] {
        let mut params = params(name(NAME));
        params.subject_alt_names.push(second);
        refused(params, ProblemType::IncorrectResponse, words).await;
    }
    let mut params = params(name(NAME));
    params.subject_alt_names.clear();
    params.distinguished_name.push(DnType::CommonName, NAME);
    refused(params, ProblemType::IncorrectResponse, "no subjectAltName").await;
}

#[tokio::test]
async fn an_address_needs_an_address_in_the_certificate() {
    for san in [name("1.0.0.127.in-addr.arpa"), SanType::IpAddress("127.0.0.2".parse().unwrap())] {
        let result = validate(self_signed(params(san)), &ip(LOOPBACK)).await;
        let problem = problem(&result, &["iPAddress 127.0.0.1"]);
        assert_eq!(problem.kind, ProblemType::IncorrectResponse);
    }
}

#[tokio::test]
async fn the_digest_must_be_that_of_the_key_authorization() {
    let mut wrong = digest();
    wrong[31] ^= 1;
    let mut params = params(name(NAME));
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&wrong)];
    refused(params, ProblemType::Unauthorized, "another key authorization").await;
}

#[tokio::test]
async fn the_acme_identifier_must_be_there_critical_and_well_formed() {
    let octets = |bytes: &[u8]| [&[4, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let right = octets(&digest());
    let trailing = [right.clone(), vec![0]].concat();
    for (extensions, words) in [
        (vec![], "no acmeIdentifier"),
        (vec![extension(ACME_IDENTIFIER, right.clone(), false)], "not marked critical"),
        (vec![extension(ACME_IDENTIFIER, octets(&digest()[..31]), true)], "OCTET STRING of 32"),
        (vec![extension(ACME_IDENTIFIER, digest(), true)], "OCTET STRING of 32"),
        (vec![extension(ACME_IDENTIFIER, trailing, true)], "OCTET STRING of 32"),
        (vec![extension(ACME_IDENTIFIER, vec![], true)], "OCTET STRING of 32"),
        (vec![extension(ACME_IDENTIFIER, right.clone(), true); 2], "more than once"),
    ] {
        let mut params = params(name(NAME));
        params.custom_extensions = extensions;
        refused(params, ProblemType::IncorrectResponse, words).await;
    }
}

#[tokio::test]
async fn no_extension_may_come_twice() {
    for oid in [&[1, 3, 6, 1, 4, 1, 99999, 1][..], SUBJECT_ALT_NAME] {
        let mut params = params(name(NAME));
        params.custom_extensions.extend(vec![extension(oid, vec![0x30, 0], false); 2]);
        refused(params, ProblemType::IncorrectResponse, "more than once").await;
    }
}

#[tokio::test]
async fn a_certificate_from_an_authority_is_refused() {
    let (key, authority_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::default();
    for (common_name, words) in [
        ("Some CA", "issuer is not its subject"),
        ("rcgen self signed cert", "does not come from its own key"),
    ] {
        authority.distinguished_name.push(DnType::CommonName, common_name);
        let issuer = Issuer::from_params(&authority, &authority_key);
        let certificate = params(name(NAME)).signed_by(&key, &issuer).unwrap();
        let config = tls_config(certificate.der(), &key, rustls::ALL_VERSIONS, ACME);
        let result = validate(config, &dns(NAME)).await;
        assert_eq!(problem(&result, &[words]).kind, ProblemType::IncorrectResponse);
    }
}

#[tokio::test]
async fn the_server_must_have_the_certificates_key() {
    for version in [&TLS12, &TLS13] {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = params(name(NAME)).self_signed(&key).unwrap();
        let result = validate(tls_config(certificate.der(), &other, &[version], ACME), &dns(NAME)).await;
        assert_eq!(problem(&result, &["handshake failed"]).kind, ProblemType::Tls);
    }
}

#[tokio::test]
async fn what_is_no_certificate_is_refused() {
    for version in [&TLS12, &TLS13] {
        let key = KeyPair::generate().unwrap();
        let result = validate(tls_config(b"garbage", &key, &[version], ACME), &dns(NAME)).await;
        assert_eq!(problem(&result, &["handshake failed"]).kind, ProblemType::Tls);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_tls_problem() {
    let mut world = World::new().await;
    let listener = world.tls_alpn.take().unwrap();
    world.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.writable().await.unwrap();
        stream.try_write(b"220 mail.example.test ESMTP\r\n").unwrap();
        std::future::pending().await
    });
    let result = world.tls_alpn01(&dns(NAME)).await;
    assert_eq!(problem(&result, &["does not speak TLS"]).kind, ProblemType::Tls);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_tls_problem() {
    let mut world = World::new().await;
    let listener = world.tls_alpn.take().unwrap();
    world.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Takes the hello first, so that closing is not a reset.
        let mut hello = [0; 4096];
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await;
    });
    let result = world.tls_alpn01(&dns(NAME)).await;
    assert_eq!(problem(&result, &["closed the connection"]).kind, ProblemType::Tls);
}

#[tokio::test]
async fn a_silent_server_does_not_hold_the_validation_for_ever() {
    let mut world = World::new().await;
    world.hurry();
    let listener = world.tls_alpn.take().unwrap();
    world.hang(listener);
    let result = world.tls_alpn01(&ip(LOOPBACK)).await;
    assert_eq!(problem(&result, &["handshake did not end in time"]).kind, ProblemType::Connection);
}
