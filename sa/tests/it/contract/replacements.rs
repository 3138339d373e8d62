//! Which order replaces which certificate, and when to renew.

use cairn_core::api::sa::NewRevocation;
use cairn_core::{
    CaCertificate, CertificateId, ErrorKind, IncidentStatus, IssuerId, OpenIncident, OrderId,
    OrderWithAuthorizations, Renewal, Revocation, Serial, Timestamp,
};

use crate::contract::incidents::{entry, incident};
use crate::world::{KEY, NOW, ORDER_END, WORKER, World, certificate, invalid, kind, problem};

const ISSUER: IssuerId = IssuerId::from_bytes([5; 20]);

/// A new order of a new account that wants to replace the certificate.
async fn claimant(world: &World, serial: &Serial, at: Timestamp) -> OrderWithAuthorizations {
    let account = world.account().await.id;
    let mut order = world.unstored_order_at(at, account, &["a.test"]);
    order.order.replaces = Some(CertificateId { issuer: ISSUER, serial: serial.clone() });
    order
}

async fn holder(world: &World, serial: &Serial) -> Option<OrderId> {
    world.storage.replacement(serial).await.unwrap()
}

pub(crate) async fn an_order_claims_what_it_replaces_and_says_so(world: World) {
    let serial = world.certificate(None).await;
    assert_eq!(holder(&world, &serial).await, None);
    let order = claimant(&world, &serial, NOW).await;
    world.store(&order).await.unwrap();
    assert_eq!(holder(&world, &serial).await, Some(order.order.id));
    assert_eq!(world.storage.order(order.order.id).await.unwrap(), Some(order.clone()));
    // Another certificate is another claim.
    let other = world.certificate(None).await;
    world.store(&claimant(&world, &other, NOW).await).await.unwrap();

    let second = claimant(&world, &serial, NOW).await;
    assert_eq!(kind(world.store(&second).await), Some(ErrorKind::Conflict));
    assert_eq!(world.storage.order(second.order.id).await, Ok(None), "nothing is left behind");
    assert_eq!(world.storage.authorization(second.authorizations[0].id).await, Ok(None));
    assert_eq!(holder(&world, &serial).await, Some(order.order.id));
}

pub(crate) async fn a_claim_is_held_while_the_order_can_come_to_something(world: World) {
    let serial = world.certificate(None).await;
    let order = claimant(&world, &serial, NOW).await;
    world.store(&order).await.unwrap();
    world.validate(order.authorizations[0].id, crate::world::valid()).await;
    let refused = async || kind(world.store(&claimant(&world, &serial, NOW).await).await);
    assert_eq!(refused().await, Some(ErrorKind::Conflict), "it is ready");
    world.storage.set_order_processing(order.order.id, KEY, WORKER, NOW).await.unwrap();
    assert_eq!(refused().await, Some(ErrorKind::Conflict), "it is being issued");
    world.certificate(Some(order.order.id)).await;
    assert_eq!(refused().await, Some(ErrorKind::Conflict), "it was issued");
}

pub(crate) async fn a_claim_is_given_back_when_the_order_fails_expires_or_becomes_invalid(world: World) {
    let serial = world.certificate(None).await;
    let next = async |at| {
        let order = claimant(&world, &serial, at).await;
        world.store(&order).await.unwrap();
        assert_eq!(holder(&world, &serial).await, Some(order.order.id));
        order
    };
    let first = next(NOW).await;
    world.validate(first.authorizations[0].id, crate::world::valid()).await;
    world.storage.set_order_processing(first.order.id, KEY, WORKER, NOW).await.unwrap();
    world.storage.set_order_error(first.order.id, problem()).await.unwrap();
    let second = next(NOW).await;
    world.validate(second.authorizations[0].id, invalid()).await;
    let third = next(NOW).await;
    world.storage.deactivate_authorization(third.authorizations[0].id, NOW).await.unwrap();
    next(NOW).await;
    // At its end, and not a second before.
    let early = claimant(&world, &serial, ORDER_END.plus(-1)).await;
    assert_eq!(kind(world.store(&early).await), Some(ErrorKind::Conflict));
    next(ORDER_END).await;
}

pub(crate) async fn of_orders_that_claim_at_once_one_wins(world: World) {
    for _ in 0..5 {
        let serial = world.certificate(None).await;
        let mut orders = Vec::new();
        for _ in 0..8 {
            orders.push(claimant(&world, &serial, NOW).await);
        }
        let mut racers = tokio::task::JoinSet::new();
        for order in orders {
            let storage = world.storage.clone();
            racers.spawn(async move {
                let id = order.order.id;
                let new = cairn_core::api::sa::NewOrder {
                    order: order.order,
                    new_authorizations: order.authorizations,
                };
                (id, storage.new_order_and_authorizations(new).await)
            });
        }
        let outcomes = racers.join_all().await;
        let winners: Vec<OrderId> =
            outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(id, _)| *id).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(holder(&world, &serial).await, Some(winners[0]));
        assert!(
            outcomes
                .into_iter()
                .filter_map(|(_, outcome)| outcome.err())
                .all(|error| { error.kind == ErrorKind::Conflict })
        );
    }
}

pub(crate) async fn what_the_time_to_renew_follows_from_comes_in_one_read(world: World) {
    let serial = world.certificate(None).await;
    let unknown = world.storage.renewal(&world.serial()).await;
    assert_eq!(unknown, Ok(None));
    let plain = Renewal {
        issuer: ISSUER,
        issued: NOW,
        not_after: certificate(&serial).not_after,
        revoked: None,
        incident: None,
        replace_by: None,
    };
    let renewal = async || world.storage.renewal(&serial).await.unwrap().unwrap();
    assert_eq!(renewal().await, plain);

    assert_eq!(world.storage.set_replace_by(ISSUER, Some(NOW)).await, Ok(false), "it is not known");
    let ca = |octet: u8| CaCertificate { der: vec![octet; 9], subject: Some(ISSUER), at: NOW };
    world.storage.record_ca_certificates(vec![ca(1), ca(2)]).await.unwrap();
    assert_eq!(world.storage.set_replace_by(ISSUER, Some(NOW.plus(9))).await, Ok(true));
    assert_eq!(renewal().await, Renewal { replace_by: Some(NOW.plus(9)), ..plain.clone() });
    assert_eq!(world.storage.set_replace_by(ISSUER, None).await, Ok(true));
    assert_eq!(renewal().await, plain);

    let mut ids = Vec::new();
    for (number, explanation) in [(1, None), (2, Some("https://ca.test/why".to_owned()))] {
        let open = cairn_core::Incident { explanation: explanation.clone(), ..incident(number) };
        world.storage.new_incident(open.clone()).await.unwrap();
        world.storage.add_incident_certificates(open.id, vec![entry(&serial, 1)]).await.unwrap();
        let since = open.created;
        if number == 1 {
            let told = Some(OpenIncident { since, explanation });
            assert_eq!(renewal().await, Renewal { incident: told, ..plain.clone() });
        }
        assert!(renewal().await.incident.is_some());
        ids.push(open.id);
    }
    world.storage.close_incident(ids[0], IncidentStatus::Cancelled).await.unwrap();
    assert!(renewal().await.incident.unwrap().explanation.is_some(), "the other is open");
    world.storage.close_incident(ids[1], IncidentStatus::Finished).await.unwrap();
    assert_eq!(renewal().await, plain);

    let revocation = Revocation { at: NOW.plus(5), reason: None };
    let new = NewRevocation { serial: serial.clone(), revocation, blocked_key: None };
    world.storage.revoke_certificate(new).await.unwrap();
    assert_eq!(renewal().await, Renewal { revoked: Some(NOW.plus(5)), ..plain });
}
