//! Any engine, with each call counted, timed and traced: what its callers wait for, whichever engine it is.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use async_trait::async_trait;
use cairn_core::api::pki::{PkiRead, RevocationEvent, RevocationPosition};
use cairn_core::api::sa::{
    CertificateStore, Intent, NewCertificate, NewOrder, NewRevocation, ProcessingOrder, RunningValidation,
    StorageAuthority, StorageRead, SubjectKey,
};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, AuthorizationProgress, CaCertificate,
    CertificateRecord, CertificateStatus, ChallengeType, Identifier, OrderId, OrderWithAuthorizations,
    Problem, Result, Serial, Thumbprint, Timestamp, WorkerId,
};

use tracing::{Instrument, debug_span};

use crate::metrics::Call;

/// An engine whose calls are measured.
pub struct Measured<S>(Arc<S>);

impl<S> Measured<S> {
    /// Measures the calls of `engine`.
    pub fn new(engine: Arc<S>) -> Self {
        Self(engine)
    }
}

/// Writes a trait's methods: each calls the engine's, and measures under its own name.
macro_rules! measured {
    ($(impl $trait:ident { $(fn $method:ident($($argument:ident: $type:ty),*) -> $result:ty;)* })*) => {$(
        #[async_trait]
        impl<S: $trait> $trait for Measured<S> {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$result> {
                static CALL: LazyLock<Call> = LazyLock::new(|| Call::new(stringify!($method)));
                let began = Instant::now();
                let span = debug_span!(concat!("sa.", stringify!($method)));
                let result = self.0.$method($($argument),*).instrument(span).await;
                CALL.ended(&result, began);
                result
            })*
        }
    )*};
}

measured! {
    impl StorageRead {
        fn account(id: AccountId) -> Option<Account>;
        fn account_by_key(thumbprint: Thumbprint) -> Option<Account>;
        fn order(id: OrderId) -> Option<OrderWithAuthorizations>;
        fn authorization(id: AuthorizationId) -> Option<Authorization>;
        fn certificate(serial: &Serial) -> Option<CertificateRecord>;
        fn ca_certificates() -> Vec<CaCertificate>;
        fn ping() -> ();
    }
    impl CertificateStore {
        fn record_intent(intent: Intent) -> ();
        fn add_certificate(certificate: NewCertificate) -> bool;
        fn record_ca_certificates(certificates: Vec<CaCertificate>) -> ();
        fn certificate_statuses(serials: &[Serial]) -> Vec<Option<CertificateStatus>>;
    }
    impl PkiRead {
        fn revocation_position() -> RevocationPosition;
        fn revocations_after(position: RevocationPosition, limit: usize) -> Vec<RevocationEvent>;
        fn published_ca_certificates() -> Vec<CaCertificate>;
    }
    impl StorageAuthority {
        fn new_account(account: Account) -> Option<Account>;
        fn set_contact(account: AccountId, contact: Vec<String>) -> Account;
        fn deactivate_account(account: AccountId) -> Account;
        fn revoke_account(account: AccountId) -> Account;
        fn order_for_identifiers(account: AccountId, identifiers: &[Identifier], profile: &str, until: Timestamp)
            -> Option<OrderWithAuthorizations>;
        fn valid_authorizations(account: AccountId, identifiers: &[Identifier], until: Timestamp)
            -> Vec<Option<Authorization>>;
        fn new_order_and_authorizations(new: NewOrder) -> ();
        fn set_authorization_processing(authorization: AuthorizationId, challenge: ChallengeType, worker: WorkerId,
            at: Timestamp) -> Thumbprint;
        fn finalize_authorization(authorization: AuthorizationId, progress: AuthorizationProgress, expires: Timestamp)
            -> ();
        fn deactivate_authorization(authorization: AuthorizationId, at: Timestamp) -> Authorization;
        fn set_order_processing(order: OrderId, key: SubjectKey, worker: WorkerId, at: Timestamp) -> ();
        fn set_order_error(order: OrderId, problem: Problem) -> ();
        fn heartbeat(worker: WorkerId, at: Timestamp) -> ();
        fn retire(worker: WorkerId) -> ();
        fn take_abandoned_orders(worker: WorkerId, silent_since: Timestamp, limit: usize) -> Vec<ProcessingOrder>;
        fn take_abandoned_validations(worker: WorkerId, silent_since: Timestamp, limit: usize)
            -> Vec<RunningValidation>;
        fn revoke_certificate(revocation: NewRevocation) -> ();
        fn block_key(spki_sha256: [u8; 32], at: Timestamp) -> bool;
        fn key_blocked(spki_sha256: [u8; 32]) -> bool;
    }
}
