//! Bad days of the network between two roles, one pair of them after the other: everything late, nothing coming through, connections cut,
//! nobody to connect to. Clients may be asked to come back later; nothing is lost, and all is well when the network is.
//!
//! The load goes on through all of it, so that what one bad day has left is still being taken up on the next.

use std::time::Duration;

use cairn_test_env::load::{Load, Temper, Trouble};
use cairn_test_env::relay::Relay;
use cairn_test_env::split::Role;

use crate::world::{WORKERS, World, times, two_of_each};

/// Everyone who calls another one, and whom.
const PAIRS: [(Role, Role); 7] = [
    (Role::Wfe, Role::Ra),
    (Role::Wfe, Role::Sa),
    (Role::Ra, Role::Sa),
    (Role::Ra, Role::Ca),
    (Role::Ra, Role::Va),
    (Role::Va, Role::RemoteVa),
    (Role::Ca, Role::Sa),
];

const LATE: Duration = Duration::from_millis(500);

/// How long nothing comes through: so long that connections are given up (after 10 s), and calls too (after 15 s).
const STALLED: Duration = Duration::from_secs(16);

/// How long nobody can connect: longer than a call waits for somebody to be there (5 s).
const REFUSING: Duration = Duration::from_secs(6);

/// So many certificates must be given for a network to count as well.
const WELL: u64 = 8;

/// So often the connections are cut.
const CUTS: u64 = 10;

/// So many requests are sent between two cuts.
const BETWEEN: u64 = 20;

/// How often a client may be refused by the time a network that was dead for a while is well again: it asks, is told to come back, and asks
/// again; and before that it may have been waiting since the harm before.
const DEAD: u64 = 3;

/// The harms of all bad days between two roles.
const HARMS: u64 = DEAD + CUTS + DEAD;

#[tokio::test(flavor = "multi_thread")]
async fn bad_days_between_any_two_roles_end_well() {
    let layout = PAIRS.into_iter().fold(two_of_each(), |layout, (from, to)| layout.relayed(from, to));
    let world = World::new(layout.with_relayed_database(), Temper::Forbearing).await;
    let mut load = world.site.load("network", WORKERS);
    load.certificates(WELL).await.unwrap();
    let between = |(from, to): (Role, Role)| (format!("{from}-{to}"), world.split.relays(from, to).collect());
    let mut pairs: Vec<(String, Vec<&Relay>)> = PAIRS.into_iter().map(between).collect();
    pairs.push(("sa-database".to_owned(), vec![world.split.database_relay().unwrap()]));
    // First what does no harm, as long as there is none before it that clients may still hear of.
    for (_, relays) in &pairs {
        late(&mut load, relays).await;
    }
    let late = world.met_at_most(Trouble::NONE, Trouble::NONE);
    println!("network, late: {}; {late}", world.site.told.summary());
    for (name, relays) in &pairs {
        bad_days(&world, &mut load, name, relays).await;
    }
    load.stop().await.unwrap();
    let all = world.met_at_most(times(pairs.len() as u64 * HARMS), Trouble::NONE);
    println!("network: {}; {all}", world.site.told.summary());
    world.verify().await;
    world.end();
}

async fn late(load: &mut Load, relays: &[&Relay]) {
    relays.iter().for_each(|relay| relay.delay(LATE));
    load.certificates(WELL).await.unwrap();
    heal(relays).await;
}

async fn bad_days(world: &World, load: &mut Load, name: &str, relays: &[&Relay]) {
    let before = world.site.trouble();
    relays.iter().for_each(|relay| relay.stall());
    tokio::time::sleep(STALLED).await;
    heal(relays).await;
    load.certificates(WELL).await.unwrap();
    let stalled = world.met_at_once(times(DEAD), before);

    let before = world.site.trouble();
    for _ in 0..CUTS {
        load.requests(BETWEEN).await.unwrap();
        relays.iter().for_each(|relay| relay.cut());
    }
    load.certificates(WELL).await.unwrap();
    let cut = world.met_at_once(times(CUTS), before);

    let before = world.site.trouble();
    for relay in relays {
        relay.refuse().await;
        relay.cut();
    }
    tokio::time::sleep(REFUSING).await;
    heal(relays).await;
    load.certificates(WELL).await.unwrap();
    let refused = world.met_at_once(times(DEAD), before);
    println!("{name}, {}", world.site.told.summary());
    println!("  stalled: {stalled}; cut {CUTS} times: {cut}; nobody to connect to: {refused}");
    world.check_now_and_then();
}

async fn heal(relays: &[&Relay]) {
    for relay in relays {
        relay.heal().await;
    }
}
