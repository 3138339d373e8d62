//! A certificate authority with a hierarchy, a storage that keeps a journal, and a key that writes into the same journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use cairn_ca::{Ca, Config, Issuer};
use cairn_core::api::ca::{CertificateAuthority, IssuanceRequest, IssuedCertificate};
use cairn_core::api::sa::{CertificateStore, Intent, NewCertificate};
use cairn_core::random::SeededRandom;
use cairn_core::time::FakeClock;
use cairn_core::{
    AccountId, CaCertificate, CertificateStatus, Error, ErrorKind, Identifier, OrderId, Result, Revocation,
    Serial, Timestamp,
};
use cairn_x509::{
    CaProfile, Certificate, FileSigner, IntermediateInputs, KeySpec, Name, PublicKey, RootInputs,
    SignatureAlgorithm, Signer, SignerError, Urls, Validity, intermediate, root,
};

pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
pub(crate) const DAY: i64 = 24 * 60 * 60;

/// One thing that happened, in order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Intent(Intent),
    Signature { message: Vec<u8> },
    Certificate(NewCertificate),
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    events: Mutex<Vec<Event>>,
}

impl Journal {
    pub(crate) fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap()
    }

    /// The kinds of what happened, as letters: I(ntent), S(ignature), C(ertificate).
    pub(crate) fn letters(&self) -> String {
        let letter = |event: &Event| match event {
            Event::Intent(_) => 'I',
            Event::Signature { .. } => 'S',
            Event::Certificate(_) => 'C',
        };
        self.events().iter().map(letter).collect()
    }

    pub(crate) fn intents(&self) -> Vec<Intent> {
        let intent = |event: &Event| match event {
            Event::Intent(intent) => Some(intent.clone()),
            _ => None,
        };
        self.events().iter().filter_map(intent).collect()
    }

    pub(crate) fn certificates(&self) -> Vec<NewCertificate> {
        let certificate = |event: &Event| match event {
            Event::Certificate(certificate) => Some(certificate.clone()),
            _ => None,
        };
        self.events().iter().filter_map(certificate).collect()
    }
}

/// Keeps the contract of [`CertificateStore`], and fails when told to.
#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    pub(crate) journal: Arc<Journal>,
    pub(crate) intent_fails: Mutex<Option<Error>>,
    pub(crate) certificate_fails: Mutex<Option<Error>>,
    pub(crate) order_given_up: Mutex<bool>,
    /// What was recorded at a time.
    pub(crate) ca_certificates: Mutex<Vec<Vec<CaCertificate>>>,
    pub(crate) ca_certificates_fail: Mutex<Option<Error>>,
    pub(crate) revoked: Mutex<BTreeMap<Serial, Revocation>>,
    pub(crate) statuses_fail: Mutex<Option<Error>>,
}

fn conflict() -> Error {
    Error::new(ErrorKind::Conflict, "There is one already.")
}

#[async_trait]
impl CertificateStore for FakeStore {
    async fn record_intent(&self, intent: Intent) -> Result<()> {
        if let Some(error) = self.intent_fails.lock().unwrap().clone() {
            return Err(error);
        }
        let known = |other: &Intent| {
            other.serial == intent.serial || (other.order.is_some() && other.order == intent.order)
        };
        if self.journal.intents().iter().any(known) {
            return Err(conflict());
        }
        self.journal.events().push(Event::Intent(intent));
        Ok(())
    }

    async fn add_certificate(&self, certificate: NewCertificate) -> Result<bool> {
        if let Some(error) = self.certificate_fails.lock().unwrap().clone() {
            return Err(error);
        }
        let intent = self.journal.intents().into_iter().find(|intent| intent.serial == certificate.serial);
        let stored =
            self.journal.events().iter().any(
                |event| matches!(event, Event::Certificate(other) if other.serial == certificate.serial),
            );
        let (Some(intent), false) = (intent, stored) else { return Err(conflict()) };
        self.journal.events().push(Event::Certificate(certificate));
        Ok(intent.order.is_some() && !*self.order_given_up.lock().unwrap())
    }

    async fn record_ca_certificates(&self, certificates: Vec<CaCertificate>) -> Result<()> {
        if let Some(error) = self.ca_certificates_fail.lock().unwrap().clone() {
            return Err(error);
        }
        self.ca_certificates.lock().unwrap().push(certificates);
        Ok(())
    }

    async fn certificate_statuses(&self, serials: &[Serial]) -> Result<Vec<Option<CertificateStatus>>> {
        if let Some(error) = self.statuses_fail.lock().unwrap().clone() {
            return Err(error);
        }
        let revoked = self.revoked.lock().unwrap();
        let intents = self.journal.intents();
        let certificates = self.journal.certificates();
        let status = |serial: &Serial| {
            certificates.iter().find(|certificate| certificate.serial == *serial)?;
            let intent = intents.iter().find(|intent| intent.serial == *serial)?;
            Some(CertificateStatus { issuer: intent.issuer, revocation: revoked.get(serial).copied() })
        };
        Ok(serials.iter().map(status).collect())
    }
}

/// A key that writes down what it signs, and fails when told to.
pub(crate) struct WitnessedKey {
    pub(crate) key: FileSigner,
    pub(crate) journal: Arc<Journal>,
    pub(crate) fails: Arc<Mutex<bool>>,
}

impl Signer for WitnessedKey {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignerError> {
        if *self.fails.lock().unwrap() {
            return Err(SignerError::Signing);
        }
        self.journal.events().push(Event::Signature { message: message.to_vec() });
        self.key.sign(message)
    }
}

/// A root and an intermediate.
pub(crate) struct Hierarchy {
    pub(crate) root: Certificate,
    pub(crate) root_key: FileSigner,
    pub(crate) intermediate: Certificate,
    pub(crate) intermediate_key: FileSigner,
}

/// A validity from a day before [`NOW`] to `days` after it.
pub(crate) fn validity(days: i64) -> Validity {
    Validity { not_before: NOW.unix() - DAY, not_after: NOW.unix() + days * DAY }
}

impl Hierarchy {
    /// An intermediate with a key as `spec` that ends after `days`.
    pub(crate) fn new(spec: KeySpec, days: i64) -> Self {
        Self::of(&CaProfile::for_tls(), spec, days)
    }

    /// The same with an intermediate by `profile`.
    pub(crate) fn of(profile: &CaProfile, spec: KeySpec, days: i64) -> Self {
        let root_key = FileSigner::generate(KeySpec::P256).unwrap();
        let subject = Name::new("Test Root", None).unwrap();
        let public_key = root_key.public_key();
        let inputs = RootInputs {
            serial: &[1; 16],
            validity: validity(7300),
            public_key,
            subject: &subject,
            digital_signature: false,
        };
        let root = root(root_key.algorithm(), inputs).unwrap().sign(&root_key).unwrap();
        let intermediate_key = FileSigner::generate(spec).unwrap();
        let inputs = IntermediateInputs {
            serial: &[2; 16],
            validity: validity(days),
            public_key: intermediate_key.public_key(),
            subject: &Name::new("Test Intermediate", None).unwrap(),
            urls: Urls::default(),
        };
        let tbs = intermediate(profile, &root, root_key.algorithm(), inputs).unwrap();
        let intermediate = tbs.sign(&root_key).unwrap();
        Self { root, root_key, intermediate, intermediate_key }
    }

    /// The intermediate as issuer.
    pub(crate) fn issuer(self) -> Issuer {
        let Self { root, intermediate, intermediate_key, .. } = self;
        Issuer::load(&intermediate.to_pem(), &root.to_pem(), Box::new(intermediate_key), NOW).unwrap()
    }
}

pub(crate) struct World {
    pub(crate) ca: Ca,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) key_fails: Arc<Mutex<bool>>,
    pub(crate) intermediate: Certificate,
}

impl World {
    /// A P-256 issuer for five years, and the default configuration.
    pub(crate) fn new() -> Self {
        Self::with(Config::default(), Hierarchy::new(KeySpec::P256, 1825))
    }

    pub(crate) fn with_config(text: &str) -> Self {
        Self::with(toml::from_str(text).unwrap(), Hierarchy::new(KeySpec::P256, 1825))
    }

    pub(crate) fn with_hierarchy(hierarchy: Hierarchy) -> Self {
        Self::with(Config::default(), hierarchy)
    }

    /// With these issuers, whose keys write no journal.
    pub(crate) fn with_issuers(issuers: Vec<Issuer>) -> Self {
        let world = Self::new();
        world.exchange(issuers);
        world
    }

    pub(crate) fn exchange(&self, issuers: Vec<Issuer>) {
        let issuers = issuers.into_iter().map(Arc::new).collect();
        self.ca.exchange(cairn_ca::Hierarchy { issuers, ..Default::default() });
    }

    pub(crate) fn with(config: Config, hierarchy: Hierarchy) -> Self {
        let Hierarchy { root, intermediate, intermediate_key, .. } = hierarchy;
        let journal = Arc::new(Journal::default());
        let key_fails = Arc::new(Mutex::new(false));
        let key = WitnessedKey {
            key: intermediate_key,
            journal: Arc::clone(&journal),
            fails: Arc::clone(&key_fails),
        };
        let issuer = Issuer::load(&intermediate.to_pem(), &root.to_pem(), Box::new(key), NOW).unwrap();
        // The self-test has signed.
        journal.events().clear();
        let store = Arc::new(FakeStore { journal: Arc::clone(&journal), ..FakeStore::default() });
        let clock = Arc::new(FakeClock::new(NOW));
        let random = Arc::new(SeededRandom::new(1));
        let ca = Ca::new(config, issuer, Arc::clone(&store) as _, Arc::clone(&clock) as _, random).unwrap();
        Self { ca, store, journal, clock, key_fails, intermediate }
    }

    pub(crate) async fn issue(&self, request: IssuanceRequest) -> Result<IssuedCertificate> {
        self.ca.issue_certificate(request).await
    }
}

/// A request with a new key, for an order of its own.
pub(crate) fn request(identifiers: &[(&str, &str)]) -> IssuanceRequest {
    request_for(KeySpec::P256, identifiers)
}

/// The same with a key of this kind.
pub(crate) fn request_for(key: KeySpec, identifiers: &[(&str, &str)]) -> IssuanceRequest {
    let random = SeededRandom::new(7);
    let key = FileSigner::generate(key).unwrap();
    let identifier = |(kind, value): &(&str, &str)| Identifier::parse(kind, value).unwrap();
    IssuanceRequest {
        order: Some(OrderId::new(NOW, &random)),
        account: Some(AccountId::new(NOW, &random)),
        profile: "default".to_owned(),
        public_key: key.public_key().der().to_vec(),
        identifiers: identifiers.iter().map(identifier).collect(),
    }
}
