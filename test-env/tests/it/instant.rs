//! A client library of other people, instant-acme, gets certificates in every way that Cairn offers.

use std::net::IpAddr;
use std::time::Duration;

use cairn_core::Clock as _;
use cairn_core::time::SystemClock;
use cairn_test_env::acme::Identifier as OwnIdentifier;
use cairn_test_env::challenges::Responder;
use cairn_x509::Certificate;
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RenewalInfo, RetryPolicy, RevocationReason, RevocationRequest,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, Der};
use time::OffsetDateTime;

use crate::world::{PATIENCE, World, names, verified_leaf};

#[tokio::test]
async fn http_01_over_ipv4() {
    let world = World::new().await;
    let account = account(&world, &world.cairn.ready.directory).await;
    let chain = certificate(&world, &account, &world.http(), &["a.test", "b.a.test"]).await;
    let leaf = verified_leaf(chain.as_bytes(), &world.root);
    assert_eq!(names(&leaf), ["a.test", "b.a.test"]);
    world.end().await;
}

#[tokio::test]
async fn http_01_with_an_api_and_a_validation_over_ipv6() {
    let (world, directory) = World::on_ipv6(&["--default-ipv6", "::1"]).await;
    let account = account(&world, &directory).await;
    let identifiers = [Identifier::Dns("six.test".to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await.unwrap();
    let mut authorizations = order.authorizations();
    let mut authz = authorizations.next().await.unwrap().unwrap();
    let mut challenge = authz.challenge(ChallengeType::Http01).unwrap();
    let token = challenge.token.clone();
    world.http01.put(&token, challenge.key_authorization().as_str());
    challenge.set_ready().await.unwrap();
    assert_eq!(order.poll_ready(&patient()).await.unwrap(), OrderStatus::Ready);
    let asked = world.http01.take(&token);
    assert!(
        !asked.is_empty() && asked.iter().all(|asked| asked.at == "::1".parse::<IpAddr>().unwrap()),
        "{asked:?}"
    );
    assert!(asked.iter().all(|asked| asked.host.starts_with("six.test")), "{asked:?}");
    order.finalize().await.unwrap();
    verified_leaf(order.poll_certificate(&patient()).await.unwrap().as_bytes(), &world.root);
    world.end().await;
}

#[tokio::test]
async fn tls_alpn_01() {
    let world = World::new().await;
    let account = account(&world, &world.cairn.ready.directory).await;
    let chain = certificate(&world, &account, &world.tls(), &["alpn.test"]).await;
    assert_eq!(names(&verified_leaf(chain.as_bytes(), &world.root)), ["alpn.test"]);
    world.end().await;
}

#[tokio::test]
async fn dns_01_for_a_name_and_its_wildcard() {
    let world = World::new().await;
    let account = account(&world, &world.cairn.ready.directory).await;
    let chain = certificate(&world, &account, &world.dns(), &["*.wild.test", "wild.test"]).await;
    assert_eq!(names(&verified_leaf(chain.as_bytes(), &world.root)), ["*.wild.test", "wild.test"]);
    world.end().await;
}

#[tokio::test]
async fn an_account_is_updated_found_again_and_closed_and_its_certificate_revoked() {
    let world = World::new().await;
    let builder = Account::builder_with_root(world.cairn.root_file().unwrap()).unwrap();
    let directory = world.cairn.ready.directory.clone();
    let (account, credentials) = builder.create(&new_account(), directory, None).await.unwrap();
    account.update_contacts(&["mailto:admin@example.com"]).await.unwrap();

    let chain = certificate(&world, &account, &world.http(), &["gone.test"]).await;
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    let request = RevocationRequest { certificate: &leaf, reason: Some(RevocationReason::Superseded) };
    account.revoke(&request).await.unwrap();
    let again = account.revoke(&request).await.unwrap_err();
    assert!(again.to_string().contains("alreadyRevoked"), "{again}");

    let builder = Account::builder_with_root(world.cairn.root_file().unwrap()).unwrap();
    let found = builder.from_credentials(credentials).await.unwrap();
    assert_eq!(found.id(), account.id());
    found.deactivate().await.unwrap();
    let identifiers = [Identifier::Dns("late.test".to_owned())];
    assert!(account.new_order(&NewOrder::new(&identifiers)).await.is_err());
    world.end().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_in_its_window_and_replaced_once() {
    let world = World::new().await;
    let account = account(&world, &world.cairn.ready.directory).await;
    let chain = certificate(&world, &account, &world.http(), &["ari.test"]).await;
    let id = ari_id(&chain);
    let (RenewalInfo { suggested_window: window, explanation_url, .. }, ask_again) =
        account.renewal_info(&id).await.unwrap();
    assert!(now() < window.start && window.start < window.end, "{window:?}");
    assert_eq!(explanation_url, None);
    assert!(ask_again > Duration::from_secs(5 * 60 * 60), "{ask_again:?}");

    let identifiers = [Identifier::Dns("ari.test".to_owned())];
    let renewal = || NewOrder::new(&identifiers).replaces(id.clone());
    let mut order = account.new_order(&renewal()).await.unwrap();
    let again = account.new_order(&renewal()).await;
    let Err(Error::Api(problem)) = again.map(drop) else { panic!("it is replaced already") };
    assert_eq!(problem.status, Some(409), "{problem}");
    assert_eq!(problem.r#type.as_deref(), Some("urn:ietf:params:acme:error:alreadyReplaced"));
    let renewed = brought_to_its_end(&mut order, &world.http()).await;
    assert_eq!(names(&verified_leaf(renewed.as_bytes(), &world.root)), ["ari.test"]);
    assert_ne!(renewed, chain);

    // A revoked certificate is to be renewed at once.
    let leaf = CertificateDer::from_pem_slice(renewed.as_bytes()).unwrap();
    let request = RevocationRequest { certificate: &leaf, reason: None };
    account.revoke(&request).await.unwrap();
    let id = ari_id(&renewed);
    let (info, _) = account.renewal_info(&id).await.unwrap();
    assert!(info.suggested_window.end < now(), "{info:?}");
    world.end().await;
}

/// What names the first certificate of a chain, RFC 9773, section 4.1.
fn ari_id(chain: &str) -> CertificateIdentifier<'static> {
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    let leaf = Certificate::from_der(&leaf).unwrap();
    let issuer = leaf.authority_key_identifier().unwrap();
    CertificateIdentifier::new(Der::from_slice(issuer), Der::from_slice(leaf.serial())).into_owned()
}

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(SystemClock.now().unix()).unwrap()
}

fn new_account() -> NewAccount<'static> {
    NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false }
}

async fn account(world: &World, directory: &str) -> Account {
    let builder = Account::builder_with_root(world.cairn.root_file().unwrap()).unwrap();
    builder.create(&new_account(), directory.to_owned(), None).await.unwrap().0
}

fn patient() -> RetryPolicy {
    RetryPolicy::new().timeout(PATIENCE)
}

async fn certificate(world: &World, account: &Account, responder: &Responder, names: &[&str]) -> String {
    let identifiers: Vec<_> = names.iter().map(|&name| Identifier::Dns(name.to_owned())).collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await.unwrap();
    let chain = brought_to_its_end(&mut order, responder).await;
    assert_ne!(world.root, chain);
    chain
}

/// The certificate of an order, whose names are proven if they are not yet.
async fn brought_to_its_end(order: &mut Order, responder: &Responder) -> String {
    let mut authorizations = order.authorizations();
    while let Some(authz) = authorizations.next().await {
        let mut authz = authz.unwrap();
        if authz.status == AuthorizationStatus::Valid {
            continue;
        }
        assert_eq!(authz.status, AuthorizationStatus::Pending);
        let kind = match responder {
            Responder::Http01(_) => ChallengeType::Http01,
            Responder::Dns01(_) => ChallengeType::Dns01,
            Responder::TlsAlpn01(_) => ChallengeType::TlsAlpn01,
        };
        let mut challenge = authz.challenge(kind).unwrap();
        let Identifier::Dns(name) = challenge.identifier().identifier.clone() else { panic!("not a name") };
        let (token, answer) = (challenge.token.clone(), challenge.key_authorization());
        responder.provide(&OwnIdentifier::dns(name), &token, answer.as_str()).await.unwrap();
        challenge.set_ready().await.unwrap();
    }
    assert_eq!(order.poll_ready(&patient()).await.unwrap(), OrderStatus::Ready);
    order.finalize().await.unwrap();
    order.poll_certificate(&patient()).await.unwrap()
}
