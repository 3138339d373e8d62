//! Bad days of the network between two roles: everything late, nothing coming through, connections cut. Clients may be asked to come back
//! later; nothing is lost, and all is well when the network is.

use std::time::Duration;

use cairn_test_env::load::Temper;
use cairn_test_env::relay::Relay;
use cairn_test_env::split::Role;

use crate::world::{WORKERS, World, two_of_each};

const LATE: Duration = Duration::from_millis(500);

/// So many certificates must be given for a network to count as well.
const WELL: u64 = 10;

/// So often the connections are cut.
const CUTS: u32 = 10;

/// So many requests are sent between two cuts.
const BETWEEN: u64 = 20;

async fn bad_days_between(from: Role, to: Role) {
    let world = World::new(two_of_each().relayed(from, to), Temper::Forbearing).await;
    bad_days(&world, &format!("{from}-{to}"), world.split.relays(from, to).collect()).await;
    world.end();
}

async fn bad_days(world: &World, name: &str, relays: Vec<&Relay>) {
    let mut load = world.site.load(name, WORKERS);
    load.certificates(WELL).await.unwrap();

    relays.iter().for_each(|relay| relay.delay(LATE));
    load.certificates(WELL).await.unwrap();
    heal(&relays).await;
    load.certificates(WELL).await.unwrap();
    println!("{name}: late, {}", world.site.told.summary());

    // Until somebody has noticed, and said so to a client, or even ended an order for it.
    relays.iter().for_each(|relay| relay.stall());
    load.refused_or_failed(1).await.unwrap();
    heal(&relays).await;
    load.certificates(WELL).await.unwrap();
    println!("{name}: stalled, {}", world.site.told.summary());

    for _ in 0..CUTS {
        load.requests(BETWEEN).await.unwrap();
        relays.iter().for_each(|relay| relay.cut());
    }
    load.certificates(WELL).await.unwrap();
    println!("{name}: cut, {}", world.site.told.summary());

    for relay in &relays {
        relay.refuse().await;
        relay.cut();
    }
    load.refused_or_failed(1).await.unwrap();
    heal(&relays).await;
    load.certificates(WELL).await.unwrap();
    load.stop().await.unwrap();
    println!("{name}: refused, {}", world.site.told.summary());
    world.verify().await;
}

async fn heal(relays: &[&Relay]) {
    for relay in relays {
        relay.heal().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn between_front_ends_and_registration_authorities() {
    bad_days_between(Role::Wfe, Role::Ra).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_front_ends_and_storage() {
    bad_days_between(Role::Wfe, Role::Sa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_registration_authorities_and_storage() {
    bad_days_between(Role::Ra, Role::Sa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_registration_and_certificate_authorities() {
    bad_days_between(Role::Ra, Role::Ca).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_registration_and_validation_authorities() {
    bad_days_between(Role::Ra, Role::Va).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_validation_authorities_and_remote_ones() {
    bad_days_between(Role::Va, Role::RemoteVa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_certificate_authorities_and_storage() {
    bad_days_between(Role::Ca, Role::Sa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_storage_and_the_database() {
    let world = World::new(two_of_each().with_relayed_database(), Temper::Forbearing).await;
    bad_days(&world, "sa-database", vec![world.split.database_relay().unwrap()]).await;
    world.end();
}
