//! The database goes away: killed and started again, or lost for good, with a standby in its place.

use std::time::{Duration, Instant};

use cairn_test_env::load::{Load, Temper, Trouble};
use cairn_test_env::split::Role;
use tokio::task::block_in_place;

use crate::world::{ONE_HARM, WORKERS, World, rounds, times, two_of_each};

/// After so many requests the database is killed.
const FEWEST_REQUESTS: u64 = 20;
const MOST_REQUESTS: u64 = 200;

/// So many certificates are given before it counts as well again.
const WELL: u64 = 20;

/// When a client shall come back that was refused because of the database.
const COME_BACK: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_and_started_again_has_lost_nothing() {
    let mut world = World::new(two_of_each().with_own_database(), Temper::Forbearing).await;
    let mut load = world.site.load("database", WORKERS);
    for round in 1..=rounds() {
        load.requests(world.between(FEWEST_REQUESTS, MOST_REQUESTS)).await.unwrap();
        let (before, lost) = (world.site.trouble(), Instant::now());
        block_in_place(|| world.split.database_server().unwrap().kill()).unwrap();
        block_in_place(|| world.split.database_server().unwrap().restart()).unwrap();
        let met = healed(&mut world, &mut load, before, lost).await;
        println!("database, round {round}: {}; {met}", world.site.told.summary());
        world.check_now_and_then();
    }
    load.stop().await.unwrap();
    world.met_at_most(Trouble { refused: u64::MAX, ..times(rounds()) }, Trouble::NONE);
    world.verify().await;
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_lost_is_followed_by_its_standby_and_nothing_acknowledged_is_lost() {
    let mut world = World::new(two_of_each().with_standby(), Temper::Forbearing).await;
    let mut load = world.site.load("failover", WORKERS);
    load.requests(world.between(FEWEST_REQUESTS, MOST_REQUESTS)).await.unwrap();
    let (before, lost) = (world.site.trouble(), Instant::now());
    block_in_place(|| world.split.database_server().unwrap().kill()).unwrap();
    // Nobody takes changes now.
    load.refused_or_failed(1).await.unwrap();
    block_in_place(|| world.split.promote_standby()).unwrap();
    let met = healed(&mut world, &mut load, before, lost).await;
    load.stop().await.unwrap();
    println!("failover: {}; {met}", world.site.told.summary());
    world.met_at_most(Trouble { refused: u64::MAX, ..ONE_HARM }, Trouble::NONE);
    world.verify().await;
    world.end();
}

/// Waits until all is well again; what clients met since the database was lost. While there was none, each was refused as often as it
/// came back, which is as seldom as it was told to. When the storage authorities say that they have one, only those may still be refused
/// who had asked before.
async fn healed(world: &mut World, load: &mut Load, before: Trouble, lost: Instant) -> Trouble {
    for storage in world.split.of_role(Role::Sa) {
        block_in_place(|| storage.until_ready()).unwrap();
    }
    let times_that_clients_came = 1 + lost.elapsed().as_secs() / COME_BACK.as_secs();
    world.met_at_once(times(times_that_clients_came), before);
    let ready = world.site.trouble();
    load.certificates(WELL).await.unwrap();
    world.met_at_once(ONE_HARM, ready);
    world.site.trouble() - before
}
