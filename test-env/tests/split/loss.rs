//! A network that loses packets by chance, between all processes and to the database. TCP sends them again: clients wait longer.

use std::thread;

use cairn_test_env::load::{Temper, Trouble};
use cairn_test_env::own_network::OwnNetwork;
use tokio::runtime::Builder;
use tokio::task::block_in_place;

use crate::world::{ONE_HARM, WORKERS, World, two_of_each};

/// Of a hundred.
const LOST: u32 = 10;

/// So many certificates must be given for a network to count as well.
const WELL: u64 = 10;

/// So many certificates must be given although packets are lost.
const CERTIFICATES: u64 = 50;

#[test]
fn a_network_that_loses_every_tenth_packet_makes_everything_slower_and_no_more() {
    // A thread of the story's own: it does not come back from where it goes.
    let story = thread::spawn(|| {
        let network = OwnNetwork::enter().unwrap();
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(every_tenth_packet(&network));
    });
    story.join().unwrap();
}

async fn every_tenth_packet(network: &OwnNetwork) {
    // A server of its own: the one that stories share is outside.
    let world = World::new(two_of_each().with_own_database(), Temper::Forbearing).await;
    let mut load = world.site.load("loss", WORKERS);
    load.certificates(WELL).await.unwrap();
    block_in_place(|| network.lose(LOST, world.split.inside())).unwrap();
    load.certificates(CERTIFICATES).await.unwrap();
    let lost = block_in_place(|| network.heal()).unwrap();
    load.certificates(WELL).await.unwrap();
    load.stop().await.unwrap();
    // It may be one packet that is lost so often that its connection counts as dead.
    let met = world.met_at_most(ONE_HARM, Trouble::NONE);
    println!("loss: {lost} packets lost, {}; {met}", world.site.told.summary());
    assert!(lost > CERTIFICATES, "hardly a packet was lost");
    world.verify().await;
    world.end();
}
