//! Kills the server under load, again and again, and looks whether anything that a client was told got lost or happened twice.
//!
//! What clients were told is in a ledger; clients at work write it, who go on where they stood when the server is back, as a good
//! client does. After each round everything in it is asked for again, and the database is looked into with its own shell.
//!
//! ```sh
//! ./test-env/test kill
//! ```
//!
//! The moments of the kills follow from a seed that is printed; `CAIRN_KILL_SEED` sets it. `CAIRN_FORM` chooses
//! what is killed.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod tampering;

use std::time::Duration;

use cairn_core::random::{SeededRandom, SystemRandom, bytes};
use cairn_test_env::harness::{Cairn, Form};
use cairn_test_env::invariants::{self, Limits};
use cairn_test_env::load::{Site, Temper};
use tokio::task::block_in_place;

/// `CAIRN_KILL_ROUNDS` sets another number.
const ROUNDS: u64 = 10;
const WORKERS: usize = 8;

/// After so many requests of a round the server is killed: some 7 make a certificate.
const FEWEST_REQUESTS: u64 = 100;
const MOST_REQUESTS: u64 = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_loses_nothing_and_issues_nothing_twice() {
    let seed = std::env::var("CAIRN_KILL_SEED")
        .map_or_else(|_| u64::from_be_bytes(bytes(&SystemRandom)), |seed| seed.parse().unwrap());
    println!("CAIRN_KILL_SEED={seed}");
    let random = SeededRandom::new(seed);
    let rounds = std::env::var("CAIRN_KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let temper = match Form::chosen().unwrap() {
        Form::Dev | Form::Postgres => Temper::Patient,
        // The front end may be there before those behind it.
        Form::Split => Temper::Forbearing,
    };

    let mut cairn = block_in_place(|| Cairn::under_test().unwrap().start()).unwrap();
    let site = Site::new(&cairn.ready.directory, cairn.root_file().unwrap(), cairn.http_port(), temper)
        .await
        .unwrap();
    for round in 1..=rounds {
        let mut load = site.load(&format!("r{round}"), WORKERS);
        let more = FEWEST_REQUESTS + u64::from_be_bytes(bytes(&random)) % (MOST_REQUESTS - FEWEST_REQUESTS);
        load.requests(more).await.unwrap();
        let stopped = block_in_place(|| cairn.kill()).unwrap();
        cairn = block_in_place(|| stopped.start()).unwrap();
        load.stop().await.unwrap();
        println!("round {round}: killed after {more} requests; {}", site.told.summary());

        site.verify().await.unwrap();
        // Every worker has brought its orders to their end: nothing may be under way.
        let limits = Limits { processing: Duration::ZERO, given_up: temper == Temper::Forbearing };
        let given = site.told.certificates().unwrap();
        let report = invariants::check(&cairn.database(), limits, Some(&given)).unwrap();
        assert!(report.holds(), "{report}");
    }
    assert!(*site.told.given.borrow() > rounds, "there was hardly any load");
    block_in_place(|| cairn.stop()).unwrap();
}
