//! Chance that can be had again.

use cairn_core::random::{Random, SeededRandom, SystemRandom, bytes};

pub(crate) struct Chance(SeededRandom);

impl Chance {
    /// Of the seed that the environment gives, or of a new one, which is printed.
    pub(crate) fn of_the_day() -> Self {
        let seed = std::env::var("CAIRN_HISTORY_SEED")
            .map_or_else(|_| u64::from_be_bytes(bytes(&SystemRandom)), |seed| seed.parse().unwrap());
        println!("CAIRN_HISTORY_SEED={seed}");
        Self(SeededRandom::new(seed))
    }

    /// At least `least`, and less than `end`.
    pub(crate) fn within(&self, least: u64, end: u64) -> u64 {
        let random: &dyn Random = &self.0;
        least + u64::from_be_bytes(bytes(random)) % (end - least)
    }

    /// One of these.
    pub(crate) fn one<'a, T>(&self, of: &'a [T]) -> &'a T {
        let number = self.within(0, u64::try_from(of.len()).unwrap());
        &of[usize::try_from(number).unwrap()]
    }
}
