//! Processes that are killed where they stand (SIGKILL), at random moments of the load, and started again.

use cairn_test_env::load::Temper;
use cairn_test_env::split::Role;
use tokio::task::block_in_place;

use crate::world::{WORKERS, World, rounds, two_of_each};

/// After so many requests of a round a process is killed: some 7 make a certificate.
const FEWEST_REQUESTS: u64 = 20;
const MOST_REQUESTS: u64 = 200;

/// So many certificates must be given while a process is away, before it is started again.
const MEANWHILE: u64 = 5;

async fn kill_again_and_again(role: Role) {
    let mut world = World::new(two_of_each(), Temper::Forbearing).await;
    for round in 1..=rounds() {
        let mut load = world.site.load(&format!("{role}{round}"), WORKERS);
        let more = world.between(FEWEST_REQUESTS, MOST_REQUESTS);
        load.requests(more).await.unwrap();
        let which = usize::try_from(world.between(0, 2)).unwrap();
        block_in_place(|| world.split.of_role(role).nth(which).unwrap().kill()).unwrap();
        // The other one of the role does.
        load.certificates(MEANWHILE).await.unwrap();
        block_in_place(|| world.split.of_role(role).nth(which).unwrap().start()).unwrap();
        load.certificates(MEANWHILE).await.unwrap();
        load.stop().await.unwrap();
        let refused = *world.site.refused_or_failed.borrow();
        println!(
            "{role} {round}: killed after {more} requests; {}, {refused} refused or failed",
            world.site.told.summary()
        );
        world.verify().await;
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn front_ends_that_are_killed_lose_nothing() {
    kill_again_and_again(Role::Wfe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_authorities_that_are_killed_lose_nothing() {
    kill_again_and_again(Role::Ra).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validation_authorities_that_are_killed_lose_nothing() {
    kill_again_and_again(Role::Va).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_validation_authorities_that_are_killed_lose_nothing() {
    kill_again_and_again(Role::RemoteVa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_authorities_that_are_killed_lose_nothing() {
    kill_again_and_again(Role::Ca).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_authorities_that_are_killed_lose_nothing() {
    kill_again_and_again(Role::Sa).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_and_started_again_has_lost_nothing() {
    let mut world = World::new(two_of_each().with_own_database(), Temper::Forbearing).await;
    for round in 1..=rounds() {
        let mut load = world.site.load(&format!("database{round}"), WORKERS);
        load.requests(world.between(FEWEST_REQUESTS, MOST_REQUESTS)).await.unwrap();
        block_in_place(|| world.split.database_server().unwrap().kill()).unwrap();
        block_in_place(|| world.split.database_server().unwrap().restart()).unwrap();
        load.certificates(MEANWHILE).await.unwrap();
        load.stop().await.unwrap();
        println!("database {round}: {}", world.site.told.summary());
        world.verify().await;
    }
    world.end();
}
