//! Incidents and their certificates.

use cairn_core::api::revocations::IncidentEntry;
use cairn_core::{
    CertificateId, ErrorKind, Incident, IncidentEnd, IncidentId, IncidentStatus, IssuerId, RevocationReason,
    Serial, Timestamp,
};

use crate::world::{KEY, NOW, WORKER, World, kind};

/// An incident that is not stored; the later ones have greater numbers.
pub(crate) fn incident(number: u8) -> Incident {
    Incident {
        id: IncidentId::from_bytes([number; 16]),
        name: format!("number {number}"),
        selection: "everything".to_owned(),
        reason: Some(RevocationReason::Superseded),
        drill: number.is_multiple_of(2),
        explanation: None,
        created: NOW.plus(number.into()),
        end: None,
        status: IncidentStatus::Open,
    }
}

pub(crate) fn entry(serial: &Serial, subject: u8) -> IncidentEntry {
    IncidentEntry { serial: serial.clone(), subject: [subject; 16] }
}

fn end(at: Timestamp) -> IncidentEnd {
    IncidentEnd { at, by: "operator alice".to_owned() }
}

async fn begun(world: &World, number: u8) -> IncidentId {
    let incident = incident(number);
    world.storage.new_incident(incident.clone()).await.unwrap();
    incident.id
}

pub(crate) async fn an_incident_reads_back_and_the_latest_come_first(world: World) {
    let [first, second, third] = [1, 2, 3].map(incident);
    let second = Incident {
        reason: None,
        explanation: Some("https://ca.test/why".to_owned()),
        end: Some(end(NOW.plus(7))),
        ..second
    };
    for incident in [&second, &first, &third] {
        world.storage.new_incident(incident.clone()).await.unwrap();
    }
    assert_eq!(kind(world.storage.new_incident(first.clone()).await), Some(ErrorKind::Conflict));
    assert_eq!(world.storage.stored_incident(second.id).await, Ok(Some(second.clone())));
    assert_eq!(world.storage.stored_incident(IncidentId::from_bytes([9; 16])).await, Ok(None));
    assert_eq!(world.storage.stored_incidents(10).await.unwrap(), [third.clone(), second.clone(), first]);
    assert_eq!(world.storage.stored_incidents(2).await.unwrap(), [third, second]);
}

pub(crate) async fn an_incident_ends_when_it_is_due_and_only_once(world: World) {
    let id = begun(&world, 1).await;
    let storage = &world.storage;
    assert_eq!(storage.due_incidents(NOW.plus(1000)).await.unwrap(), []);
    storage.set_incident_end(id, end(NOW.plus(50))).await.unwrap();
    let set = storage.set_incident_end(id, end(NOW.plus(100))).await.unwrap();
    assert_eq!(set, Incident { end: Some(end(NOW.plus(100))), ..incident(1) });
    assert_eq!(storage.due_incidents(NOW.plus(99)).await.unwrap(), []);
    assert_eq!(storage.due_incidents(NOW.plus(100)).await.unwrap(), [set]);
    let closed = storage.close_incident(id, IncidentStatus::Finished).await.unwrap();
    assert_eq!(closed.status, IncidentStatus::Finished);
    assert_eq!(storage.due_incidents(NOW.plus(1000)).await.unwrap(), []);
    for outcome in [
        kind(storage.close_incident(id, IncidentStatus::Cancelled).await),
        kind(storage.set_incident_end(id, end(NOW)).await),
        kind(storage.add_incident_certificates(id, vec![entry(&world.serial(), 1)]).await),
    ] {
        assert_eq!(outcome, Some(ErrorKind::Conflict));
    }
    let unknown = IncidentId::from_bytes([9; 16]);
    for outcome in [
        kind(storage.close_incident(unknown, IncidentStatus::Cancelled).await),
        kind(storage.set_incident_end(unknown, end(NOW)).await),
        kind(storage.add_incident_certificates(unknown, Vec::new()).await),
    ] {
        assert_eq!(outcome, Some(ErrorKind::NotFound));
    }
}

pub(crate) async fn certificates_are_entered_once_and_read_in_stretches(world: World) {
    let (id, other) = (begun(&world, 1).await, begun(&world, 2).await);
    let mut serials = Vec::new();
    for _ in 0..5 {
        serials.push(world.certificate(None).await);
    }
    serials.sort();
    let gone = Serial::from_bytes(&[0x7f; 20]).unwrap();
    let storage = &world.storage;
    let entries = |some: &[Serial]| some.iter().map(|serial| entry(serial, 1)).collect::<Vec<_>>();
    assert_eq!(storage.add_incident_certificates(id, entries(&serials[..3])).await, Ok(3));
    assert_eq!(storage.add_incident_certificates(id, entries(&serials)).await, Ok(2));
    assert_eq!(storage.add_incident_certificates(id, entries(&serials)).await, Ok(0));
    assert_eq!(storage.add_incident_certificates(id, vec![entry(&gone, 1)]).await, Ok(1));
    assert_eq!(storage.add_incident_certificates(other, entries(&serials[..1])).await, Ok(1));

    let first = storage.incident_certificates(id, &[], 3).await.unwrap();
    assert_eq!(first.iter().map(|it| it.serial.clone()).collect::<Vec<_>>(), serials[..3]);
    assert_eq!(first[0].record, storage.certificate(&serials[0]).await.unwrap());
    assert!(first.iter().all(|it| !it.replaced));
    let rest = storage.incident_certificates(id, serials[2].as_bytes(), 10).await.unwrap();
    assert_eq!(rest.len(), 3);
    let last = rest.iter().find(|it| it.serial == gone).unwrap();
    assert_eq!(last.record, None, "what is not kept is named all the same");
    assert_eq!(storage.incident_certificates(other, &[], 10).await.unwrap().len(), 1);
}

pub(crate) async fn what_is_done_is_not_to_do_any_more(world: World) {
    let (id, other) = (begun(&world, 1).await, begun(&world, 2).await);
    let mut serials = vec![world.certificate(None).await, world.certificate(None).await];
    serials.sort();
    let storage = &world.storage;
    for incident in [id, other] {
        let entries = serials.iter().map(|serial| entry(serial, 1)).collect();
        storage.add_incident_certificates(incident, entries).await.unwrap();
    }
    assert_eq!(storage.incident_to_do(id, 10).await.unwrap(), serials);
    assert_eq!(storage.incident_to_do(id, 1).await.unwrap(), serials[..1]);
    storage.set_incident_done(id, serials[..1].to_vec()).await.unwrap();
    storage.set_incident_done(id, vec![serials[0].clone(), world.serial()]).await.unwrap();
    assert_eq!(storage.incident_to_do(id, 10).await.unwrap(), serials[1..]);
    assert_eq!(storage.incident_to_do(other, 10).await.unwrap(), serials, "each incident has its own");
}

pub(crate) async fn a_certificate_is_replaced_by_one_with_the_same_subject_or_by_an_order(world: World) {
    let id = begun(&world, 1).await;
    let storage = &world.storage;
    let mut serials = Vec::new();
    for _ in 0..4 {
        serials.push(world.certificate(None).await);
    }
    serials.sort();
    // The first two are of one subject.
    let subjects = [1, 1, 2, 3];
    let entries = serials.iter().zip(subjects).map(|(serial, subject)| entry(serial, subject)).collect();
    storage.add_incident_certificates(id, entries).await.unwrap();
    let replaced = async || {
        let all = storage.incident_certificates(id, &[], 10).await.unwrap();
        all.into_iter().map(|it| it.replaced).collect::<Vec<_>>()
    };
    let new = world.serial();
    assert_eq!(storage.set_incident_replaced(id, vec![entry(&new, 9)]).await, Ok(0));
    assert_eq!(storage.set_incident_replaced(id, vec![entry(&serials[2], 2)]).await, Ok(0), "by itself");
    assert_eq!(storage.set_incident_replaced(id, vec![entry(&new, 1), entry(&new, 9)]).await, Ok(2));
    assert_eq!(storage.set_incident_replaced(id, vec![entry(&new, 1)]).await, Ok(0));
    assert_eq!(replaced().await, [true, true, false, false]);

    // An order that claims it replaces it when it is issued.
    let account = world.account().await.id;
    let mut order = world.unstored_order(account, &["a.test"]);
    let replaces = CertificateId { issuer: IssuerId::from_bytes([5; 20]), serial: serials[3].clone() };
    order.order.replaces = Some(replaces);
    world.store(&order).await.unwrap();
    world.validate(order.authorizations[0].id, crate::world::valid()).await;
    storage.set_order_processing(order.order.id, KEY, WORKER, NOW).await.unwrap();
    assert_eq!(replaced().await, [true, true, false, false]);
    world.certificate(Some(order.order.id)).await;
    assert_eq!(replaced().await, [true, true, false, true]);
}
