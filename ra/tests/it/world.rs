//! A registration authority and all that it stands on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::ra::{
    FinalizeOrderRequest, NewAccountRequest, NewOrderRequest, PerformValidationRequest,
};
use cairn_core::api::sa::{Intent, NewCertificate};
use cairn_core::api::{
    CertificateAuthority, CertificateStore, IssuanceRequest, RegistrationAuthority, ValidationAuthority,
    ValidationRequest, ValidationResult,
};
use cairn_core::random::{SeededRandom, bytes};
use cairn_core::time::FakeClock;
use cairn_core::{
    AccountId, Authorization, AuthorizationId, ChallengeType, Clock, Error, ErrorKind, Identifier, IssuerId,
    Jwk, OrderId, OrderWithAuthorizations, Period, Problem, ProblemType, Random, Result, Serial, Thumbprint,
    Timestamp,
};
use cairn_pa::Pa;
use cairn_ra::{Config, Deps, Ra};
use cairn_sa::SqliteStorage;
use cairn_x509::{
    Certificate, FileSigner, KeySpec, LeafInputs, LeafProfile, Name, PublicKey, RootInputs, Signer,
    SubjectAltName, Validity, leaf, root,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// When every story begins: 2026-01-01.
pub(crate) const START: Timestamp = Timestamp::from_unix(1_767_225_600);
pub(crate) const DAY: i64 = 24 * 60 * 60;

pub(crate) struct World {
    pub(crate) ra: Ra,
    pub(crate) deps: Deps,
    pub(crate) va: Arc<FakeVa>,
    pub(crate) ca: Arc<FakeCa>,
    pub(crate) clock: Arc<FakeClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose configuration is changed. Before, answers wait for outcomes as long as a test may take, so that they are
    /// final however slow the machine is; and failed calls are tried again at once.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_policy(change, |_| {})
    }

    pub(crate) fn with_policy(
        change: impl FnOnce(&mut Config),
        change_policy: impl FnOnce(&mut cairn_pa::Config),
    ) -> Self {
        let mut config = Config {
            answer_grace: Period::from_secs(10),
            retry_pause: Period::from_millis(1),
            ..Config::default()
        };
        change(&mut config);
        let mut policy = cairn_pa::Config { single_labels: true, ..cairn_pa::Config::default() };
        change_policy(&mut policy);
        let sa = Arc::new(SqliteStorage::open_ephemeral().unwrap());
        let clock = Arc::new(FakeClock::new(START));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let va = Arc::new(FakeVa::default());
        let ca = Arc::new(FakeCa::new(Arc::clone(&sa), Arc::clone(&clock), Arc::clone(&random)));
        let deps = Deps {
            sa,
            pa: Arc::new(Pa::new(policy).unwrap()),
            va: Arc::clone(&va) as Arc<dyn ValidationAuthority>,
            ca: Arc::clone(&ca) as Arc<dyn CertificateAuthority>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            listener_names: vec![Identifier::Dns("ca.example".parse().unwrap())],
            random,
            tracker: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        Self { ra: Ra::new(config, deps.clone()).unwrap(), deps, va, ca, clock }
    }

    /// Another process with the same storage: it shares nothing else with the first.
    pub(crate) fn another_ra(&self) -> Ra {
        Ra::new(Config { answer_grace: Period::from_secs(10), ..Config::default() }, self.deps.clone())
            .unwrap()
    }

    /// The certificates that were signed and stored.
    pub(crate) fn issued(&self) -> usize {
        self.ca.issued.lock().unwrap().len()
    }

    /// Waits for all tasks to end.
    pub(crate) async fn quiet(&self) {
        self.deps.tracker.close();
        self.deps.tracker.wait().await;
    }

    pub(crate) async fn account(&self) -> AccountId {
        self.account_with(&KeyPair::generate().unwrap()).await
    }

    pub(crate) async fn account_with(&self, key: &KeyPair) -> AccountId {
        let request = NewAccountRequest { key: jwk(key), contact: Vec::new() };
        self.ra.new_account(request).await.unwrap().account.id
    }

    pub(crate) async fn try_order(
        &self,
        account: AccountId,
        names: &[&str],
    ) -> Result<OrderWithAuthorizations> {
        let identifiers = names.iter().copied().map(identifier).collect();
        self.ra.new_order(NewOrderRequest { account, identifiers, replaces: None }).await
    }

    pub(crate) async fn order(&self, account: AccountId, names: &[&str]) -> OrderWithAuthorizations {
        self.try_order(account, names).await.unwrap()
    }

    /// An order whose authorizations are all valid.
    pub(crate) async fn ready_order(&self, account: AccountId, names: &[&str]) -> OrderId {
        let order = self.order(account, names).await;
        for authz in &order.authorizations {
            let challenge = authz.challenges[0];
            self.ra.perform_validation(answer(account, authz.id, challenge)).await.unwrap();
        }
        order.order.id
    }

    pub(crate) async fn finalize(
        &self,
        account: AccountId,
        order: OrderId,
        csr: Vec<u8>,
    ) -> Result<OrderWithAuthorizations> {
        self.ra.finalize_order(FinalizeOrderRequest { account, order, csr }).await
    }

    /// A certificate of the account, and the key in it.
    pub(crate) async fn certificate(&self, account: AccountId, names: &[&str]) -> (Vec<u8>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let order = self.ready_order(account, names).await;
        self.finalize(account, order, csr_with(&key, names)).await.unwrap();
        (self.ca.last_issued(), key)
    }

    /// The order as it is stored.
    pub(crate) async fn stored_order(&self, id: OrderId) -> OrderWithAuthorizations {
        self.deps.sa.order(id).await.unwrap().unwrap()
    }

    /// The authorization as it is stored.
    pub(crate) async fn stored_authorization(&self, id: AuthorizationId) -> Authorization {
        self.deps.sa.authorization(id).await.unwrap().unwrap()
    }
}

pub(crate) fn identifier(text: &str) -> Identifier {
    let kind = if text.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
    Identifier::parse(kind, text).unwrap()
}

pub(crate) fn jwk(key: &KeyPair) -> Jwk {
    Jwk::from_spki_der(&key.subject_public_key_info()).unwrap()
}

/// The thumbprint of the key that signs the answers to challenges.
pub(crate) const SIGNER: Thumbprint = Thumbprint::from_bytes([8; 32]);

pub(crate) fn answer(
    account: AccountId,
    authorization: AuthorizationId,
    challenge: ChallengeType,
) -> PerformValidationRequest {
    PerformValidationRequest { account, authorization, challenge, thumbprint: SIGNER }
}

/// The DER of a CSR for `names` with a new key.
pub(crate) fn csr(names: &[&str]) -> Vec<u8> {
    csr_with(&KeyPair::generate().unwrap(), names)
}

pub(crate) fn csr_with(key: &KeyPair, names: &[&str]) -> Vec<u8> {
    csr_from(key, names, |_| {})
}

pub(crate) fn csr_from(
    key: &KeyPair,
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> Vec<u8> {
    let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    params.serialize_request(key).unwrap().der().to_vec()
}

/// A barrier that tests close, to hold work up, and open again.
struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

impl Gate {
    async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

/// A validation authority that finds every challenge answered, unless it is told otherwise.
#[derive(Default)]
pub(crate) struct FakeVa {
    gate: Gate,
    /// The outcomes of the next calls; afterwards, all succeed.
    next: Mutex<VecDeque<Result<ValidationResult>>>,
    /// What was asked.
    pub(crate) requests: Mutex<Vec<ValidationRequest>>,
}

impl FakeVa {
    pub(crate) fn hold(&self) {
        self.gate.0.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.gate.0.send_replace(true);
    }

    pub(crate) fn next_fails(&self, problem: Problem) {
        let result = ValidationResult { records: Vec::new(), problem: Some(problem) };
        self.next.lock().unwrap().push_back(Ok(result));
    }

    pub(crate) fn next_breaks(&self, kind: ErrorKind) {
        self.next.lock().unwrap().push_back(Err(Error::new(kind, "as the test wants it")));
    }

    pub(crate) fn calls(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

#[async_trait]
impl ValidationAuthority for FakeVa {
    async fn validate(&self, request: ValidationRequest) -> Result<ValidationResult> {
        self.requests.lock().unwrap().push(request);
        self.gate.pass().await;
        let next = self.next.lock().unwrap().pop_front();
        next.unwrap_or(Ok(ValidationResult { records: Vec::new(), problem: None }))
    }
}

/// What the fake certificate authority does with the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Issuance {
    /// Signs and stores.
    #[default]
    Works,
    /// Fails with an error and stores nothing.
    Breaks(ErrorKind),
    /// Stores, and fails with an error all the same.
    BreaksAfterStoring(ErrorKind),
    /// The process dies before anything is stored.
    Dies,
    /// The process dies when the certificate is stored.
    DiesAfterStoring,
}

/// A certificate authority that signs and stores real certificates, unless it is told otherwise.
pub(crate) struct FakeCa {
    gate: Gate,
    pub(crate) does: Mutex<Issuance>,
    calls: watch::Sender<usize>,
    /// Whether it does not say which keys it certifies, as it did not before.
    old: AtomicBool,
    issued: Mutex<Vec<Vec<u8>>>,
    pub(crate) requests: Mutex<Vec<IssuanceRequest>>,
    sa: Arc<SqliteStorage>,
    clock: Arc<FakeClock>,
    random: Arc<dyn Random>,
    key: FileSigner,
    root: Certificate,
}

impl FakeCa {
    fn new(sa: Arc<SqliteStorage>, clock: Arc<FakeClock>, random: Arc<dyn Random>) -> Self {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let subject = Name::new("Story Root", None).unwrap();
        let validity = Validity { not_before: START.unix(), not_after: START.plus(3650 * DAY).unix() };
        let inputs = RootInputs {
            serial: &[1; 16],
            validity,
            public_key: key.public_key(),
            subject: &subject,
            digital_signature: false,
        };
        let root = root(key.algorithm(), inputs).unwrap().sign(&key).unwrap();
        Self {
            gate: Gate::default(),
            does: Mutex::default(),
            calls: watch::Sender::new(0),
            old: AtomicBool::new(false),
            issued: Mutex::default(),
            requests: Mutex::default(),
            sa,
            clock,
            random,
            key,
            root,
        }
    }

    pub(crate) fn hold(&self) {
        self.gate.0.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.gate.0.send_replace(true);
    }

    pub(crate) fn next(&self, does: Issuance) {
        *self.does.lock().unwrap() = does;
    }

    pub(crate) fn calls(&self) -> usize {
        *self.calls.borrow()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn reached(&self, calls: usize) {
        self.calls.subscribe().wait_for(|made| *made >= calls).await.unwrap();
    }

    pub(crate) async fn record(&self, certificate: cairn_core::CaCertificate) {
        self.sa.record_ca_certificates(vec![certificate]).await.unwrap();
    }

    pub(crate) fn is_old(&self) {
        self.old.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_new(&self) {
        self.old.store(false, Ordering::SeqCst);
    }

    pub(crate) fn last_issued(&self) -> Vec<u8> {
        self.issued.lock().unwrap().last().unwrap().clone()
    }

    /// A certificate that only looks as if this CA had issued it: same names, same serial, another signature.
    pub(crate) fn forge(&self, certificate: &[u8]) -> Vec<u8> {
        let original = Certificate::from_der(certificate).unwrap();
        let signer = FileSigner::generate(KeySpec::P256).unwrap();
        self.sign(original.public_key(), &original.names(), original.serial(), &signer)
    }

    fn sign(&self, key: &PublicKey, names: &[SubjectAltName], serial: &[u8], signer: &FileSigner) -> Vec<u8> {
        let now = self.clock.now();
        let inputs = LeafInputs {
            serial,
            validity: Validity { not_before: now.unix(), not_after: now.plus(90 * DAY - 1).unix() },
            public_key: key,
            names,
            common_name: None,
            crl_url: None,
            ocsp_url: None,
            issuer_url: None,
        };
        let tbs = leaf(&LeafProfile::default(), &self.root, signer.algorithm(), inputs).unwrap();
        tbs.sign(signer).unwrap().der().to_vec()
    }

    async fn issue_and_store(&self, request: IssuanceRequest) -> Result<IssuedCertificate> {
        let now = self.clock.now();
        let mut serial: [u8; 16] = bytes(self.random.as_ref());
        // As real ones: the second behind the prefix.
        let [_, _, _, _, second @ ..] = now.unix().to_be_bytes();
        serial[..5].copy_from_slice(&[&[0x42], second.as_slice()].concat());
        let names: Vec<SubjectAltName> = request
            .identifiers
            .iter()
            .map(|identifier| match identifier {
                Identifier::Dns(name) => SubjectAltName::Dns(name.to_string()),
                Identifier::Ip(address) => SubjectAltName::Ip(*address),
            })
            .collect();
        let key = PublicKey::from_der(&request.public_key).unwrap();
        let der = self.sign(&key, &names, &serial, &self.key);
        let serial = Serial::from_bytes(&serial).unwrap();
        let intent = Intent {
            serial: serial.clone(),
            order: request.order,
            account: request.account,
            issuer: IssuerId::from_bytes([7; 20]),
            crl_shard: None,
            lint_certificate: der.clone(),
            at: now,
        };
        self.sa.record_intent(intent).await?;
        let not_after = now.plus(90 * DAY - 1);
        let certificate = NewCertificate {
            serial: serial.clone(),
            der: der.clone(),
            spki_sha256: (!self.old.load(Ordering::SeqCst)).then(|| key.sha256()),
            not_after,
            at: now,
        };
        let ended_order = self.sa.add_certificate(certificate).await?;
        self.issued.lock().unwrap().push(der.clone());
        if request.order.is_some() && !ended_order {
            return Err(Error::new(ErrorKind::Conflict, "the order was given up"));
        }
        Ok(IssuedCertificate { serial, der })
    }
}

#[async_trait]
impl CertificateAuthority for FakeCa {
    async fn issue_certificate(&self, request: IssuanceRequest) -> Result<IssuedCertificate> {
        self.calls.send_modify(|calls| *calls += 1);
        self.requests.lock().unwrap().push(request.clone());
        self.gate.pass().await;
        let does = std::mem::take(&mut *self.does.lock().unwrap());
        match does {
            Issuance::Works => self.issue_and_store(request).await,
            Issuance::Breaks(kind) => Err(Error::new(kind, "as the test wants it")),
            Issuance::BreaksAfterStoring(kind) => {
                self.issue_and_store(request).await?;
                Err(Error::new(kind, "as the test wants it"))
            }
            Issuance::Dies => panic!("as the test wants it"),
            Issuance::DiesAfterStoring => {
                self.issue_and_store(request).await?;
                panic!("as the test wants it")
            }
        }
    }
}

/// What a validation authority says when nobody listens.
pub(crate) fn refused_connection() -> Problem {
    Problem::new(ProblemType::Connection, "nobody listens on port 80")
}

/// The kind of error, for assertions.
pub(crate) fn kind<T: std::fmt::Debug>(outcome: Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind
}
