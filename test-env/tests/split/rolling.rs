//! A new version everywhere, process by process, and no client notices.

use cairn_test_env::load::Temper;
use cairn_test_env::split::Role;
use tokio::task::block_in_place;

use crate::world::{WORKERS, World, rounds, two_of_each};

/// So many requests are sent before each restart.
const BETWEEN: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_restarted_under_load_again_and_again_and_no_request_fails() {
    let mut world = World::new(two_of_each(), Temper::Strict).await;
    let mut load = world.site.load("rolling", WORKERS);
    for round in 1..=rounds() {
        for role in Role::ALL {
            let count = world.split.of_role(role).count();
            for which in 0..count {
                load.requests(BETWEEN).await.unwrap();
                block_in_place(|| world.split.of_role(role).nth(which).unwrap().stop()).unwrap();
                load.requests(BETWEEN).await.unwrap();
                block_in_place(|| world.split.of_role(role).nth(which).unwrap().start()).unwrap();
            }
        }
        println!("rolling, round {round}: {}", world.site.told.summary());
    }
    load.requests(BETWEEN).await.unwrap();
    load.stop().await.unwrap();
    world.verify().await;
    world.end();
}
