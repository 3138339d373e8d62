//! Revocations in the order in which they were stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
use cairn_core::api::sa::NewRevocation;
use cairn_core::{Revocation, RevocationReason, Serial};
use tokio::task::JoinSet;

use crate::world::{NOW, World};

async fn revoke(world: &World, serial: &Serial, seconds: i64, reason: Option<RevocationReason>) {
    let revocation = Revocation { at: NOW.plus(seconds), reason };
    let new = NewRevocation { serial: serial.clone(), revocation, blocked_key: None };
    world.storage.revoke_certificate(new).await.unwrap();
}

async fn after(world: &World, position: RevocationPosition) -> Vec<RevocationEvent> {
    world.storage.revocations_after(position, 1000).await.unwrap()
}

pub(crate) async fn what_is_revoked_is_told_in_its_order_and_from_any_place_on(world: World) {
    let begin = world.storage.revocation_position().await.unwrap();
    assert_eq!((begin, after(&world, begin).await), (RevocationPosition::default(), Vec::new()));
    let mut serials = Vec::new();
    // The second comes from a process whose clock is an hour slow.
    for (seconds, reason) in [(0, None), (-3600, Some(RevocationReason::KeyCompromise)), (5, None)] {
        let serial = world.certificate(None).await;
        revoke(&world, &serial, seconds, reason).await;
        serials.push(serial);
    }
    let told = after(&world, begin).await;
    assert_eq!(told.iter().map(|event| event.serial.clone()).collect::<Vec<_>>(), serials);
    assert!(told.is_sorted_by(|one, next| one.position < next.position), "{told:?}");
    let [first, second, third] = &told[..] else { panic!("{told:?}") };
    let reason = Some(RevocationReason::KeyCompromise);
    assert_eq!(second.revocation, Revocation { at: NOW.plus(-3600), reason });
    assert_eq!(after(&world, first.position).await, told[1..]);
    assert_eq!(after(&world, third.position).await, []);
    assert_eq!(world.storage.revocation_position().await, Ok(third.position));
    assert_eq!(world.storage.revocations_after(begin, 2).await.unwrap(), told[..2]);
    let issuer = world.storage.certificate(&serials[0]).await.unwrap().unwrap().issuer;
    assert_eq!(first.issuer, issuer);
}

/// As after a restore from a backup: the places that were given out since are behind those to come.
pub(crate) async fn places_rise_with_the_time(world: World) {
    let serial = world.certificate(None).await;
    revoke(&world, &serial, 0, None).await;
    let place = world.storage.revocation_position().await.unwrap();
    let later = world.certificate(None).await;
    revoke(&world, &later, 60, None).await;
    let later = world.storage.revocation_position().await.unwrap();
    assert_eq!(later.number() - place.number(), 60_000_000);
}

/// Whoever reads while others revoke misses nothing, however the changes are committed.
pub(crate) async fn who_follows_misses_nothing_that_many_revoke_at_once(world: World) {
    const EACH: usize = 20;
    const WRITERS: usize = 8;
    let world = Arc::new(world);
    let mut serials = Vec::new();
    for _ in 0..WRITERS * EACH {
        serials.push(world.certificate(None).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut follower = JoinSet::new();
    follower.spawn({
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        async move {
            let (mut seen, mut place) = (Vec::new(), RevocationPosition::default());
            loop {
                let ended = done.load(Ordering::SeqCst);
                let events = world.storage.revocations_after(place, 3).await.unwrap();
                if events.is_empty() && ended {
                    return seen;
                }
                place = events.last().map_or(place, |event| event.position);
                seen.extend(events.into_iter().map(|event| event.serial));
                tokio::task::yield_now().await;
            }
        }
    });
    let mut writers = JoinSet::new();
    for chunk in serials.chunks(EACH) {
        let (world, chunk) = (Arc::clone(&world), chunk.to_vec());
        writers.spawn(async move {
            for serial in chunk {
                revoke(&world, &serial, 0, None).await;
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::SeqCst);
    let mut seen = follower.join_next().await.unwrap().unwrap();
    seen.sort();
    serials.sort();
    assert_eq!(seen, serials);
}
