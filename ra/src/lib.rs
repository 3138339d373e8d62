//! The Registration Authority: the one service that decides what an account may do, and does it (RFC 8555 §7.3 to §7.6).
//!
//! Each deed has a file named after it: `accounts`, `orders`, `validation`, `finalize`, `revocation`; what operators do, `admin`,
//! `selection` and `incidents`. What takes long (validating,
//! issuing) runs as a task of its own, bounded in number, on the tracker that shutdown waits for; the client gets an answer after
//! a moment, with the outcome if the task was quick. What a process began and did not end, because it was killed, the `sweeper` of
//! the next one ends, or of another one that works on the same storage (`lease`): a client that polls always reaches a final state.
//!
//! The front end has authenticated the account; that an object is the account's own is checked here, and an object of another
//! account looks like one that does not exist. A CSR ends its way here: the certificate authority gets a key and names.

mod config;

mod accounts;
mod finalize;
mod listener;
mod orders;
mod revocation;
mod validation;

mod admin;
mod incidents;
mod selection;

mod lease;
mod sweeper;
mod upkeep;

mod audit;
mod in_flight;
mod metrics;
mod retry;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::ra::{
    FinalizeOrderRequest, NewAccountRequest, NewAccountResponse, NewOrderRequest, PerformValidationRequest,
    RevokeCertificateRequest,
};
use cairn_core::api::{
    CertificateAuthority, ListenerCertificates, PolicyAuthority, RegistrationAuthority, StorageAuthority,
    ValidationAuthority,
};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, Clock, Error, ErrorKind, Identifier, OrderId,
    OrderWithAuthorizations, Random, Result, WorkerId,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

pub use crate::config::{Config, ConfigError};
pub use crate::metrics::METRICS;
pub use crate::sweeper::Orphans;

use crate::in_flight::InFlight;
use crate::lease::Lease;

/// What the registration authority stands on. All of it is shared, and cheap to clone.
#[derive(Clone)]
pub struct Deps {
    /// Remembers.
    pub sa: Arc<dyn StorageAuthority>,
    /// Knows the policy.
    pub pa: Arc<dyn PolicyAuthority>,
    /// Validates challenges.
    pub va: Arc<dyn ValidationAuthority>,
    /// Signs.
    pub ca: Arc<dyn CertificateAuthority>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The names under which clients reach the front end: its own certificate is for these. None, and it gets no certificate.
    pub listener_names: Vec<Identifier>,
    /// Ids and tokens.
    pub random: Arc<dyn Random>,
    /// Validations, issuances and the sweeper run on it: shutdown waits for it.
    pub tracker: TaskTracker,
    /// Cancelled when shutdown begins: from then on nobody asks for more, and what was asked for is finished.
    pub shutdown: CancellationToken,
}

/// The registration authority. Clones are the same one: its tasks hold one each.
#[derive(Clone)]
pub struct Ra {
    config: Arc<Config>,
    deps: Deps,
    /// Whose work it is that this process begins.
    worker: WorkerId,
    /// Whether others that work on the same storage know of this one.
    lease: Lease,
    /// One permit for each validation that may run.
    validations: Arc<Semaphore>,
    /// One permit for each issuance that may run.
    issuances: Arc<Semaphore>,
    /// The authorizations that a task of this process is validating.
    validating: InFlight<AuthorizationId>,
    /// The orders that a task of this process is issuing for.
    issuing: InFlight<OrderId>,
    /// Rung when there is something to do that is otherwise done by the clock.
    upkeep: Arc<Notify>,
}

impl Ra {
    /// A registration authority that decides by `config`.
    pub fn new(config: Config, deps: Deps) -> Result<Self, ConfigError> {
        config.validate()?;
        metrics::permits(config.max_validations, config.max_issuances);
        Ok(Self {
            validations: Arc::new(Semaphore::new(config.max_validations)),
            issuances: Arc::new(Semaphore::new(config.max_issuances)),
            validating: InFlight::shown_by(&metrics::HANDLES.validations_in_progress),
            issuing: InFlight::shown_by(&metrics::HANDLES.issuances_in_progress),
            worker: WorkerId::new(deps.clock.now(), deps.random.as_ref()),
            lease: Lease::unneeded(),
            upkeep: Arc::new(Notify::new()),
            config: Arc::new(config),
            deps,
        })
    }

    /// Runs a deed of several steps to its end, even if its caller goes away in the middle: a client that hangs up must not leave an
    /// order marked as processing with nobody at work on it.
    async fn to_the_end<T: Send + 'static>(
        &self,
        deed: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let task = self.deps.tracker.spawn(deed.in_current_span());
        task.await.unwrap_or_else(|panic| Err(Error::internal("The request failed; try again.", panic)))
    }

    /// Leave to begin one more task that `permits` bounds. Also during shutdown: the listeners are closed by then, and what still comes
    /// had been asked before.
    fn permit(&self, permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
        self.lease.check()?;
        let busy = |_| Error::new(ErrorKind::Unavailable, "the CA is busy; try again in a moment");
        Arc::clone(permits).try_acquire_owned().map_err(busy)
    }
}

impl fmt::Debug for Ra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ra").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The same answer for what does not exist and for what is another's (RFC 8555 §10.5).
fn not_found(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no such {what}"))
}

#[async_trait]
impl RegistrationAuthority for Ra {
    async fn new_account(&self, request: NewAccountRequest) -> Result<NewAccountResponse> {
        accounts::new_account(self, request).await
    }

    async fn update_account(&self, account: AccountId, contact: Vec<String>) -> Result<Account> {
        accounts::update_account(self, account, contact).await
    }

    async fn deactivate_account(&self, account: AccountId) -> Result<Account> {
        accounts::deactivate_account(self, account).await
    }

    async fn new_order(&self, request: NewOrderRequest) -> Result<OrderWithAuthorizations> {
        orders::new_order(self, request).await
    }

    async fn perform_validation(&self, request: PerformValidationRequest) -> Result<Authorization> {
        self.lease.begun().await;
        let ra = self.clone();
        self.to_the_end(async move { validation::perform_validation(&ra, request).await }).await
    }

    async fn deactivate_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<Authorization> {
        validation::deactivate_authorization(self, account, authorization).await
    }

    async fn finalize_order(&self, request: FinalizeOrderRequest) -> Result<OrderWithAuthorizations> {
        self.lease.begun().await;
        let ra = self.clone();
        self.to_the_end(async move { finalize::finalize_order(&ra, request).await }).await
    }

    async fn revoke_certificate(&self, request: RevokeCertificateRequest) -> Result<()> {
        revocation::revoke_certificate(self, request).await
    }
}

#[async_trait]
impl ListenerCertificates for Ra {
    async fn listener_certificate(&self, public_key: Vec<u8>) -> Result<IssuedCertificate> {
        listener::certificate(self, public_key).await
    }
}
