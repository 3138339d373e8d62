//! A split Cairn and its clients.

use std::sync::Arc;
use std::time::Duration;

use cairn_core::random::{SeededRandom, SystemRandom, bytes};
use cairn_test_env::invariants::{self, Limits};
use cairn_test_env::load::{Site, Temper};
use cairn_test_env::split::{Layout, Split};
use cairn_test_env::wait;
use tokio::task::block_in_place;

/// Rounds for each role; `CAIRN_SPLIT_ROUNDS` sets another number.
const ROUNDS: u64 = 10;

/// How long what a lost process has left may wait to be taken up.
const TAKEN_UP: Duration = Duration::from_secs(120);

pub(crate) const WORKERS: usize = 8;

pub(crate) struct World {
    pub(crate) split: Split,
    pub(crate) site: Arc<Site>,
    random: SeededRandom,
}

/// Two processes of each role.
pub(crate) fn two_of_each() -> Layout {
    Layout::split(2)
}

impl World {
    pub(crate) async fn new(layout: Layout, temper: Temper) -> Self {
        let seed = std::env::var("CAIRN_SPLIT_SEED")
            .map_or_else(|_| u64::from_be_bytes(bytes(&SystemRandom)), |seed| seed.parse().unwrap());
        println!("CAIRN_SPLIT_SEED={seed}");
        let split = block_in_place(|| Split::start(&layout)).unwrap();
        let site =
            Site::new(&split.directory(), &split.root_file(), split.http_port(), temper).await.unwrap();
        Self { split, site, random: SeededRandom::new(seed) }
    }

    /// A number from `fewest` to below `most`.
    pub(crate) fn between(&self, fewest: u64, most: u64) -> u64 {
        fewest + u64::from_be_bytes(bytes(&self.random)) % (most - fewest)
    }

    /// All clients are done: what they were told is so, nothing is wrong in the database, and nothing is under way any more.
    pub(crate) async fn verify(&self) {
        self.site.verify().await.unwrap();
        let given = self.site.told.certificates().unwrap();
        let check = |processing| {
            let limits = Limits { processing, given_up: true };
            invariants::check(&self.split.database(), limits, Some(&given)).unwrap()
        };
        let report = block_in_place(|| check(TAKEN_UP));
        assert!(report.holds(), "{report}");
        // What was begun for nobody, since its client was told that it failed, ends too.
        let settled = || Ok(check(Duration::ZERO).holds().then_some(()));
        block_in_place(|| wait::until("everything to come to its end", TAKEN_UP, settled)).unwrap();
    }

    pub(crate) fn end(self) {
        block_in_place(|| self.split.stop()).unwrap();
    }
}

pub(crate) fn rounds() -> u64 {
    std::env::var("CAIRN_SPLIT_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap())
}
