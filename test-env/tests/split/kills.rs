//! Processes that are killed where they stand (SIGKILL), at random moments of the load, and started again.
//!
//! The load goes on through all rounds, so that what one kill has left is still being taken up at the next.

use std::collections::BTreeMap;

use cairn_test_env::load::{Load, Temper, Trouble};
use cairn_test_env::split::Role;
use tokio::task::block_in_place;

use crate::world::{ONE_HARM, WORKERS, World, rounds, times, two_of_each};

/// After so many requests a process is killed: some 7 make a certificate.
const FEWEST_REQUESTS: u64 = 20;
const MOST_REQUESTS: u64 = 200;

/// So many certificates must be given while a process is away, before it is started again.
const MEANWHILE: u64 = 5;

/// Each has processes of its own.
const VICTIMS: [Role; 6] = [Role::Wfe, Role::Ra, Role::Va, Role::RemoteVa, Role::Ca, Role::Sa];

/// What a kill may cost at once. Of the orders that the victim had in its hands clients hear only later, from whoever takes them up.
fn at_once(victim: Role) -> Trouble {
    match victim {
        // Clients lose their connections, and find another front end.
        Role::Wfe => Trouble { unanswered: WORKERS as u64, ..ONE_HARM },
        _ => ONE_HARM,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_every_role_that_are_killed_under_load_lose_nothing() {
    let mut world = World::new(two_of_each(), Temper::Forbearing).await;
    let mut load = world.site.load("kills", WORKERS);
    let mut costs = BTreeMap::<Role, Trouble>::new();
    for round in 1..=rounds() {
        for victim in VICTIMS {
            let cost = kill_and_start(&mut world, &mut load, victim).await;
            *costs.entry(victim).or_default() += cost;
        }
        world.check_now_and_then();
        println!("kills, round {round}: {}; {}", world.site.told.summary(), world.site.trouble());
    }
    load.stop().await.unwrap();
    for (victim, cost) in costs {
        println!("{victim}, killed {} times: until all was well, {cost}", rounds());
    }
    let kills = rounds() * VICTIMS.len() as u64;
    let most = Trouble { unanswered: rounds() * WORKERS as u64, ..times(kills) };
    let all = world.met_at_most(most, Trouble::NONE);
    println!("kills, {kills} in all: {}; {all}", world.site.told.summary());
    world.verify().await;
    world.end();
}

/// Kills one of the role's two processes and starts it again when the other one has done its work for a while; what clients met.
async fn kill_and_start(world: &mut World, load: &mut Load, victim: Role) -> Trouble {
    load.requests(world.between(FEWEST_REQUESTS, MOST_REQUESTS)).await.unwrap();
    let which = usize::try_from(world.between(0, 2)).unwrap();
    let before = world.site.trouble();
    block_in_place(|| world.split.of_role(victim).nth(which).unwrap().kill()).unwrap();
    load.certificates(MEANWHILE).await.unwrap();
    block_in_place(|| world.split.of_role(victim).nth(which).unwrap().start()).unwrap();
    load.certificates(MEANWHILE).await.unwrap();
    world.met_at_once(at_once(victim), before)
}
