//! The certificate of the front end's own listeners.

use cairn_core::ErrorKind;
use cairn_core::api::ListenerCertificates;
use cairn_ra::{Config, Deps, Ra};
use rcgen::{KeyPair, PublicKeyData};

use crate::world::{World, identifier, kind};

#[tokio::test]
async fn the_front_end_chooses_the_key_and_nothing_else() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    world.ra.listener_certificate(key.subject_public_key_info()).await.unwrap();
    let requests = world.ca.requests.lock().unwrap();
    assert_eq!(requests[0].public_key, key.subject_public_key_info());
    assert_eq!(requests[0].identifiers, [identifier("ca.example")]);
    assert_eq!((requests[0].order, requests[0].account), (None, None));
}

#[tokio::test]
async fn a_key_that_policy_refuses_gets_no_certificate() {
    let world = World::new();
    assert_eq!(kind(world.ra.listener_certificate(b"no key".to_vec()).await), ErrorKind::BadPublicKey);
    assert_eq!(world.ca.calls(), 0);
}

#[tokio::test]
async fn without_names_there_is_no_certificate() {
    let world = World::new();
    let deps = Deps { listener_names: Vec::new(), ..world.deps.clone() };
    let ra = Ra::new(Config::default(), deps).unwrap();
    let key = KeyPair::generate().unwrap().subject_public_key_info();
    assert_eq!(kind(ra.listener_certificate(key).await), ErrorKind::Unauthorized);
    assert_eq!(world.ca.calls(), 0);
}
