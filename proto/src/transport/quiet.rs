//! Keeps a log from being flooded with one sentence.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long the same thing is not said again. Peers that are refused or down try again every few seconds.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// How many things are remembered; beyond them, new ones are not said either.
const MAX_KEYS: usize = 1024;

/// Remembers what was said.
#[derive(Debug)]
pub(super) struct Quiet<K>(Mutex<HashMap<K, Instant>>);

impl<K: Hash + Eq> Quiet<K> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Whether `key` may be said now: it was not within the last minute.
    pub(super) fn may_say(&self, key: K) -> bool {
        self.may_say_at(key, Instant::now())
    }

    fn may_say_at(&self, key: K, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |at: &Instant| now.duration_since(*at) >= REPEAT_AFTER;
        if said.get(&key).is_some_and(|at| !old(at)) {
            return false;
        }
        if said.len() >= MAX_KEYS {
            said.retain(|_, at| !old(at));
        }
        let room = said.len() < MAX_KEYS;
        if room {
            said.insert(key, now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_is_said_once_a_minute() {
        let (quiet, now) = (Quiet::new(), Instant::now());
        assert!(quiet.may_say_at("a", now) && !quiet.may_say_at("a", now) && quiet.may_say_at("b", now));
        let later = now + REPEAT_AFTER;
        assert!(quiet.may_say_at("a", later) && !quiet.may_say_at("a", later));
    }

    #[test]
    fn memory_is_bounded() {
        let (quiet, now) = (Quiet::new(), Instant::now());
        assert!((0..MAX_KEYS).all(|key| quiet.may_say_at(key, now)));
        assert!(!quiet.may_say_at(MAX_KEYS, now));
        assert!(quiet.may_say_at(MAX_KEYS, now + REPEAT_AFTER));
    }
}
