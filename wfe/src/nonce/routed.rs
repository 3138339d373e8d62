//! Nonces of several front ends behind one name: whichever is handed a nonce asks the one that its prefix names.
//!
//! The table of prefixes is read anew from time to time, and when a nonce has a prefix that is not in it: a front end that has just
//! been started is found by its first nonce. Since anybody can invent prefixes, one reading serves all that wait, and none follows
//! another too soon: until then an unknown prefix costs a look into the table and is refused.
//!
//! Whatever goes wrong with a peer, the client hears `badNonce` and tries again with a nonce of ours.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cairn_core::api::{NoncePeer, NoncePeers, NoncePrefix, NonceService};
use cairn_core::{Error, ErrorKind, Result};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::Nonces;

/// How often, and how long.
#[derive(Clone, Copy)]
struct Pace {
    /// Between two readings of the table, whoever asks. What a flood of invented prefixes can cause is four readings a second.
    pause: Duration,
    /// Between two readings when nobody asks: so that the table forgets who is gone.
    interval: Duration,
    /// For one answer of a peer. In one network it takes a millisecond; a client waits longer for a retry than this.
    patience: Duration,
}

const PACE: Pace = Pace {
    pause: Duration::from_millis(250),
    interval: Duration::from_secs(10),
    patience: Duration::from_secs(1),
};

/// More front ends than anybody runs; a discovery that finds more is wrong.
const MAX_PEERS: usize = 256;
/// How many peers are asked for their prefix at a time.
const ASKED_AT_ONCE: usize = 16;
/// Characters of a nonce that a peer is troubled with: ours have 40, and another version's need not.
const MAX_LENGTH: usize = 64;

/// The nonces of this front end, and the way to its peers'.
pub struct RoutedNonces {
    own: Arc<Nonces>,
    peers: Arc<dyn NoncePeers>,
    pace: Pace,
    /// Written by [`Self::keep_current`]; a request takes a route out that led nowhere.
    table: watch::Sender<Table>,
    /// Somebody waits for a reading of the table.
    wanted: Notify,
}

/// Who has which prefix.
#[derive(Default)]
struct Table {
    routes: HashMap<NoncePrefix, NoncePeer>,
    /// How many readings have ended.
    readings: u64,
    /// When the last one did.
    read_at: Option<Instant>,
}

impl RoutedNonces {
    /// Knows no peer yet; [`Self::keep_current`] finds them.
    pub fn new(own: Arc<Nonces>, peers: Arc<dyn NoncePeers>) -> Self {
        Self::with_pace(own, peers, PACE)
    }

    fn with_pace(own: Arc<Nonces>, peers: Arc<dyn NoncePeers>, pace: Pace) -> Self {
        Self { own, peers, pace, table: watch::Sender::default(), wanted: Notify::new() }
    }

    /// Reads the table of prefixes now, from time to time, and when a nonce has an unknown one. Never ends: to be run for as long as
    /// requests are answered.
    pub async fn keep_current(&self) {
        loop {
            self.read_table().await;
            // Who asked until here has the answer.
            let _ = self.wanted.notified().now_or_never();
            sleep(self.pace.pause).await;
            let _ = timeout(self.pace.interval, self.wanted.notified()).await;
        }
    }

    async fn read_table(&self) {
        let peers = match self.answer(self.peers.peers()).await {
            Ok(peers) => peers,
            Err(error) => {
                warn!(%error, "the other front ends cannot be looked up; their nonces are taken to those known before");
                self.table.send_modify(|table| table.reading_ended());
                return;
            }
        };
        let mut answers = stream::iter(peers.into_iter().take(MAX_PEERS))
            .map(|peer| async move { (self.answer(peer.owner.prefix()).await, peer) })
            .buffer_unordered(ASKED_AT_ONCE);
        let mut routes = HashMap::new();
        while let Some((prefix, peer)) = answers.next().await {
            match prefix {
                Ok(prefix) if self.own.is_ours(prefix) => {}
                Ok(prefix) => {
                    routes.insert(prefix, peer.clone());
                    // At once, so that nobody who waits for this peer waits for a slower one too.
                    self.table.send_modify(|table| drop(table.routes.insert(prefix, peer)));
                }
                Err(error) => debug!(peer = peer.address, %error, "a front end does not answer"),
            }
        }
        self.table.send_modify(|table| {
            table.routes = routes;
            table.reading_ended();
        });
    }

    /// Who has this prefix, if anybody.
    async fn peer(&self, prefix: NoncePrefix) -> Option<NoncePeer> {
        let readings = {
            let table = self.table.borrow();
            if let Some(peer) = table.routes.get(&prefix) {
                return Some(peer.clone());
            }
            if table.read_at.is_some_and(|at| at.elapsed() < self.pace.pause) {
                return None;
            }
            table.readings
        };
        let mut table = self.table.subscribe();
        self.wanted.notify_one();
        let found = table.wait_for(|table| table.readings > readings || table.routes.contains_key(&prefix));
        // A reading asks for the peers and then the peers themselves.
        let table = timeout(self.pace.patience * 2, found).await.ok()?.ok()?;
        table.routes.get(&prefix).cloned()
    }

    /// Takes out a route that led nowhere, so that the next nonce does not wait for the same peer.
    fn forget(&self, prefix: NoncePrefix) {
        // Not a change that anybody waits for.
        self.table.send_if_modified(|table| {
            table.routes.remove(&prefix);
            false
        });
    }

    async fn answer<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        let late = || Error::new(ErrorKind::Unavailable, "No answer in time.");
        timeout(self.pace.patience, question).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Table {
    fn reading_ended(&mut self) {
        self.readings += 1;
        self.read_at = Some(Instant::now());
    }
}

#[async_trait]
impl NonceService for RoutedNonces {
    async fn nonce(&self) -> Result<String> {
        self.own.nonce().await
    }

    async fn redeem(&self, nonce: &str) -> Result<bool> {
        let Some(prefix) = NoncePrefix::of(nonce).filter(|_| nonce.len() <= MAX_LENGTH) else {
            return Ok(false);
        };
        if self.own.is_ours(prefix) {
            return Ok(self.own.use_up(nonce));
        }
        let Some(peer) = self.peer(prefix).await else { return Ok(false) };
        match self.answer(peer.owner.redeem_own(nonce)).await {
            Ok(redeemed) => Ok(redeemed),
            Err(error) => {
                warn!(peer = peer.address, %error, "a front end did not say whether its nonce is good");
                self.forget(prefix);
                Ok(false)
            }
        }
    }
}

impl fmt::Debug for RoutedNonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoutedNonces")
    }
}

#[cfg(test)]
mod tests;
