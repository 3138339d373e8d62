//! Incidents from their begin to their end.

use cairn_core::api::admin::{Administration, NewIncident};
use cairn_core::{
    AccountId, ErrorKind, Incident, IncidentId, IncidentStatus, IssuerId, Revocation, RevocationReason,
    Selection, Serial, Stretch,
};

use crate::selection::{operator, serial};
use crate::world::{DAY, START, World, csr, kind};

const ALL: Stretch = Stretch::After(Vec::new());
const REASON: Option<RevocationReason> = Some(RevocationReason::Superseded);

fn new(name: &str, drill: bool) -> NewIncident {
    NewIncident {
        name: name.to_owned(),
        selection: "everything".to_owned(),
        reason: REASON,
        drill,
        explanation: Some("https://ca.test/why".to_owned()),
    }
}

/// A CA that has issued three certificates, all of which are in an incident that has begun an hour later.
async fn affected(drill: bool) -> (World, AccountId, Vec<Serial>, IncidentId) {
    let world = World::new();
    let account = world.account().await;
    let mut serials = Vec::new();
    for name in ["a.test", "b.test", "c.test"] {
        serials.push(serial(&world.certificate(account, &[name]).await.0));
    }
    world.clock.advance(3600);
    let incident = world.ra.new_incident(&operator(), new("Too long", drill)).await.unwrap();
    let entered = world.ra.enter_into_incident(&operator(), incident.id, &Selection::default(), &ALL).await;
    assert_eq!(entered.unwrap().entered, 3);
    (world, account, serials, incident.id)
}

async fn revocation(world: &World, serial: &Serial) -> Option<Revocation> {
    world.deps.sa.certificate(serial).await.unwrap().unwrap().revocation
}

async fn is_to_renew(world: &World, serial: &Serial) -> bool {
    let now = cairn_core::Clock::now(world.clock.as_ref());
    let info = world.deps.sa.renewal(serial).await.unwrap().unwrap().info(now);
    info.end < now
}

#[tokio::test]
async fn clients_are_told_to_renew_while_an_incident_is_open() {
    let (world, _, serials, incident) = affected(false).await;
    assert!(is_to_renew(&world, &serials[0]).await);
    let renewal = world.deps.sa.renewal(&serials[0]).await.unwrap().unwrap();
    assert_eq!(renewal.info(START).explanation.as_deref(), Some("https://ca.test/why"));
    let cancelled = world.ra.cancel_incident(&operator(), incident).await.unwrap();
    assert_eq!(cancelled.status, IncidentStatus::Cancelled);
    assert!(!is_to_renew(&world, &serials[0]).await);
    let again = world.ra.finish_incident(&operator(), incident, START).await;
    assert_eq!(kind(again), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_rest_is_revoked_at_the_time_that_was_decided_and_not_before() {
    let (world, account, serials, incident) = affected(false).await;
    let revoked_before = Stretch::These(serials[..1].to_vec());
    let by_hand = Some(RevocationReason::PrivilegeWithdrawn);
    world.ra.revoke_selected(&operator(), &Selection::default(), &revoked_before, by_hand).await.unwrap();
    let later = serial(&world.certificate(account, &["d.test"]).await.0);

    let at = START.plus(2 * DAY);
    let decided = world.ra.finish_incident(&operator(), incident, at).await.unwrap();
    assert_eq!(decided.end.as_ref().map(|end| (end.at, end.by.as_str())), Some((at, "operator alice")));
    world.clock.advance(2 * DAY - 3600 - 1);
    world.ra.keep_up().await.unwrap();
    assert_eq!(revocation(&world, &serials[1]).await, None);
    world.clock.advance(1);
    world.ra.keep_up().await.unwrap();
    let hand = Revocation { at: START.plus(3600), reason: by_hand };
    assert_eq!(revocation(&world, &serials[0]).await, Some(hand), "it stays as it was");
    for serial in &serials[1..] {
        assert_eq!(revocation(&world, serial).await, Some(Revocation { at, reason: REASON }));
    }
    assert_eq!(revocation(&world, &later).await, None, "it came after the incident");
    let finished = world.ra.incident(&operator(), incident).await.unwrap();
    assert_eq!(finished.status, IncidentStatus::Finished);
    world.clock.advance(DAY);
    world.ra.keep_up().await.unwrap();
    assert_eq!(revocation(&world, &serials[1]).await, Some(Revocation { at, reason: REASON }));
}

#[tokio::test]
async fn another_process_ends_what_one_left_half_done() {
    let (world, _, serials, incident) = affected(false).await;
    world.ra.finish_incident(&operator(), incident, START).await.unwrap();
    // As the one that was killed left it: one is revoked and noted, one is revoked and not noted.
    let some = Stretch::These(serials[..2].to_vec());
    world.ra.revoke_selected(&operator(), &Selection::default(), &some, REASON).await.unwrap();
    world.deps.sa.set_incident_done(incident, serials[..1].to_vec()).await.unwrap();
    world.clock.advance(100);
    world.another_ra().keep_up().await.unwrap();
    let at = START.plus(3600);
    for (serial, at) in serials.iter().zip([at, at, at.plus(100)]) {
        assert_eq!(revocation(&world, serial).await, Some(Revocation { at, reason: REASON }));
    }
    let finished = world.ra.incident(&operator(), incident).await.unwrap();
    assert_eq!(finished.status, IncidentStatus::Finished);
}

#[tokio::test]
async fn a_drill_does_everything_but_revoke() {
    let (world, _, serials, incident) = affected(true).await;
    assert!(is_to_renew(&world, &serials[0]).await);
    world.ra.finish_incident(&operator(), incident, START).await.unwrap();
    world.ra.keep_up().await.unwrap();
    for serial in &serials {
        assert_eq!(revocation(&world, serial).await, None);
        assert!(!is_to_renew(&world, serial).await);
    }
    let finished = world.ra.incident(&operator(), incident).await.unwrap();
    assert_eq!(finished.status, IncidentStatus::Finished);
}

#[tokio::test]
async fn the_state_of_an_incident_says_what_is_replaced_and_what_is_not() {
    let (world, account, serials, incident) = affected(false).await;
    // One account has another certificate for the same name, another account has one for a second.
    world.certificate(account, &["a.test"]).await;
    let stranger = world.account().await;
    world.certificate(stranger, &["b.test"]).await;
    let followed = world.ra.follow_incident(&operator(), incident, &[]).await.unwrap();
    assert_eq!((followed.replaced, followed.next), (1, None));
    assert_eq!(world.ra.follow_incident(&operator(), incident, &[]).await.unwrap().replaced, 0);
    let only = Stretch::These(serials[1..2].to_vec());
    world.ra.revoke_selected(&operator(), &Selection::default(), &only, REASON).await.unwrap();
    let stretch = world.ra.incident_stretch(&operator(), incident, &[]).await.unwrap();
    assert_eq!((stretch.certificates, stretch.replaced, stretch.revoked, stretch.expired), (3, 1, 1, 0));
    let waiting: Vec<_> =
        stretch.waiting.iter().map(|it| (&it.serial, it.account, it.names.clone())).collect();
    let mut expected = vec![
        (&serials[1], Some(account), vec!["b.test".to_owned()]),
        (&serials[2], Some(account), vec!["c.test".to_owned()]),
    ];
    expected.sort_by_key(|(serial, ..)| (*serial).clone());
    assert_eq!(waiting, expected);
    world.clock.advance(100 * DAY);
    let stretch = world.ra.incident_stretch(&operator(), incident, &[]).await.unwrap();
    assert_eq!((stretch.expired, stretch.waiting.len(), stretch.next), (3, 0, None));
}

#[tokio::test]
async fn what_was_issued_after_an_incident_began_is_no_part_of_it_and_what_ended_neither() {
    let (world, account, serials, incident) = affected(false).await;
    world.clock.advance(10);
    world.certificate(account, &["new.test"]).await;
    let again =
        world.ra.enter_into_incident(&operator(), incident, &Selection::default(), &ALL).await.unwrap();
    assert_eq!((again.entered, again.passed_over), (0, 3));
    let second = world.ra.new_incident(&operator(), new("Second", false)).await.unwrap();
    let one = Stretch::These(serials[..1].to_vec());
    world.ra.revoke_selected(&operator(), &Selection::default(), &one, REASON).await.unwrap();
    let entered =
        world.ra.enter_into_incident(&operator(), second.id, &Selection::default(), &ALL).await.unwrap();
    assert_eq!((entered.entered, entered.passed_over), (3, 1));
}

#[tokio::test]
async fn an_incidents_name_is_its_own_while_it_is_open_and_can_be_shown() {
    let world = World::new();
    let first = world.ra.new_incident(&operator(), new("Too long", false)).await.unwrap();
    let again = world.ra.new_incident(&operator(), new("Too long", false)).await;
    assert_eq!(kind(again), ErrorKind::Conflict);
    world.ra.cancel_incident(&operator(), first.id).await.unwrap();
    world.clock.advance(1);
    let second = world.ra.new_incident(&operator(), new("Too long", false)).await.unwrap();
    let listed: Vec<Incident> = world.ra.incidents(&operator()).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [second.id, first.id]);
    for name in ["", "two\nlines", &"x".repeat(101)] {
        let refused = world.ra.new_incident(&operator(), new(name, false)).await;
        assert_eq!(kind(refused), ErrorKind::Malformed);
    }
    for explanation in ["ftp://ca.test", "https://ca.test/ä", "https://ca.test/a b", "why"] {
        let explanation = Some(explanation.to_owned());
        let incident = NewIncident { explanation, ..new("Other", false) };
        assert_eq!(kind(world.ra.new_incident(&operator(), incident).await), ErrorKind::Malformed);
    }
    let nobody = IncidentId::from_bytes([1; 16]);
    for outcome in [
        kind(world.ra.incident(&operator(), nobody).await),
        kind(world.ra.cancel_incident(&operator(), nobody).await),
        kind(world.ra.finish_incident(&operator(), nobody, START).await),
        kind(world.ra.follow_incident(&operator(), nobody, &[]).await),
        kind(world.ra.enter_into_incident(&operator(), nobody, &Selection::default(), &ALL).await),
    ] {
        assert_eq!(outcome, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn what_an_issuer_has_issued_that_must_go_is_renewed_in_time() {
    let world = World::new();
    let account = world.account().await;
    let certificate = serial(&world.certificate(account, &["a.test"]).await.0);
    let issuer = IssuerId::from_bytes([7; 20]);
    let by = Some(START.plus(3 * DAY));
    assert_eq!(kind(world.ra.retire_issuer(&operator(), issuer, by).await), ErrorKind::NotFound);
    let ca = cairn_core::CaCertificate { der: vec![1], subject: Some(issuer), at: START };
    world.ca.record(ca).await;
    world.ra.retire_issuer(&operator(), issuer, by).await.unwrap();
    let info = world.deps.sa.renewal(&certificate).await.unwrap().unwrap().info(START);
    assert!(info.start <= START && info.end <= START.plus(2 * DAY), "{info:?}");
    world.ra.retire_issuer(&operator(), issuer, None).await.unwrap();
    let info = world.deps.sa.renewal(&certificate).await.unwrap().unwrap().info(START);
    assert!(info.start > START.plus(50 * DAY));
    let order = world.ready_order(account, &["b.test"]).await;
    world.finalize(account, order, csr(&["b.test"])).await.unwrap();
}
