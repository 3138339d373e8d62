//! All traits at once: keeps what it was asked, and answers with a sample or with the error that it was made with.

use std::fmt::Debug;
use std::sync::Mutex;

use async_trait::async_trait;
use cairn_core::api::admin::*;
use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::crl::{RevokedLengths, ShardChange};
use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
use cairn_core::api::ra::*;
use cairn_core::api::revocations::*;
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
    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>> {
        self.answer("sa.renewal", serial, self.found(sample::renewal()))
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
impl CrlStore for Fake {
    async fn hold_crl_shard(
        &self,
        shard: ShardId,
        holder: WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        self.answer("crl.hold_crl_shard", (shard, holder, now, until), self.finds)
    }
    async fn release_crl_shard(&self, shard: ShardId, holder: WorkerId) -> Result<()> {
        self.answer("crl.release_crl_shard", (shard, holder), ())
    }
    async fn crls(&self, issuer: IssuerId, after: Option<CrlId>, limit: usize) -> Result<Vec<CrlHead>> {
        self.answer("crl.crls", (issuer, after, limit), sample::crls())
    }
    async fn latest_crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.answer("crl.latest_crl", (shard, kind), self.found(sample::crl()))
    }
    async fn latest_change(&self) -> Result<RevocationPosition> {
        self.answer("crl.latest_change", (), sample::revocation_position())
    }
    async fn changes_after(&self, position: RevocationPosition, limit: usize) -> Result<Vec<ShardChange>> {
        let change = |certificate| ShardChange { shard: sample::shard(), certificate };
        let changes = sample::revoked().into_iter().map(change).collect();
        self.answer("crl.changes_after", (position, limit), changes)
    }
    async fn revoked(
        &self,
        shard: ShardId,
        after: Option<Serial>,
        limit: usize,
    ) -> Result<Vec<RevokedCertificate>> {
        self.answer("crl.revoked", (shard, after, limit), sample::revoked())
    }
    async fn revoked_lengths(&self, shard: ShardId, after: Option<Serial>) -> Result<RevokedLengths> {
        let lengths = RevokedLengths { count: 2, serial_octets: 32, next: self.found(sample::serial()) };
        self.answer("crl.revoked_lengths", (shard, after), lengths)
    }
    async fn add_crl_chunk(&self, crl: CrlId, holder: WorkerId, place: u32, octets: Vec<u8>) -> Result<()> {
        self.answer("crl.add_crl_chunk", (crl, holder, place, octets), ())
    }
    async fn publish_crl(&self, crl: CrlHead, holder: WorkerId) -> Result<()> {
        self.answer("crl.publish_crl", (crl, holder), ())
    }
    async fn remove_crls(&self, first: CrlId, end: u64, holder: WorkerId) -> Result<bool> {
        self.answer("crl.remove_crls", (first, end, holder), self.finds)
    }
    async fn forget_revocations(&self, serials: Vec<Serial>, ended: Timestamp) -> Result<()> {
        self.answer("crl.forget_revocations", (serials, ended), ())
    }
}

#[async_trait]
impl PkiRead for Fake {
    async fn crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.answer("pki.crl", (shard, kind), self.found(sample::crl()))
    }
    async fn crl_chunk(&self, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>> {
        self.answer("pki.crl_chunk", (crl, place), self.found(vec![1, 2, 3]))
    }

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
impl RevocationStore for Fake {
    async fn correct_revocation(
        &self,
        serial: &Serial,
        blocked_key: Option<[u8; 32]>,
        at: Timestamp,
    ) -> Result<bool> {
        self.answer("sa.correct_revocation", (serial, blocked_key, at), self.finds)
    }
    async fn certificates_after(&self, after: &[u8], limit: usize) -> Result<Vec<StoredCertificate>> {
        self.answer("sa.certificates_after", (after, limit), self.found(sample::stored()).unwrap_or_default())
    }
    async fn certificates_of_key(
        &self,
        spki_sha256: [u8; 32],
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<StoredCertificate>> {
        let found = self.found(sample::stored()).unwrap_or_default();
        self.answer("sa.certificates_of_key", (spki_sha256, after, limit), found)
    }
    async fn certificates_with_serials(&self, serials: &[Serial]) -> Result<Vec<StoredCertificate>> {
        let found = self.found(sample::stored()).unwrap_or_default();
        self.answer("sa.certificates_with_serials", serials, found)
    }
    async fn keys_to_sweep(&self, after: Option<[u8; 32]>, limit: usize) -> Result<Vec<KeyToSweep>> {
        let found = self.found(vec![KeyToSweep { spki_sha256: [8; 32], until: sample::NOW }]);
        self.answer("sa.keys_to_sweep", (after, limit), found.unwrap_or_default())
    }
    async fn end_sweep(&self, key: KeyToSweep) -> Result<()> {
        self.answer("sa.end_sweep", key, ())
    }
    async fn certificates_without_key(&self, limit: usize) -> Result<Vec<(Serial, Vec<u8>)>> {
        let found = self.found(vec![(sample::serial(), vec![0x30])]).unwrap_or_default();
        self.answer("sa.certificates_without_key", limit, found)
    }
    async fn enter_keys(&self, keys: Vec<(Serial, [u8; 32])>) -> Result<()> {
        self.answer("sa.enter_keys", keys, ())
    }
    async fn replacement(&self, serial: &Serial) -> Result<Option<OrderId>> {
        self.answer("sa.replacement", serial, self.found(OrderId::from_bytes([3; 16])))
    }
    async fn set_replace_by(&self, issuer: IssuerId, by: Option<Timestamp>) -> Result<bool> {
        self.answer("sa.set_replace_by", (issuer, by), self.finds)
    }
    async fn new_incident(&self, incident: Incident) -> Result<()> {
        self.answer("sa.new_incident", incident, ())
    }
    async fn stored_incident(&self, id: IncidentId) -> Result<Option<Incident>> {
        self.answer("sa.stored_incident", id, self.found(sample::incident()))
    }
    async fn stored_incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        let found = self.found(vec![sample::incident(), sample::bare_incident()]).unwrap_or_default();
        self.answer("sa.stored_incidents", limit, found)
    }
    async fn due_incidents(&self, at: Timestamp) -> Result<Vec<Incident>> {
        self.answer("sa.due_incidents", at, self.found(vec![sample::incident()]).unwrap_or_default())
    }
    async fn add_incident_certificates(&self, id: IncidentId, entries: Vec<IncidentEntry>) -> Result<u64> {
        self.answer("sa.add_incident_certificates", (id, entries), 5)
    }
    async fn set_incident_end(&self, id: IncidentId, end: IncidentEnd) -> Result<Incident> {
        self.answer("sa.set_incident_end", (id, end), sample::incident())
    }
    async fn close_incident(&self, id: IncidentId, status: IncidentStatus) -> Result<Incident> {
        self.answer("sa.close_incident", (id, status), sample::bare_incident())
    }
    async fn incident_certificates(
        &self,
        id: IncidentId,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<IncidentCertificate>> {
        let one = |record| IncidentCertificate { serial: sample::serial(), replaced: self.finds, record };
        let found = vec![one(Some(sample::certificate())), one(None)];
        self.answer("sa.incident_certificates", (id, after, limit), found)
    }
    async fn incident_to_do(&self, id: IncidentId, limit: usize) -> Result<Vec<Serial>> {
        self.answer("sa.incident_to_do", (id, limit), self.found(vec![sample::serial()]).unwrap_or_default())
    }
    async fn set_incident_done(&self, id: IncidentId, serials: Vec<Serial>) -> Result<()> {
        self.answer("sa.set_incident_done", (id, serials), ())
    }
    async fn set_incident_replaced(&self, id: IncidentId, by: Vec<IncidentEntry>) -> Result<u64> {
        self.answer("sa.set_incident_replaced", (id, by), 6)
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
    async fn select(
        &self,
        _: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<Selected> {
        let selected = Selected {
            looked_at: 1,
            found: sample::selected(),
            revoked: 2,
            expired: 3,
            next: self.found(vec![4]),
        };
        self.answer("admin.select", (selection, stretch, reason), selected)
    }
    async fn revoke_selected(
        &self,
        _: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<RevokedStretch> {
        let revoked = RevokedStretch { looked_at: 1, done: 2, passed_over: 3, next: self.found(vec![4]) };
        self.answer("admin.revoke_selected", (selection, stretch, reason), revoked)
    }
    async fn new_incident(&self, _: &Operator, incident: NewIncident) -> Result<Incident> {
        self.answer("admin.new_incident", incident, sample::incident())
    }
    async fn enter_into_incident(
        &self,
        _: &Operator,
        incident: IncidentId,
        selection: &Selection,
        stretch: &Stretch,
    ) -> Result<EnteredStretch> {
        let entered = EnteredStretch { looked_at: 1, entered: 2, passed_over: 3, next: self.found(vec![4]) };
        self.answer("admin.enter_into_incident", (incident, selection, stretch), entered)
    }
    async fn incidents(&self, _: &Operator) -> Result<Vec<Incident>> {
        self.answer("admin.incidents", (), self.found(vec![sample::incident()]).unwrap_or_default())
    }
    async fn incident(&self, _: &Operator, incident: IncidentId) -> Result<Incident> {
        self.answer("admin.incident", incident, sample::bare_incident())
    }
    async fn follow_incident(
        &self,
        _: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<FollowedStretch> {
        let followed = FollowedStretch { replaced: 1, next: self.found(vec![4]) };
        self.answer("admin.follow_incident", (incident, after), followed)
    }
    async fn incident_stretch(
        &self,
        _: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<IncidentStretch> {
        let stretch = IncidentStretch {
            certificates: 1,
            replaced: 2,
            revoked: 3,
            expired: 4,
            waiting: sample::selected(),
            next: self.found(vec![4]),
        };
        self.answer("admin.incident_stretch", (incident, after), stretch)
    }
    async fn finish_incident(&self, _: &Operator, incident: IncidentId, at: Timestamp) -> Result<Incident> {
        self.answer("admin.finish_incident", (incident, at), sample::incident())
    }
    async fn cancel_incident(&self, _: &Operator, incident: IncidentId) -> Result<Incident> {
        self.answer("admin.cancel_incident", incident, sample::bare_incident())
    }
    async fn retire_issuer(&self, _: &Operator, issuer: IssuerId, by: Option<Timestamp>) -> Result<()> {
        self.answer("admin.retire_issuer", (issuer, by), ())
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
