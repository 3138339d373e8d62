//! Processes that are killed where they stand (SIGKILL), at random moments of the load, and started again.
//!
//! The load goes on through all rounds, so that what one kill has left is still being taken up at the next.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cairn_test_env::load::{Load, Temper, Trouble};
use cairn_test_env::split::Role;
use cairn_test_env::{relying_party as party, wait};
use cairn_x509::Certificate;
use cairn_x509::ocsp::Status;
use tokio::task::block_in_place;

use crate::world::{ONE_HARM, WORKERS, World, rounds, times, two_of_each};

/// After so many requests a process is killed: some 7 make a certificate.
const FEWEST_REQUESTS: u64 = 20;
const MOST_REQUESTS: u64 = 200;

/// So many certificates must be given while a process is away, before it is started again.
const MEANWHILE: u64 = 5;

/// From a front end for relying parties listening to its first answer: it must have read the storage's revocations. Far longer than that
/// takes.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Each has processes of its own.
const VICTIMS: [Role; 7] = [Role::Wfe, Role::Pki, Role::Ra, Role::Va, Role::RemoteVa, Role::Ca, Role::Sa];

/// What a kill may cost at once. Of the orders that the victim had in its hands clients hear only later, from whoever takes them up.
fn at_once(victim: Role) -> Trouble {
    match victim {
        // Clients lose their connections, and find another front end.
        Role::Wfe => Trouble { unanswered: WORKERS as u64, ..ONE_HARM },
        // None of them asks there.
        Role::Pki => Trouble::NONE,
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
    if victim == Role::Pki {
        block_in_place(|| answers(world, world.split.relying_parties()[1 - which])).unwrap();
    }
    block_in_place(|| world.split.of_role(victim).nth(which).unwrap().start()).unwrap();
    load.certificates(MEANWHILE).await.unwrap();
    if victim == Role::Pki {
        block_in_place(|| answers(world, world.split.relying_parties()[which])).unwrap();
    }
    world.met_at_once(at_once(victim), before)
}

/// A front end for relying parties says of the certificate that was given last that it is good, and has its issuer.
fn answers(world: &World, front: SocketAddr) -> Result<()> {
    let given = world.site.told.certificates()?.pop().context("nobody has a certificate")?;
    let leaf = Certificate::from_der(&given.leaf)?;
    let url =
        leaf.description()?.issuer_urls.pop().context("the certificate does not say where its issuer is")?;
    let (_, path) = party::place(&url)?;
    let issuer = Certificate::from_der(&party::get(front, &path, "")?.body)?;
    let status =
        wait::until("an OCSP answer", ANSWER_LIMIT, || Ok(party::status(front, &issuer, &leaf).ok()))?;
    ensure!(status == Status::Good, "the newest certificate is {status:?}");
    Ok(())
}
