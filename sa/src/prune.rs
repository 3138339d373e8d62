//! Letting go of what ended long ago, so that no table grows for ever.
//!
//! What may go when is [`Keep`]'s to say; what may never go before what else is the engines', in their `prune` files:
//!
//! - an order, whatever became of it, unless it is being issued;
//! - an authorization, when every order that is kept was placed after its end: then none of them names it, since orders are placed
//!   with authorizations that last longer than that moment;
//! - a certificate, when its order is gone; its intent goes with it, and so does what says which order replaces it and which incidents it
//!   is part of. An intent without a certificate stays: what it tells of may have
//!   been signed.
//!
//! Accounts and blocked keys stay for ever: an account's key must not get a second account, nor a blocked key a certificate.
//!
//! Rows go in small batches, oldest first, each in a transaction of its own, and with a pause in between. Where several processes do
//! this on one database, each passes over what another has in hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cairn_core::{Clock, Result, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Keep;
use crate::metrics::PRUNED;

/// Rows of a table in one batch: so few that it takes milliseconds, for which SQLite's one writer does nothing else.
pub(crate) const BATCH: i64 = 100;

/// How fast it goes.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Between two batches: so a backlog takes a fraction of the disk's time, and still a thousand rows of each table go in a second.
    pause: Duration,
    /// Between two rounds. What is kept for months may be kept for some minutes more.
    every: Duration,
}

const PACE: Pace = Pace { pause: Duration::from_millis(100), every: Duration::from_secs(10 * 60) };

/// What ended before these moments may go; where there is none, nothing may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Of orders and authorizations.
    pub orders: Option<Timestamp>,
    /// Of certificates.
    pub certificates: Option<Timestamp>,
}

/// How many rows went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Orders.
    pub orders: u64,
    /// Authorizations.
    pub authorizations: u64,
    /// Certificates, each with its intent.
    pub certificates: u64,
}

impl Pruned {
    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// A storage that can let go.
#[async_trait]
pub trait Prune: Send + Sync {
    /// Lets one batch of each table go, of what may.
    async fn prune(&self, ends: Ends) -> Result<Pruned>;
}

/// Lets go of what is no longer to be kept, now and every few minutes, until told to stop.
pub async fn keep_pruned(
    storage: Arc<dyn Prune>,
    keep: Keep,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    keep_pruned_at(PACE, storage, keep, clock, stop).await;
}

async fn keep_pruned_at(
    pace: Pace,
    storage: Arc<dyn Prune>,
    keep: Keep,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    loop {
        let ends = keep.ends(clock.now());
        let round = async {
            while !batch(storage.as_ref(), ends).await.is_nothing() {
                sleep(pace.pause).await;
            }
            sleep(pace.every).await;
        };
        if stop.run_until_cancelled(round).await.is_none() {
            return;
        }
    }
}

/// One batch; nothing, if it failed: the next round tries again.
async fn batch(storage: &dyn Prune, ends: Ends) -> Pruned {
    match storage.prune(ends).await {
        Ok(pruned) => {
            PRUNED.went(pruned);
            pruned
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "old rows could not be deleted");
            Pruned::default()
        }
    }
}

/// Where the keys begin that were made at `end`: ids have their second in front, in 32 bits.
pub(crate) fn first_id(end: Timestamp) -> [u8; 4] {
    u32::try_from(end.unix().max(0)).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use cairn_core::time::FakeClock;
    use cairn_core::{Error, ErrorKind};

    use super::*;
    use crate::config::Config;

    /// Has so many batches to let go of.
    struct Backlog {
        batches: AtomicU64,
        stop: CancellationToken,
    }

    #[async_trait]
    impl Prune for Backlog {
        async fn prune(&self, ends: Ends) -> Result<Pruned> {
            assert_eq!(ends, Config::default().keep.ends(Timestamp::from_unix(1_800_000_000)));
            let orders = self.batches.fetch_sub(1, Ordering::Relaxed);
            if orders == 1 {
                self.stop.cancel();
                std::future::pending::<()>().await;
            }
            // A failure ends a round, and not the loop.
            if orders == 2 {
                Err(Error::new(ErrorKind::Unavailable, "busy"))
            } else {
                Ok(Pruned { orders, ..Pruned::default() })
            }
        }
    }

    #[tokio::test]
    async fn rounds_go_on_until_told_to_stop() {
        let stop = CancellationToken::new();
        let backlog = Arc::new(Backlog { batches: AtomicU64::new(4), stop: stop.clone() });
        let clock = Arc::new(FakeClock::new(Timestamp::from_unix(1_800_000_000)));
        let pace = Pace { pause: Duration::ZERO, every: Duration::ZERO };
        keep_pruned_at(pace, backlog.clone(), Config::default().keep, clock, stop).await;
        assert_eq!(backlog.batches.load(Ordering::Relaxed), 0);
    }
}
