//! A long, random history of issuances, revocations and expiries, in which the clock is turned and the server is killed; and after each
//! chapter a look at everything that is published of every certificate: OCSP, CRL, renewal information, and what an operator is shown.
//! Nothing of that may contradict anything else, nor what clients were told.
//!
//! ```sh
//! ./test-env/test history
//! ```
//!
//! What happens follows from a seed that is printed; `CAIRN_HISTORY_SEED` sets it, and `CAIRN_HISTORY_CHAPTERS` how long it is.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod chance;
mod chapter;
mod judge;
mod published;
mod world;

use cairn_test_env::postgres::Server;
use tokio::task::block_in_place;

use crate::chance::Chance;
use crate::world::World;

/// `CAIRN_HISTORY_CHAPTERS` sets another number.
const CHAPTERS: u32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_agrees_through_a_long_history_on_sqlite() {
    history(World::new(None).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_agrees_through_a_long_history_on_postgresql() {
    let server = block_in_place(|| Server::start(&[])).unwrap();
    history(World::new(Some(server)).await).await;
}

async fn history(mut world: World) {
    let chance = Chance::of_the_day();
    let chapters = std::env::var("CAIRN_HISTORY_CHAPTERS").map_or(CHAPTERS, |text| text.parse().unwrap());
    for number in 1..=chapters {
        let told = chapter::happen(&mut world, &chance, number).await;
        let seen = judge::everything(&mut world).await;
        println!("chapter {number}: {told}; {seen}");
    }
    judge::enough_has_happened(&world);
    world.end().await;
}
