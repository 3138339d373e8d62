//! Kills the server under load, again and again, and looks whether anything that a client was told got lost or happened twice.
//!
//! What clients were told is in the [`ledger`]; [`worker`]s write it, who go on where they stood when the server is back, as a good
//! client does. After each round everything in it is asked for again, and the database is looked into with SQLite's own shell.
//!
//! ```sh
//! ./test-env/test kill
//! ```
//!
//! The moments of the kills follow from a seed that is printed; `CAIRN_KILL_SEED` sets it.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod ledger;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use cairn_core::random::{SeededRandom, SystemRandom, bytes};
use cairn_test_env::acme::Endpoint;
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::harness::Cairn;
use cairn_test_env::invariants::{self, Database, Limits};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;

use crate::ledger::Ledger;
use crate::worker::{Site, Worker};

const ROUNDS: u32 = 10;
const WORKERS: usize = 8;

/// After so many requests of a round the server is killed: some 7 make a certificate.
const FEWEST_REQUESTS: u64 = 100;
const MOST_REQUESTS: u64 = 1000;

/// Far longer than a round takes; it only ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_loses_nothing_and_issues_nothing_twice() {
    let seed = std::env::var("CAIRN_KILL_SEED")
        .map_or_else(|_| u64::from_be_bytes(bytes(&SystemRandom)), |seed| seed.parse().unwrap());
    println!("CAIRN_KILL_SEED={seed}");
    let random = SeededRandom::new(seed);

    let mut cairn = block_in_place(|| Cairn::dev().start()).unwrap();
    let roots = std::fs::read_to_string(cairn.root_file().unwrap()).unwrap();
    let site = Arc::new(Site {
        directory: cairn.ready.directory.clone(),
        endpoint: Arc::new(Endpoint::new(&cairn.ready.directory, &roots).unwrap()),
        responder: Responder::Http01(Arc::new(Http01::start(cairn.http_port()).await.unwrap())),
        ledger: Ledger::default(),
        meter: watch::Sender::new(0),
    });

    for round in 1..=ROUNDS {
        let (stop, stopping) = watch::channel(false);
        let mut workers = JoinSet::new();
        for number in 0..WORKERS {
            let worker = Worker::new(Arc::clone(&site), format!("r{round}.w{number}"), stopping.clone());
            workers.spawn(worker.work_until_stopped());
        }
        let so_far = *site.meter.borrow();
        let more = FEWEST_REQUESTS + u64::from_be_bytes(bytes(&random)) % (MOST_REQUESTS - FEWEST_REQUESTS);
        let mut meter = site.meter.subscribe();
        timeout(PATIENCE, meter.wait_for(|sent| *sent >= so_far + more)).await.unwrap().unwrap();

        let stopped = block_in_place(|| cairn.kill()).unwrap();
        cairn = block_in_place(|| stopped.start()).unwrap();
        // Each worker still brings to its end what it has begun.
        stop.send(true).unwrap();
        while let Some(ended) = timeout(PATIENCE, workers.join_next()).await.unwrap() {
            ended.unwrap();
        }
        println!("round {round}: killed after {more} requests; {}", site.ledger.summary());

        worker::verify(&site).await;
        let database = Database::Sqlite(cairn.data_dir().join("cairn.db"));
        // Every worker has brought its orders to their end: nothing may be under way.
        let limits = Limits { processing: Duration::ZERO };
        let report = invariants::check(&database, limits, Some(&site.ledger.certificates())).unwrap();
        assert!(report.holds(), "{report}");
    }
    assert!(site.ledger.certificates().len() > usize::try_from(ROUNDS).unwrap(), "there was hardly any load");
    block_in_place(|| cairn.stop()).unwrap();
}
