//! How several registration authorities share one storage. What one works on bears its id ([`WorkerId`](cairn_core::WorkerId)) and
//! is left alone by the others as long as it gives signs of life; when it has been silent for the length of a lease, they take over
//! what it left (see the `sweeper`).
//!
//! A lease decides who looks after a thing and nothing more. A process that was only stalled and goes on when others have taken its
//! work does no harm: every change is guarded in the storage by the status that it starts from, and nothing is signed for an order
//! that is not being issued any more. So the clocks of the processes need only agree to well below a lease.

use std::sync::Arc;
use std::time::Duration;

use cairn_core::{Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::Ra;

/// How long after shutdown began what was asked before may still come: longer than listeners let a client finish its request.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// How long what is asked for right after the start waits for the first sign of life: it takes one write, and is far less than callers wait.
const FIRST_SIGN: Duration = Duration::from_secs(5);

/// Whether the others know that this process lives; `None` before its first sign of life. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Lease(Arc<watch::Sender<Option<bool>>>);

impl Lease {
    /// A process that has no others beside it needs none.
    pub(crate) fn unneeded() -> Self {
        Self(Arc::new(watch::Sender::new(Some(true))))
    }

    pub(crate) fn set(&self, held: bool) {
        self.0.send_replace(Some(held));
    }

    /// The first sign of life is yet to be given.
    pub(crate) fn begin(&self) {
        self.0.send_replace(None);
    }

    /// Waits for the first sign of life. Others may find a process that has just begun before its storage has heard of it.
    pub(crate) async fn begun(&self) {
        let mut held = self.0.subscribe();
        // Whether it was given, `check` says.
        let _given = timeout(FIRST_SIGN, held.wait_for(Option::is_some)).await;
    }

    /// Leave to begin work that others would otherwise take for left undone.
    pub(crate) fn check(&self) -> Result<()> {
        if *self.0.borrow() == Some(true) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "the CA is not ready yet; try again in a moment"))
    }
}

impl Ra {
    /// Says that this process lives.
    pub(crate) async fn heartbeat(&self) -> Result<()> {
        self.deps.sa.heartbeat(self.worker, self.deps.clock.now()).await?;
        self.lease.set(true);
        Ok(())
    }

    /// Keeps the lease until all work has ended after shutdown began, and gives it up then: what was left undone all the same,
    /// others can take at once.
    pub(crate) async fn keep_lease(self, sweeper: JoinHandle<()>) {
        let all_ended = self.all_ended(sweeper);
        tokio::pin!(all_ended);
        let mut held_at = Instant::now();
        loop {
            match self.heartbeat().await {
                Ok(()) => held_at = Instant::now(),
                Err(error) => {
                    tracing::warn!(%error, "a sign of life could not be stored; the next one is tried soon");
                    // Others are about to take what is begun now.
                    if held_at.elapsed() > self.config.lease.duration() / 2 {
                        self.lease.set(false);
                    }
                }
            }
            tokio::select! {
                () = &mut all_ended => break,
                () = sleep(self.config.heartbeat_interval.duration()) => {}
            }
        }
        if let Err(error) = self.deps.sa.retire(self.worker).await {
            tracing::warn!(%error, "the lease could not be given up; what is left is taken when it has run out");
        }
    }

    /// Waits for shutdown and then for every task that works on something: nothing new is begun, and each that runs has a permit.
    async fn all_ended(&self, sweeper: JoinHandle<()>) {
        self.deps.shutdown.cancelled().await;
        // It has nothing to say, even if it panicked.
        let _ended = sweeper.await;
        // Who takes all permits leaves none for what was asked before the end and is only now begun.
        sleep(LAST_REQUESTS).await;
        for (permits, count) in
            [(&self.validations, self.config.max_validations), (&self.issuances, self.config.max_issuances)]
        {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            // Fails only when the semaphore is closed, which nobody does.
            let _all = permits.acquire_many(count).await;
        }
    }
}
