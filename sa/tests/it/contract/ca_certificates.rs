//! CA certificates, of which front ends make chains.

use cairn_core::certificate::{CaCertificate, MAX_CA_CERTIFICATES};
use cairn_core::{ErrorKind, IssuerId, Timestamp};

use crate::world::{NOW, World, kind};

/// The one with this number, recorded at a time of its own.
fn certificate(number: usize) -> CaCertificate {
    let at = NOW.plus(i64::try_from(number).unwrap());
    let octet = u8::try_from(number % 251).unwrap();
    let subject = (!number.is_multiple_of(3)).then(|| IssuerId::from_bytes([octet; 20]));
    CaCertificate { der: number.to_be_bytes().to_vec(), subject, at }
}

pub(crate) async fn ca_certificates_read_back_the_latest_first(world: World) {
    assert_eq!(world.storage.ca_certificates().await, Ok(Vec::new()));
    let (one, two, three) = (certificate(1), certificate(2), certificate(3));
    world.storage.record_ca_certificates(vec![two.clone(), one.clone()]).await.unwrap();
    world.storage.record_ca_certificates(vec![three.clone()]).await.unwrap();
    assert_eq!(world.storage.ca_certificates().await, Ok(vec![three, two, one]));
}

pub(crate) async fn a_ca_certificate_is_recorded_once_and_keeps_its_time(world: World) {
    let first = certificate(1);
    let again = CaCertificate { at: Timestamp::from_unix(1), ..first.clone() };
    world.storage.record_ca_certificates(vec![first.clone(), again.clone()]).await.unwrap();
    world.storage.record_ca_certificates(vec![again]).await.unwrap();
    world.storage.record_ca_certificates(Vec::new()).await.unwrap();
    assert_eq!(world.storage.ca_certificates().await, Ok(vec![first]));
}

pub(crate) async fn of_many_ca_certificates_the_latest_are_told(world: World) {
    let all: Vec<_> = (0..=MAX_CA_CERTIFICATES).map(certificate).collect();
    let refused = world.storage.record_ca_certificates(all.clone()).await;
    assert_eq!(kind(refused), Some(ErrorKind::Internal));
    assert_eq!(world.storage.ca_certificates().await, Ok(Vec::new()));

    world.storage.record_ca_certificates(all[1..].to_vec()).await.unwrap();
    world.storage.record_ca_certificates(all[..1].to_vec()).await.unwrap();
    let latest: Vec<_> = all[1..].iter().rev().cloned().collect();
    assert_eq!(world.storage.ca_certificates().await, Ok(latest));
}
