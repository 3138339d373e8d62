//! Any engine, with each call counted, timed and traced: what its callers wait for, whichever engine it is.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use async_trait::async_trait;
use cairn_core::api::RevocationStore;
use cairn_core::api::crl::{CrlStore, RevokedLengths, ShardChange};
use cairn_core::api::pki::{PkiRead, RevocationEvent, RevocationPosition};
use cairn_core::api::revocations::{IncidentCertificate, IncidentEntry, KeyToSweep, StoredCertificate};
use cairn_core::api::sa::{
    CertificateStore, Intent, NewCertificate, NewOrder, NewRevocation, ProcessingOrder, RunningValidation,
    StorageAuthority, StorageRead, SubjectKey,
};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, AuthorizationProgress, CaCertificate,
    CertificateRecord, CertificateStatus, ChallengeType, CrlHead, CrlId, CrlKind, Identifier, Incident,
    IncidentEnd, IncidentId, IncidentStatus, IssuerId, OrderId, OrderWithAuthorizations, Problem, Renewal,
    Result, RevokedCertificate, Serial, ShardId, Thumbprint, Timestamp, WorkerId,
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
        fn renewal(serial: &Serial) -> Option<Renewal>;
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
        fn crl(shard: ShardId, kind: CrlKind) -> Option<CrlHead>;
        fn crl_chunk(crl: CrlId, place: u32) -> Option<Vec<u8>>;
    }
    impl CrlStore {
        fn hold_crl_shard(shard: ShardId, holder: WorkerId, now: Timestamp, until: Timestamp) -> bool;
        fn release_crl_shard(shard: ShardId, holder: WorkerId) -> ();
        fn crls(issuer: IssuerId, after: Option<CrlId>, limit: usize) -> Vec<CrlHead>;
        fn latest_crl(shard: ShardId, kind: CrlKind) -> Option<CrlHead>;
        fn latest_change() -> RevocationPosition;
        fn changes_after(position: RevocationPosition, limit: usize) -> Vec<ShardChange>;
        fn revoked(shard: ShardId, after: Option<Serial>, limit: usize) -> Vec<RevokedCertificate>;
        fn revoked_lengths(shard: ShardId, after: Option<Serial>) -> RevokedLengths;
        fn add_crl_chunk(crl: CrlId, holder: WorkerId, place: u32, octets: Vec<u8>) -> ();
        fn publish_crl(crl: CrlHead, holder: WorkerId) -> ();
        fn remove_crls(first: CrlId, end: u64, holder: WorkerId) -> bool;
        fn forget_revocations(serials: Vec<Serial>, ended: Timestamp) -> ();
    }
    impl RevocationStore {
        fn correct_revocation(serial: &Serial, blocked_key: Option<[u8; 32]>, at: Timestamp) -> bool;
        fn certificates_after(after: &[u8], limit: usize) -> Vec<StoredCertificate>;
        fn certificates_of_key(spki_sha256: [u8; 32], after: &[u8], limit: usize) -> Vec<StoredCertificate>;
        fn certificates_with_serials(serials: &[Serial]) -> Vec<StoredCertificate>;
        fn keys_to_sweep(after: Option<[u8; 32]>, limit: usize) -> Vec<KeyToSweep>;
        fn end_sweep(key: KeyToSweep) -> ();
        fn certificates_without_key(limit: usize) -> Vec<(Serial, Vec<u8>)>;
        fn enter_keys(keys: Vec<(Serial, [u8; 32])>) -> ();
        fn replacement(serial: &Serial) -> Option<OrderId>;
        fn set_replace_by(issuer: IssuerId, by: Option<Timestamp>) -> bool;
        fn new_incident(incident: Incident) -> ();
        fn stored_incident(id: IncidentId) -> Option<Incident>;
        fn stored_incidents(limit: usize) -> Vec<Incident>;
        fn due_incidents(at: Timestamp) -> Vec<Incident>;
        fn add_incident_certificates(id: IncidentId, entries: Vec<IncidentEntry>) -> u64;
        fn set_incident_end(id: IncidentId, end: IncidentEnd) -> Incident;
        fn close_incident(id: IncidentId, status: IncidentStatus) -> Incident;
        fn incident_certificates(id: IncidentId, after: &[u8], limit: usize) -> Vec<IncidentCertificate>;
        fn incident_to_do(id: IncidentId, limit: usize) -> Vec<Serial>;
        fn set_incident_done(id: IncidentId, serials: Vec<Serial>) -> ();
        fn set_incident_replaced(id: IncidentId, by: Vec<IncidentEntry>) -> u64;
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
