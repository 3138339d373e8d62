//! Ends what a process that was killed began: an order or an authorization must not stay in processing for ever (RFC 8555 §7.1.6
//! gives a client that polls nothing else to go by).

use cairn_core::api::ValidationResult;
use cairn_core::api::sa::{ProcessingOrder, RunningValidation};
use cairn_core::{
    AuthorizationProgress, AuthorizationStatus, Error, ErrorKind, Problem, ProblemType, Result, Timestamp,
};

use crate::finalize::ISSUANCE_LIMIT;
use crate::validation::{self, Validation};
use crate::{Ra, audit, finalize, metrics};

/// How many orders, and how many validations, one sweep ends: more wait for the next.
const BATCH: usize = 500;

/// How long an issuance may go on in another process after the one that asked for it has died or lost the connection, in
/// seconds: until then an order without a certificate may still get one, and is not given up.
const STILL_SIGNING: i64 = ISSUANCE_LIMIT.as_secs().cast_signed();

/// Later than any sign of life.
const END_OF_TIME: Timestamp = Timestamp::from_unix(i64::MAX);

/// What counts as left undone. What a task of this very process works on never does; what one began and did not end, as when it
/// panicked, always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// Everything. True when a process starts and is the only registration authority that works on its storage.
    All,
    /// What a worker has that gave no sign of life for the length of the configured `lease`.
    Silent,
}

impl Ra {
    /// Sweeps at once and then in the configured interval, and does what else is done by the clock ([`keep_up`](Self::keep_up)), on the tracker
    /// and until shutdown begins. `orphans` says whether the
    /// storage is this registration authority's alone (`All`), or others may work on it too (`Silent`): then this one gives signs of
    /// life, so that they leave its work alone, and begins none before they know of it.
    pub fn start_sweeper(&self, orphans: Orphans) {
        match orphans {
            Orphans::All => self.lease.set(true),
            Orphans::Silent => self.lease.begin(),
        }
        let ra = self.clone();
        let sweeper = self.deps.tracker.spawn(async move {
            ra.sweep_and_log(orphans).await;
            while !ra.shutdown_within_an_interval().await {
                ra.sweep_and_log(orphans).await;
            }
        });
        self.deps.tracker.spawn(self.clone().keep_up_until_shutdown());
        if orphans == Orphans::Silent {
            self.deps.tracker.spawn(self.clone().keep_lease(sweeper));
        }
    }

    pub(crate) async fn shutdown_within_an_interval(&self) -> bool {
        let interval = self.config.sweep_interval.duration();
        tokio::time::timeout(interval, self.deps.shutdown.cancelled()).await.is_ok()
    }

    async fn sweep_and_log(&self, orphans: Orphans) {
        let swept = self.sweep(orphans).await;
        metrics::sweep(swept.is_ok());
        if let Err(error) = swept {
            tracing::error!(%error, "sweeping failed; the next sweep tries again");
        }
    }

    /// Ends orders that were left in processing, and begins validations again that were left undone (they run on the tracker). One
    /// sweep takes a bounded number of each.
    ///
    /// # Errors
    /// Those of the storage, if it cannot say what was left. One that cannot be ended is logged, and stays for the next sweep.
    pub async fn sweep(&self, orphans: Orphans) -> Result<()> {
        let (silent_since, given_up) = match orphans {
            Orphans::All => (END_OF_TIME, END_OF_TIME),
            Orphans::Silent => {
                // Others must know who has what is taken now.
                self.heartbeat().await?;
                let now = self.deps.clock.now();
                (now.plus(-self.config.lease.seconds()), now.plus(-STILL_SIGNING))
            }
        };
        self.sweep_orders(silent_since, given_up).await?;
        self.sweep_validations(silent_since).await
    }

    /// Orders are given up if they were begun at `given_up` or before.
    async fn sweep_orders(&self, silent_since: Timestamp, given_up: Timestamp) -> Result<()> {
        // What this process works on comes too, may be among the oldest, and must not crowd orphans out.
        let limit = BATCH.saturating_add(self.issuing.count());
        for order in self.deps.sa.take_abandoned_orders(self.worker, silent_since, limit).await? {
            let id = order.id;
            if order.since > given_up {
                continue;
            }
            match self.end_order(order).await {
                // Who had it before has ended it in the meantime.
                Err(error) if error.kind == ErrorKind::Conflict => {}
                Err(error) => {
                    tracing::error!(order.id = %id, %error, "an order left in processing could not be ended")
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// An order ends together with the storing of its certificate; so this one has none, and is given up. From then on the storage takes no
    /// intent to sign one for it. (A process that was stalled between its intent and its signature may still store a certificate, which
    /// then no order leads to.)
    async fn end_order(&self, order: ProcessingOrder) -> Result<()> {
        let Some(_working) = self.issuing.begin(order.id) else { return Ok(()) };
        finalize::failed(self, order.id, finalize::nothing_issued()).await?;
        let cause = format!("left in processing since {}", order.since);
        audit::issuance_failed(order.id, &Error::internal("the order was not ended", cause));
        metrics::swept_order();
        Ok(())
    }

    async fn sweep_validations(&self, silent_since: Timestamp) -> Result<()> {
        let limit = BATCH.saturating_add(self.validating.count());
        for running in self.deps.sa.take_abandoned_validations(self.worker, silent_since, limit).await? {
            // Without a free slot, the rest waits for the next sweep of this process, whose it is now.
            let Ok(permit) = self.permit(&self.validations) else { break };
            let Some(working) = self.validating.begin(running.authorization.id) else { continue };
            let RunningValidation { authorization: authz, thumbprint } = running;
            let AuthorizationProgress::Validating { challenge, .. } = authz.progress else { continue };
            if authz.status(self.deps.clock.now()) == AuthorizationStatus::Expired {
                validation::end(self, authz, challenge, came_too_late()).await;
                continue;
            }
            metrics::swept_validation();
            let again = Validation { authz, challenge, thumbprint, permit, working };
            self.deps.tracker.spawn(validation::run(self.clone(), again));
        }
        Ok(())
    }
}

fn came_too_late() -> ValidationResult {
    let detail = "the authorization expired before its challenge could be validated; place a new order";
    ValidationResult { records: Vec::new(), problem: Some(Problem::new(ProblemType::ServerInternal, detail)) }
}
