//! Downloading and revoking certificates. RFC 8555 §7.4.2, §7.6.

use cairn_core::api::ra::RevocationProof;
use cairn_core::{AccountId, AccountStatus, CertificateRecord, IssuerId, Serial};
use cairn_jose::{Algorithm, base64url};
use cairn_x509::Certificate;
use http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

use crate::fakes::NOW;
use crate::world::{Client, World};

/// Root, intermediate and leaf.
struct Pki {
    root: Certificate,
    intermediate: Certificate,
    /// Another root, and the same intermediate certified by it.
    other_root: Certificate,
    other: Certificate,
    leaf: Certificate,
}

fn pki() -> Pki {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.use_authority_key_identifier_extension = true;
        params
    };
    let (root_key, intermediate_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (root, intermediate) = (authority("root"), authority("intermediate"));
    let mut leaf = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    leaf.use_authority_key_identifier_extension = true;

    let root_certificate = root.self_signed(&root_key).unwrap();
    let root_issuer = Issuer::new(root, root_key);
    let intermediate_certificate = intermediate.signed_by(&intermediate_key, &root_issuer).unwrap();
    let (other_root, other_key) = (authority("other root"), KeyPair::generate().unwrap());
    let other_certificate = other_root.self_signed(&other_key).unwrap();
    let other_root = Issuer::new(other_root, other_key);
    let other = intermediate.signed_by(&intermediate_key, &other_root).unwrap();
    let intermediate_issuer = Issuer::new(intermediate, intermediate_key);
    let leaf_certificate = leaf.signed_by(&KeyPair::generate().unwrap(), &intermediate_issuer).unwrap();
    let read = |certificate: rcgen::Certificate| Certificate::from_der(certificate.der()).unwrap();
    Pki {
        root: read(root_certificate),
        intermediate: read(intermediate_certificate),
        other_root: read(other_certificate),
        other: read(other),
        leaf: read(leaf_certificate),
    }
}

impl Pki {
    /// The leaf as the storage has it.
    fn record(&self, account: Option<AccountId>) -> CertificateRecord {
        let issuer = self.intermediate.subject_key_identifier().unwrap().try_into().unwrap();
        CertificateRecord {
            serial: Serial::from_bytes(self.leaf.serial()).unwrap(),
            order: None,
            account,
            issuer: IssuerId::from_bytes(issuer),
            der: self.leaf.der().to_vec(),
            not_after: NOW.plus(1000),
            revocation: None,
        }
    }

    fn path(&self) -> String {
        format!("/certificate/{}", self.record(None).serial)
    }
}

#[tokio::test]
async fn a_certificate_comes_first_then_what_certifies_it_and_no_root() {
    let pki = pki();
    let world = World::with_issuers(vec![pki.root.clone(), pki.intermediate.clone()]);
    let client = world.client().await;
    world.fake.state().certificates.push(pki.record(Some(client.account())));
    let reply = world.post_as_get(&client, &pki.path()).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/pem-certificate-chain");
    assert_eq!(reply.links(), ["<https://ca.test/dir>;rel=\"index\""]);
    assert!(!reply.header("replay-nonce").is_empty());
    let chain = String::from_utf8(reply.body).unwrap();
    assert_eq!(chain, pki.leaf.to_pem() + &pki.intermediate.to_pem());
    // RFC 8555 §9.1: strict PEM, nothing before, between or after.
    assert!(
        chain.starts_with("-----BEGIN CERTIFICATE-----\n") && chain.ends_with("-----END CERTIFICATE-----\n")
    );
    assert_eq!(chain.matches("-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n").count(), 1);
    assert!(chain.lines().all(|line| line.len() <= 64));
}

#[tokio::test]
async fn another_accounts_certificate_is_unauthorized_and_an_unknown_one_not_there() {
    let pki = pki();
    let world = World::with_issuers(vec![pki.root.clone(), pki.intermediate.clone()]);
    let (client, other) = (world.client().await, world.client().await);
    world.post_as_get(&client, &pki.path()).await.assert_problem(404, "malformed");
    for owner in [Some(other.account()), None] {
        world.fake.state().certificates = vec![pki.record(owner)];
        world.post_as_get(&client, &pki.path()).await.assert_problem(403, "unauthorized");
    }
}

#[tokio::test]
async fn a_certificate_whose_issuer_is_not_configured_is_a_fault_of_ours() {
    let pki = pki();
    let world = World::new();
    let client = world.client().await;
    world.fake.state().certificates.push(pki.record(Some(client.account())));
    world.post_as_get(&client, &pki.path()).await.assert_problem(500, "serverInternal");
}

#[tokio::test]
async fn the_chain_of_an_issuer_that_is_only_recorded_is_known_from_the_first_request_on() {
    let pki = pki();
    let world = World::new();
    let client = world.client().await;
    world.fake.state().certificates.push(pki.record(Some(client.account())));
    world.fake.record([&pki.root, &pki.intermediate]);
    let before = world.fake.state().reads_of_ca_certificates;
    for _ in 0..2 {
        let reply = world.post_as_get(&client, &pki.path()).await;
        assert_eq!(String::from_utf8(reply.body).unwrap(), pki.leaf.to_pem() + &pki.intermediate.to_pem());
    }
    assert_eq!(world.fake.state().reads_of_ca_certificates, before + 1, "the second time it is known");
}

#[tokio::test]
async fn while_the_storage_cannot_tell_an_unknown_chain_the_client_hears_that() {
    let pki = pki();
    let world = World::new();
    let client = world.client().await;
    world.fake.state().certificates.push(pki.record(Some(client.account())));
    world.fake.state().ca_certificates_fail = true;
    world.post_as_get(&client, &pki.path()).await.assert_problem(503, "serverInternal");
}

#[tokio::test]
async fn every_chain_has_a_url_and_names_all_others() {
    let pki = pki();
    let certificates = [&pki.intermediate, &pki.other, &pki.root, &pki.other_root].map(Clone::clone);
    let world = World::with_preferred("root", certificates.to_vec());
    let client = world.client().await;
    world.fake.state().certificates.push(pki.record(Some(client.account())));
    let default = pki.path();
    let alternate = format!("{default}/1");
    let index = "<https://ca.test/dir>;rel=\"index\"".to_owned();
    for (path, intermediate, other) in
        [(&default, &pki.intermediate, &alternate), (&alternate, &pki.other, &default)]
    {
        let reply = world.post_as_get(&client, path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/pem-certificate-chain");
        assert_eq!(reply.links(), [format!("<https://ca.test{other}>;rel=\"alternate\""), index.clone()]);
        assert_eq!(
            String::from_utf8(reply.body).unwrap(),
            pki.leaf.to_pem() + &intermediate.to_pem(),
            "{path}"
        );
    }
    for wrong in ["0", "2", "01", "255", "256", "x"] {
        world.post_as_get(&client, &format!("{default}/{wrong}")).await.assert_problem(404, "malformed");
    }
    let stranger = world.client().await;
    world.post_as_get(&stranger, &alternate).await.assert_problem(403, "unauthorized");
}

#[tokio::test]
async fn a_certificate_takes_no_payload() {
    let pki = pki();
    let world = World::new();
    let client = world.client().await;
    world.post(&client, &pki.path(), &json!({})).await.assert_problem(400, "malformed");
}

#[tokio::test]
async fn an_account_revokes_with_its_kid() {
    let world = World::new();
    let client = world.client().await;
    let payload = json!({"certificate": base64url::encode(b"der"), "reason": 4});
    let reply = world.post(&client, "/revoke-cert", &payload).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(reply.body.is_empty());
    assert!(!reply.header("replay-nonce").is_empty());
    let request = world.fake.state().revoked[0].clone();
    assert!(matches!(request.proof, RevocationProof::Account(id) if id == client.account()));
    assert_eq!((request.certificate.as_slice(), request.reason), (&b"der"[..], Some(4)));
}

#[tokio::test]
async fn a_certificates_key_revokes_whatever_has_become_of_its_account() {
    let world = World::new();
    let mut client = world.client().await;
    world.fake.state().account_mut(client.account()).status = AccountStatus::Deactivated;
    client.kid = None;
    let payload = json!({"certificate": base64url::encode(b"der")});
    assert_eq!(world.post(&client, "/revoke-cert", &payload).await.status, StatusCode::OK);
    let request = world.fake.state().revoked[0].clone();
    assert!(matches!(request.proof, RevocationProof::CertificateKey(key) if *key == *client.key.jwk()));
    assert_eq!(request.reason, None);
}

#[tokio::test]
async fn a_revocation_of_the_wrong_shape_is_malformed() {
    let world = World::new();
    let client = Client::new(Algorithm::Es256);
    for payload in [
        json!({}),
        json!({"certificate": "MAA="}),
        json!({"certificate": "MAA", "reason": "keyCompromise"}),
        json!({"certificate": "MAA", "reason": 1.5}),
    ] {
        world.post(&client, "/revoke-cert", &payload).await.assert_problem(400, "malformed");
    }
    assert!(world.fake.state().revoked.is_empty());
}
