//! All traits at once: keeps what it was asked, and answers with a sample or with the error that it was made with.

use std::fmt::Debug;
use std::sync::Mutex;

use async_trait::async_trait;
use cairn_core::api::admin::*;
use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
use cairn_core::api::ra::*;
use cairn_core::api::sa::*;
use cairn_core::api::*;
use cairn_core::*;

use crate::sample;

#[derive(Debug)]
pub(crate) struct Fake {
    heard: Mutex<Vec<String>>,
    account: Account,
    key: Thumbprint,
    /// What every call ends with, if it is to fail.
    failure: Option<Error>,
    /// Whether what is looked for is found.
    finds: bool,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let account = sample::account();
        let key = account.thumbprint();
        Self { heard: Mutex::default(), account, key, failure: None, finds: true }
    }

    pub(crate) fn finds_nothing() -> Self {
        Self { finds: false, ..Self::new() }
    }

    pub(crate) fn fails(failure: Error) -> Self {
        Self { failure: Some(failure), ..Self::new() }
    }

    /// What was asked since the last time.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    fn answer<A>(&self, call: &str, request: impl Debug, answer: A) -> Result<A> {
        self.heard.lock().unwrap().push(format!("{call} {request:?}"));
        self.failure.clone().map_or(Ok(answer), Err)
    }

    fn found<A>(&self, answer: A) -> Option<A> {
        self.finds.then_some(answer)
    }
}

#[async_trait]
impl RegistrationAuthority for Fake {
    async fn new_account(&self, request: NewAccountRequest) -> Result<NewAccountResponse> {
        let answer = NewAccountResponse { account: self.account.clone(), created: self.finds };
        self.answer("ra.new_account", request, answer)
    }
    async fn update_account(&self, account: AccountId, contact: Vec<String>) -> Result<Account> {
        self.answer("ra.update_account", (account, contact), self.account.clone())
    }
    async fn deactivate_account(&self, account: AccountId) -> Result<Account> {
        self.answer("ra.deactivate_account", account, self.account.clone())
    }
    async fn new_order(&self, request: NewOrderRequest) -> Result<OrderWithAuthorizations> {
        self.answer("ra.new_order", request, sample::whole_order())
    }
    async fn perform_validation(&self, request: PerformValidationRequest) -> Result<Authorization> {
        self.answer("ra.perform_validation", request, sample::authorization())
    }
    async fn deactivate_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<Authorization> {
        self.answer("ra.deactivate_authorization", (account, authorization), sample::authorization())
    }
    async fn finalize_order(&self, request: FinalizeOrderRequest) -> Result<OrderWithAuthorizations> {
        self.answer("ra.finalize_order", request, sample::whole_order())
    }
    async fn revoke_certificate(&self, request: RevokeCertificateRequest) -> Result<()> {
        self.answer("ra.revoke_certificate", request, ())
    }
}

#[async_trait]
impl ListenerCertificates for Fake {
    async fn listener_certificate(&self, public_key: Vec<u8>) -> Result<IssuedCertificate> {
        self.answer("ra.listener_certificate", public_key, sample::issued())
    }
}

#[async_trait]
impl ValidationAuthority for Fake {
    async fn validate(&self, request: ValidationRequest) -> Result<ValidationResult> {
        let answer = ValidationResult { records: sample::records(), problem: self.found(sample::problem()) };
        self.answer("va.validate", request, answer)
    }
}

#[async_trait]
impl CertificateAuthority for Fake {
    async fn issue_certificate(&self, request: IssuanceRequest) -> Result<IssuedCertificate> {
        self.answer("ca.issue_certificate", request, sample::issued())
    }
}

#[async_trait]
impl OcspResponder for Fake {
    async fn ocsp_response(&self, request: Vec<u8>) -> Result<OcspAnswer> {
        let signed = self.found(sample::ocsp_response());
        self.answer(
            "ocsp.ocsp_response",
            request,
            signed.map_or(OcspAnswer::Unauthorized, OcspAnswer::Signed),
        )
    }
}

#[async_trait]
impl PolicyAuthority for Fake {
    async fn willing_to_issue(&self, identifiers: &[Identifier]) -> Result<Vec<Vec<ChallengeType>>> {
        let answer = (0..identifiers.len()).map(|number| ChallengeType::ALL[..number % 4].to_vec());
        self.answer("pa.willing_to_issue", identifiers, answer.collect())
    }
    async fn challenge_enabled(
        &self,
        challenge: ChallengeType,
        identifier: &Identifier,
        wildcard: bool,
    ) -> Result<bool> {
        self.answer("pa.challenge_enabled", (challenge, identifier, wildcard), self.finds)
    }
    async fn good_key(&self, spki: &[u8], key_use: KeyUse) -> Result<()> {
        self.answer("pa.good_key", (spki, key_use), ())
    }
}

#[async_trait]
impl NonceOwner for Fake {
    async fn prefix(&self) -> Result<NoncePrefix> {
        self.answer("nonce.prefix", (), "AbCd-_09".parse().unwrap())
    }
    async fn redeem_own(&self, nonce: &str) -> Result<bool> {
        self.answer("nonce.redeem_own", nonce, self.finds)
    }
}

#[async_trait]
impl StorageRead for Fake {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.answer("sa.account", id, self.found(self.account.clone()))
    }
    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>> {
        self.answer("sa.account_by_key", thumbprint, self.found(self.account.clone()))
    }
    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        self.answer("sa.order", id, self.found(sample::whole_order()))
    }
    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>> {
        self.answer("sa.authorization", id, self.found(sample::authorization()))
    }
    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>> {
        self.answer("sa.certificate", serial, self.found(sample::certificate()))
    }
    async fn account_and_order(
        &self,
        account: AccountId,
        order: OrderId,
    ) -> Result<(Option<Account>, Option<OrderWithAuthorizations>)> {
        let found = (self.found(self.account.clone()), self.found(sample::whole_order()));
        self.answer("sa.account_and_order", (account, order), found)
    }
    async fn account_and_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<(Option<Account>, Option<Authorization>)> {
        let found = (self.found(self.account.clone()), self.found(sample::authorization()));
        self.answer("sa.account_and_authorization", (account, authorization), found)
    }
    async fn account_and_certificate(
        &self,
        account: AccountId,
        serial: &Serial,
    ) -> Result<(Option<Account>, Option<CertificateRecord>)> {
        let found = (self.found(self.account.clone()), self.found(sample::certificate()));
        self.answer("sa.account_and_certificate", (account, serial), found)
    }
    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.answer(
            "sa.ca_certificates",
            (),
            self.found(()).map(|()| sample::ca_certificates()).unwrap_or_default(),
        )
    }
    async fn ping(&self) -> Result<()> {
        self.answer("sa.ping", (), ())
    }
}

#[async_trait]
impl CertificateStore for Fake {
    async fn record_intent(&self, intent: Intent) -> Result<()> {
        self.answer("sa.record_intent", intent, ())
    }
    async fn add_certificate(&self, certificate: NewCertificate) -> Result<bool> {
        self.answer("sa.add_certificate", certificate, self.found(()).is_some())
    }
    async fn record_ca_certificates(&self, certificates: Vec<CaCertificate>) -> Result<()> {
        self.answer("sa.record_ca_certificates", certificates, ())
    }
    async fn certificate_statuses(&self, serials: &[Serial]) -> Result<Vec<Option<CertificateStatus>>> {
        let statuses = serials.iter().map(|_| self.found(sample::certificate_status()));
        self.answer("sa.certificate_statuses", serials, statuses.collect())
    }
}

#[async_trait]
impl PkiRead for Fake {
    async fn revocation_position(&self) -> Result<RevocationPosition> {
        self.answer("pki.revocation_position", (), sample::revocation_position())
    }
    async fn revocations_after(
        &self,
        position: RevocationPosition,
        limit: usize,
    ) -> Result<Vec<RevocationEvent>> {
        self.answer("pki.revocations_after", (position, limit), sample::revocation_events())
    }
    async fn published_ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.answer("pki.published_ca_certificates", (), sample::ca_certificates())
    }
}

#[async_trait]
impl StorageAuthority for Fake {
    async fn new_account(&self, account: Account) -> Result<Option<Account>> {
        self.answer("sa.new_account", account, self.found(self.account.clone()))
    }
    async fn set_contact(&self, account: AccountId, contact: Vec<String>) -> Result<Account> {
        self.answer("sa.set_contact", (account, contact), self.account.clone())
    }
    async fn deactivate_account(&self, account: AccountId) -> Result<Account> {
        self.answer("sa.deactivate_account", account, self.account.clone())
    }
    async fn revoke_account(&self, account: AccountId) -> Result<Account> {
        self.answer("sa.revoke_account", account, self.account.clone())
    }
    async fn order_for_identifiers(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        profile: &str,
        until: Timestamp,
    ) -> Result<Option<OrderWithAuthorizations>> {
        let request = (account, identifiers, profile, until);
        self.answer("sa.order_for_identifiers", request, self.found(sample::whole_order()))
    }
    async fn valid_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        until: Timestamp,
    ) -> Result<Vec<Option<Authorization>>> {
        let answer = (0..identifiers.len()).map(|number| (number != 1).then(sample::authorization));
        self.answer("sa.valid_authorizations", (account, identifiers, until), answer.collect())
    }
    async fn new_order_and_authorizations(&self, new: NewOrder) -> Result<()> {
        self.answer("sa.new_order_and_authorizations", new, ())
    }
    async fn set_authorization_processing(
        &self,
        authorization: AuthorizationId,
        challenge: ChallengeType,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<Thumbprint> {
        self.answer("sa.set_authorization_processing", (authorization, challenge, worker, at), self.key)
    }
    async fn finalize_authorization(
        &self,
        authorization: AuthorizationId,
        progress: AuthorizationProgress,
        expires: Timestamp,
    ) -> Result<()> {
        self.answer("sa.finalize_authorization", (authorization, progress, expires), ())
    }
    async fn deactivate_authorization(
        &self,
        authorization: AuthorizationId,
        at: Timestamp,
    ) -> Result<Authorization> {
        self.answer("sa.deactivate_authorization", (authorization, at), sample::authorization())
    }
    async fn set_order_processing(
        &self,
        order: OrderId,
        key: SubjectKey,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<()> {
        self.answer("sa.set_order_processing", (order, key, worker, at), ())
    }
    async fn set_order_error(&self, order: OrderId, problem: Problem) -> Result<()> {
        self.answer("sa.set_order_error", (order, problem), ())
    }
    async fn heartbeat(&self, worker: WorkerId, at: Timestamp) -> Result<()> {
        self.answer("sa.heartbeat", (worker, at), ())
    }
    async fn retire(&self, worker: WorkerId) -> Result<()> {
        self.answer("sa.retire", worker, ())
    }
    async fn take_abandoned_orders(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<ProcessingOrder>> {
        self.answer("sa.take_abandoned_orders", (worker, silent_since, limit), sample::processing_orders())
    }
    async fn take_abandoned_validations(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunningValidation>> {
        let mut answer = sample::running_validations();
        answer.iter_mut().for_each(|validation| validation.thumbprint = self.key);
        self.answer("sa.take_abandoned_validations", (worker, silent_since, limit), answer)
    }
    async fn revoke_certificate(&self, revocation: NewRevocation) -> Result<()> {
        self.answer("sa.revoke_certificate", revocation, ())
    }
    async fn block_key(&self, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool> {
        self.answer("sa.block_key", (spki_sha256, at), self.finds)
    }
    async fn key_blocked(&self, spki_sha256: [u8; 32]) -> Result<bool> {
        self.answer("sa.key_blocked", spki_sha256, self.finds)
    }
}

#[async_trait]
impl Administration for Fake {
    async fn account(&self, operator: &Operator, name: AccountName) -> Result<Account> {
        self.answer("admin.account", (operator, name), self.account.clone())
    }
    async fn deactivate_account(&self, operator: &Operator, account: AccountId) -> Result<Account> {
        self.answer("admin.deactivate_account", (operator, account), self.account.clone())
    }
    async fn order(&self, operator: &Operator, order: OrderId) -> Result<OrderWithAuthorizations> {
        self.answer("admin.order", (operator, order), sample::whole_order())
    }
    async fn authorization(&self, operator: &Operator, id: AuthorizationId) -> Result<Authorization> {
        self.answer("admin.authorization", (operator, id), sample::authorization())
    }
    async fn deactivate_authorization(
        &self,
        operator: &Operator,
        id: AuthorizationId,
    ) -> Result<Authorization> {
        self.answer("admin.deactivate_authorization", (operator, id), sample::authorization())
    }
    async fn certificate(&self, operator: &Operator, serial: &Serial) -> Result<CertificateRecord> {
        self.answer("admin.certificate", (operator, serial), sample::certificate())
    }
    async fn revoke_certificate(
        &self,
        operator: &Operator,
        revocation: OperatorRevocation,
    ) -> Result<CertificateRecord> {
        self.answer("admin.revoke_certificate", (operator, revocation), sample::certificate())
    }
    async fn block_key(&self, operator: &Operator, spki_sha256: [u8; 32]) -> Result<bool> {
        self.answer("admin.block_key", (operator, spki_sha256), self.finds)
    }
    async fn status(&self, operator: &Operator) -> Result<RaStatus> {
        let status = RaStatus {
            validations: Workload { running: 1, limit: 2 },
            issuances: Workload { running: 0, limit: u64::MAX },
            stopping: self.finds,
        };
        self.answer("admin.status", operator, status)
    }
}
