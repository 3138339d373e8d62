//! Follows the revocations of the storage, so that nothing is given out from the cache that is not so any more.
//!
//! # Why nothing old is kept
//!
//! Every revocation has a place in the order in which revocations are committed, and whoever has read up to a place has missed nothing
//! below it. The front end reads from its place on, again and again, and drops what it hears of from the cache. What remains to be shown
//! is that no answer gets into the cache *after* that which was made *before*:
//!
//! 1. A question is entered in the cache, as one that is under way, before the certificate authority is asked.
//! 2. The certificate authority reads the status when it is asked, on the primary database.
//! 3. When a revocation is heard of, answers for its serial are dropped, and questions for it that are under way are spoiled. An answer
//!    to a spoiled question is not kept, and not even given out: the question is asked again.
//!
//! Let an answer "good" be kept. The status was read before the revocation was committed, so the question was entered before that too, and
//! the revocation was heard of after it: either while the question was under way, which spoils it, or after the answer was kept, which drops
//! it. That a question is entered before the front end knows its place is the one gap; answers to such are not kept.
//!
//! # How long an old answer is given out
//!
//! Until the next read after the revocation was acknowledged, which is [`EVERY`] later, and the time that it takes. While the storage cannot
//! be read, nothing is heard: when the last read that went well began more than [`PATIENCE`] ago, nothing is answered from the cache
//! until there is one again. The certificate authority is asked then, which looks itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cairn_core::api::PkiRead;
use cairn_core::api::pki::{MAX_REVOCATION_EVENTS, RevocationPosition};
use cairn_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::cache::Cache;
use crate::pki::metrics;

/// How often the storage is asked what was revoked: a lookup by key that mostly finds nothing.
const EVERY: Duration = Duration::from_millis(250);

/// For how long what is in the cache is believed when nothing is heard. A restart of a storage takes less; if every answer were signed
/// anew during one, a certificate authority would have its worst load when it starts again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long one read is waited for. Another way to the storage may be open when one hangs.
const LIMIT: Duration = Duration::from_secs(2);

/// The follower of revocations.
pub(super) struct Feed {
    published: Arc<dyn PkiRead>,
    cache: Arc<Cache>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Up to where revocations were heard of.
    place: Option<RevocationPosition>,
    /// When the last read began that went well.
    heard: Option<Instant>,
}

impl Feed {
    pub(super) fn new(published: Arc<dyn PkiRead>, cache: Arc<Cache>) -> Self {
        Self { published, cache, state: Mutex::default() }
    }

    /// Reads again and again.
    pub(super) async fn follow(&self) {
        let mut fails = false;
        loop {
            let began = Instant::now();
            let read = timeout(LIMIT, self.catch_up(began)).await;
            let read = read.unwrap_or_else(|_elapsed| {
                Err(Error::new(ErrorKind::Unavailable, "the storage does not answer"))
            });
            match &read {
                Ok(()) if fails => info!("revocations can be followed again"),
                Err(error) if !fails => warn!(
                    %error,
                    "revocations cannot be followed; soon no OCSP answer is taken from memory until they can"
                ),
                _ => {}
            }
            fails = read.is_err();
            metrics::ocsp_cache(self.cache.len(), self.silence(Instant::now()));
            sleep_until(began + EVERY).await;
        }
    }

    /// Hears of all that is new, in a read that began then.
    pub(super) async fn catch_up(&self, began: Instant) -> Result<()> {
        let Some(mut place) = self.place() else {
            let place = self.published.revocation_position().await?;
            self.heard(place, Some(began));
            return Ok(());
        };
        loop {
            let events = self.published.revocations_after(place, MAX_REVOCATION_EVENTS).await?;
            for event in &events {
                self.cache.forget(event.serial.as_bytes());
                place = place.max(event.position);
            }
            let is_all = events.len() < MAX_REVOCATION_EVENTS;
            self.heard(place, is_all.then_some(began));
            if is_all {
                return Ok(());
            }
        }
    }

    /// Whether it is known from where on revocations are followed.
    pub(super) fn has_begun(&self) -> bool {
        self.place().is_some()
    }

    /// Whether what is in the cache may be given out.
    pub(super) fn is_followed(&self) -> bool {
        self.is_followed_at(Instant::now())
    }

    pub(super) fn is_followed_at(&self, now: Instant) -> bool {
        self.silence(now).is_some_and(|silence| silence <= PATIENCE)
    }

    /// For how long nothing was heard; `None` if nothing ever was.
    fn silence(&self, now: Instant) -> Option<Duration> {
        self.lock().heard.map(|heard| now.saturating_duration_since(heard))
    }

    fn place(&self) -> Option<RevocationPosition> {
        self.lock().place
    }

    fn heard(&self, place: RevocationPosition, at: Option<Instant>) {
        let mut state = self.lock();
        state.place = Some(place);
        state.heard = at.or(state.heard);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // What is under the lock is whole after each step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
