//! The Storage Authority: remembers. Three traits, each all that one kind of consumer may do.
//!
//! What a method reports as done is durable. Every change is guarded in the storage itself by the status that it starts from, so
//! that of two racing changes one fails with `Conflict` and does nothing. All methods fail with `Unavailable` when the storage is too
//! busy; then nothing was done. They fail with `Internal` when it fails; then a change was done whole or not at all, and only a
//! read tells which: the connection to a database may break when the change was made and its answer not yet here.

use async_trait::async_trait;
use cairn_jose::Thumbprint;

use super::revocations::RevocationStore;
use crate::account::Account;
use crate::api::crl::CrlStore;
use crate::api::pki::PkiRead;
use crate::authorization::{Authorization, AuthorizationProgress};
use crate::certificate::{
    CaCertificate, CertificateRecord, CertificateStatus, CrlShard, IssuerId, Revocation, Serial,
};
use crate::challenge::ChallengeType;
use crate::error::Result;
use crate::id::{AccountId, AuthorizationId, OrderId, WorkerId};
use crate::identifier::Identifier;
use crate::order::{Order, OrderWithAuthorizations};
use crate::problem::Problem;
use crate::renewal::Renewal;
use crate::time::Timestamp;

/// Reads by id, for the front end. Every read is one lookup by a key.
#[async_trait]
pub trait StorageRead: Send + Sync {
    /// The account with this id.
    async fn account(&self, id: AccountId) -> Result<Option<Account>>;

    /// The account whose key has this thumbprint.
    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>>;

    /// The order with this id, and its authorizations; without their records, of which a hundred hosts may have filled more than an answer
    /// holds, and which [`authorization`](Self::authorization) tells.
    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>>;

    /// The authorization with this id.
    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>>;

    /// The certificate with this serial. A serial that was only intended ([`CertificateStore::record_intent`]) is `None`.
    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>>;

    /// What the time to renew the certificate with this serial follows from (RFC 9773).
    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>>;

    /// The CA certificates that were recorded ([`CertificateStore::record_ca_certificates`]), the latest first: at most
    /// [`MAX_CA_CERTIFICATES`](crate::certificate::MAX_CA_CERTIFICATES). Asked for now and then, and not on the way of a request.
    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>>;

    /// The account with this id, and the order with that: what a front end needs for a request that asks to see an order, in one call.
    async fn account_and_order(
        &self,
        account: AccountId,
        order: OrderId,
    ) -> Result<(Option<Account>, Option<OrderWithAuthorizations>)> {
        Ok((self.account(account).await?, self.order(order).await?))
    }

    /// The same with an authorization.
    async fn account_and_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<(Option<Account>, Option<Authorization>)> {
        Ok((self.account(account).await?, self.authorization(authorization).await?))
    }

    /// The same with a certificate.
    async fn account_and_certificate(
        &self,
        account: AccountId,
        serial: &Serial,
    ) -> Result<(Option<Account>, Option<CertificateRecord>)> {
        Ok((self.account(account).await?, self.certificate(serial).await?))
    }

    /// Fails unless the storage can answer; for readiness.
    async fn ping(&self) -> Result<()>;
}

/// What will be signed: stored before anything is.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The serial that the certificate will have; never used before.
    pub serial: Serial,
    /// The order that it is for.
    pub order: Option<OrderId>,
    /// The account that it is for.
    pub account: Option<AccountId>,
    /// Who will sign.
    pub issuer: IssuerId,
    /// On which list it will stand if it is revoked; `None` if it names none.
    pub crl_shard: Option<CrlShard>,
    /// The lint certificate, DER: the same to-be-signed part under a throw-away key's signature.
    pub lint_certificate: Vec<u8>,
    /// Now.
    pub at: Timestamp,
}

/// A certificate that was signed.
#[derive(Clone, Debug)]
pub struct NewCertificate {
    /// The serial of its intent.
    pub serial: Serial,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The SHA-256 of its SubjectPublicKeyInfo; `None` from a CA that does not tell.
    pub spki_sha256: Option<[u8; 32]>,
    /// When it ends.
    pub not_after: Timestamp,
    /// Now.
    pub at: Timestamp,
}

/// How many certificates are asked about at once, at most: as many as an OCSP request may name.
pub const MAX_CERTIFICATE_STATUSES: usize = 32;

/// What the CA may do: record what it signs and look up what has become of it, and nothing else.
#[async_trait]
pub trait CertificateStore: Send + Sync {
    /// Stores the intent to sign.
    ///
    /// # Errors
    /// `Conflict` if the serial was used before, if an intent for the same order is stored, or if the order is not being issued
    /// (any more): so an order that was given up cannot get a certificate.
    async fn record_intent(&self, intent: Intent) -> Result<()>;

    /// Stores a signed certificate, and ends the issuance of its order with it. Whether it did the latter: not if the order was given
    /// up before, or the certificate is for none.
    ///
    /// # Errors
    /// `Conflict` unless there is an intent with its serial and no certificate yet.
    async fn add_certificate(&self, certificate: NewCertificate) -> Result<bool>;

    /// Remembers CA certificates: those of the issuers before they issue, and those that chains are made of. What is known already stays
    /// as it is. None is ever forgotten, since what it issued may outlive its use.
    ///
    /// # Errors
    /// `Internal` for more than [`MAX_CA_CERTIFICATES`](crate::certificate::MAX_CA_CERTIFICATES) at once.
    async fn record_ca_certificates(&self, certificates: Vec<CaCertificate>) -> Result<()>;

    /// For each serial, in the same order, what has become of the certificate; `None` if there is none: a serial that was only intended
    /// is no certificate's. It says what is so now: a revocation that was acknowledged is in it.
    ///
    /// # Errors
    /// `Internal` for more than [`MAX_CERTIFICATE_STATUSES`] at once.
    async fn certificate_statuses(&self, serials: &[Serial]) -> Result<Vec<Option<CertificateStatus>>>;
}

/// A new order and those of its authorizations that are new too; the others exist already.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// The order.
    pub order: Order,
    /// Authorizations to store with it.
    pub new_authorizations: Vec<Authorization>,
}

/// The key that a certificate is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectKey {
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Its thumbprint, if it can be written as a JWK: only then can it be an account's.
    pub thumbprint: Option<Thumbprint>,
}

/// A validation that was begun and has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningValidation {
    /// The authorization, in progress `Validating`.
    pub authorization: Authorization,
    /// The thumbprint of its account's key.
    pub thumbprint: Thumbprint,
}

/// An order that was finalized and has no result: no certificate is stored for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessingOrder {
    /// Which.
    pub id: OrderId,
    /// When it was finalized.
    pub since: Timestamp,
}

/// A revocation to store.
#[derive(Clone, Debug)]
pub struct NewRevocation {
    /// Which certificate.
    pub serial: Serial,
    /// When and why.
    pub revocation: Revocation,
    /// The SHA-256 of the SubjectPublicKeyInfo to refuse from now on. Where the reason is `keyCompromise`, the key's other certificates are
    /// looked for too ([`RevocationStore::keys_to_sweep`]).
    pub blocked_key: Option<[u8; 32]>,
}

/// Everything but the record of what is signed, for the registration authority.
#[async_trait]
pub trait StorageAuthority: StorageRead + RevocationStore {
    /// Stores an account, unless one with the same key exists: then that one comes back, and nothing is stored.
    async fn new_account(&self, account: Account) -> Result<Option<Account>>;

    /// Replaces a valid account's contacts.
    async fn set_contact(&self, account: AccountId, contact: Vec<String>) -> Result<Account>;

    /// Closes a valid account.
    async fn deactivate_account(&self, account: AccountId) -> Result<Account>;

    /// Closes a valid account in the name of the CA: its status is then `revoked`.
    async fn revoke_account(&self, account: AccountId) -> Result<Account>;

    /// An open order of the account for exactly these identifiers (sorted) by this profile that expires after `until`: the newest. Its
    /// authorizations come without their records.
    async fn order_for_identifiers(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        profile: &str,
        until: Timestamp,
    ) -> Result<Option<OrderWithAuthorizations>>;

    /// For each identifier (wildcards as such), in the same order, the account's valid authorization for it that expires last, if
    /// one expires after `until`.
    async fn valid_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        until: Timestamp,
    ) -> Result<Vec<Option<Authorization>>>;

    /// Stores an order with its new authorizations, all or nothing. The certificate that it replaces is claimed for it, unless another order
    /// has it that is not invalid (RFC 9773 §5): of two that claim it at the same moment, one is stored.
    ///
    /// # Errors
    /// `Conflict` if the certificate is claimed, or the account is not valid any more.
    async fn new_order_and_authorizations(&self, new: NewOrder) -> Result<()>;

    /// Marks a pending, unexpired authorization as being validated by `challenge` and by `worker`, and gives the thumbprint of its
    /// account's key as it is at this moment.
    async fn set_authorization_processing(
        &self,
        authorization: AuthorizationId,
        challenge: ChallengeType,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<Thumbprint>;

    /// Ends the validation of an authorization: `progress` is `Valid` or `Invalid`, `expires` its new end. Guarded by `Validating`, or by
    /// `Pending`, for a validation that ended before anybody was told that it had begun.
    async fn finalize_authorization(
        &self,
        authorization: AuthorizationId,
        progress: AuthorizationProgress,
        expires: Timestamp,
    ) -> Result<()>;

    /// Gives up an authorization that is pending, being validated or valid.
    async fn deactivate_authorization(
        &self,
        authorization: AuthorizationId,
        at: Timestamp,
    ) -> Result<Authorization>;

    /// Marks an order as being issued by `worker`. Guarded by its being ready at `at`: open, unexpired, all its authorizations
    /// valid; and by `key`, which must be neither blocked nor an account's.
    async fn set_order_processing(
        &self,
        order: OrderId,
        key: SubjectKey,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<()>;

    /// Ends the issuance of an order without one. Guarded by `Processing`.
    async fn set_order_error(&self, order: OrderId, problem: Problem) -> Result<()>;

    /// Remembers that `worker` lives at `at`. A worker that does this often enough keeps what it works on.
    async fn heartbeat(&self, worker: WorkerId, at: Timestamp) -> Result<()>;

    /// Remembers that `worker` has ended: what it left behind can be taken at once.
    async fn retire(&self, worker: WorkerId) -> Result<()>;

    /// Hands orders that were left in processing to `worker`: at most `limit`, the oldest first. Left is what a worker has whose
    /// last heartbeat was before `silent_since`, or who has none, or which no worker has. Those that `worker` has already come
    /// too, since only it knows which of them it still works on. Of several workers that take, each gets others.
    async fn take_abandoned_orders(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<ProcessingOrder>>;

    /// Hands validations that were left running to `worker`, as [`StorageAuthority::take_abandoned_orders`] does with orders.
    async fn take_abandoned_validations(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunningValidation>>;

    /// Stores a revocation.
    ///
    /// # Errors
    /// `AlreadyRevoked` if there is one; `NotFound` if there is no such certificate.
    async fn revoke_certificate(&self, revocation: NewRevocation) -> Result<()>;

    /// Blocks the key with this SHA-256 of its SubjectPublicKeyInfo without a revocation; `false` if it was blocked already.
    async fn block_key(&self, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool>;

    /// Whether the key with this SHA-256 of its SubjectPublicKeyInfo was blocked, by a revocation or without one.
    async fn key_blocked(&self, spki_sha256: [u8; 32]) -> Result<bool>;
}

/// All that a storage does. Nobody holds this but the process that opened one, which hands out the narrower traits.
pub trait Storage: StorageAuthority + CertificateStore + PkiRead + CrlStore {}

impl<T: StorageAuthority + CertificateStore + PkiRead + CrlStore> Storage for T {}
