//! A split Cairn and its clients.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use cairn_core::random::{SeededRandom, SystemRandom, bytes};
use cairn_test_env::invariants::{self, Limits};
use cairn_test_env::load::{Site, Temper, Trouble};
use cairn_test_env::split::{Layout, Split};
use tokio::task::block_in_place;

/// Rounds of a story that is told again and again; `CAIRN_SPLIT_ROUNDS` sets another number.
const ROUNDS: u64 = 10;

/// How long what a lost process has left may wait to be taken up.
const TAKEN_UP: Duration = Duration::from_secs(120);

pub(crate) const WORKERS: usize = 8;

/// What one harm may cost at most. A client waits for one answer at a time, and has one order under way: so often it can be told to come
/// back, and so often it can lose what was in the hands of the one that is gone. Afterwards the dead peer is known to be, and left out.
pub(crate) const ONE_HARM: Trouble = times(1);

/// What so many harms may cost at most. A connection of a client's own is no part of any of them.
pub(crate) const fn times(harms: u64) -> Trouble {
    let most = WORKERS as u64 * harms;
    Trouble { refused: most, failed: most, ..Trouble::NONE }
}

pub(crate) struct World {
    pub(crate) split: Split,
    pub(crate) site: Arc<Site>,
    random: SeededRandom,
    /// How many certificates had been given when the database was last looked at.
    looked_at: Cell<u64>,
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
        Self { split, site, random: SeededRandom::new(seed), looked_at: Cell::new(0) }
    }

    /// A number from `fewest` to below `most`.
    pub(crate) fn between(&self, fewest: u64, most: u64) -> u64 {
        fewest + u64::from_be_bytes(bytes(&self.random)) % (most - fewest)
    }

    /// Nothing is wrong in the database, whatever is under way at the moment. What was wrong once stays so: to look whenever the number of
    /// certificates has doubled finds it as well, and costs no more than the last look.
    pub(crate) fn check_now_and_then(&self) {
        let given = *self.site.told.given.borrow();
        if given >= 2 * self.looked_at.get() {
            self.looked_at.set(given);
            let given = self.site.told.certificates().unwrap();
            let limits = Limits { processing: TAKEN_UP, given_up: true };
            let report =
                block_in_place(|| invariants::check(&self.split.database(), limits, Some(&given))).unwrap();
            assert!(report.holds(), "{report}");
        }
    }

    /// All clients are done: what they were told is so, nothing is wrong in the database, and nothing is under way any more.
    pub(crate) async fn verify(&self) {
        self.site.verify().await.unwrap();
        let given = self.site.told.certificates().unwrap();
        block_in_place(|| invariants::settle(&self.split.database(), &given, TAKEN_UP)).unwrap();
    }

    /// Since `before`, clients have been refused and left without an answer no more often than in `most`; what they met. Orders that
    /// failed meanwhile may be those of a harm before: who takes them up waits a minute.
    pub(crate) fn met_at_once(&self, most: Trouble, before: Trouble) -> Trouble {
        self.met_at_most(Trouble { failed: u64::MAX, ..most }, before)
    }

    /// Since `before`, clients have met no more than `most`; what they met.
    pub(crate) fn met_at_most(&self, most: Trouble, before: Trouble) -> Trouble {
        let met = self.site.trouble() - before;
        assert!(met.is_within(most), "{met}; at most: {most}");
        met
    }

    pub(crate) fn end(self) {
        block_in_place(|| self.split.stop()).unwrap();
    }
}

pub(crate) fn rounds() -> u64 {
    std::env::var("CAIRN_SPLIT_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap())
}
