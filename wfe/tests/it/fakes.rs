//! A registration authority and a storage in one, that do what a test tells them and remember what they were asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use cairn_core::api::ra::{
    FinalizeOrderRequest, NewAccountRequest, NewAccountResponse, NewOrderRequest, PerformValidationRequest,
    RevokeCertificateRequest,
};
use cairn_core::api::{RegistrationAuthority, StorageRead};
use cairn_core::random::SeededRandom;
use cairn_core::{
    Account, AccountId, AccountStatus, Authorization, AuthorizationId, AuthorizationProgress, CaCertificate,
    CertificateRecord, ChallengeType, Error, ErrorKind, Identifier, Order, OrderId, OrderProgress,
    OrderWithAuthorizations, Renewal, Result, Serial, Thumbprint, Timestamp, Token,
};

use cairn_x509::Certificate;

/// Now, in every test.
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_767_323_045);

#[derive(Debug)]
pub(crate) struct Fake {
    random: SeededRandom,
    state: Mutex<State>,
    /// While a test holds it, no account is found.
    pub(crate) gate: tokio::sync::Mutex<()>,
    /// How many have come to the gate.
    pub(crate) at_the_gate: AtomicUsize,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) accounts: Vec<Account>,
    pub(crate) orders: Vec<Order>,
    pub(crate) authorizations: Vec<Authorization>,
    pub(crate) certificates: Vec<CertificateRecord>,
    /// Those that the CA has recorded.
    pub(crate) ca_certificates: Vec<CaCertificate>,
    /// How often they were asked for, and whether that fails.
    pub(crate) reads_of_ca_certificates: usize,
    pub(crate) ca_certificates_fail: bool,
    /// What is known for those who ask when to renew.
    pub(crate) renewals: Vec<(Serial, Renewal)>,
    pub(crate) finalized: Vec<FinalizeOrderRequest>,
    pub(crate) revoked: Vec<RevokeCertificateRequest>,
    /// What every call fails with.
    pub(crate) failure: Option<Error>,
    /// What the registration authority says to every request.
    pub(crate) refusal: Option<Error>,
    /// Whether every call panics.
    pub(crate) panics: bool,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            random: SeededRandom::new(5),
            state: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
            at_the_gate: AtomicUsize::new(0),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The state, or the failure that the test wants.
    fn call(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        let (panics, failure) = (state.panics, state.failure.clone());
        if panics {
            // Not under the lock, which would be poisoned.
            drop(state);
            panic!("as the test wants");
        }
        failure.map_or(Ok(state), Err)
    }

    /// The same, for the registration authority.
    fn decide(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.call()?;
        match state.refusal.clone() {
            Some(refusal) => Err(refusal),
            None => Ok(state),
        }
    }

    /// Stores CA certificates, as the certificate authority does.
    pub(crate) fn record<const N: usize>(&self, certificates: [&Certificate; N]) {
        let record = |it: &Certificate| CaCertificate { der: it.der().to_vec(), subject: None, at: NOW };
        self.state().ca_certificates.extend(certificates.map(record));
    }

    /// Stores an order with pending authorizations.
    pub(crate) fn add_order(&self, account: AccountId, identifiers: &[Identifier]) -> OrderId {
        let authorizations = identifiers.iter().map(|identifier| Authorization {
            id: AuthorizationId::new(NOW, &self.random),
            account,
            identifier: identifier.base(),
            wildcard: identifier.is_wildcard(),
            created: NOW,
            expires: NOW.plus(100),
            token: Token::new(&self.random),
            challenges: vec![ChallengeType::Http01, ChallengeType::Dns01],
            progress: AuthorizationProgress::Pending,
        });
        let authorizations: Vec<_> = authorizations.collect();
        let order = Order {
            id: OrderId::new(NOW, &self.random),
            account,
            identifiers: identifiers.to_vec(),
            authorizations: authorizations.iter().map(|authz| authz.id).collect(),
            profile: "default".to_owned(),
            created: NOW,
            expires: NOW.plus(100),
            progress: OrderProgress::Open,
            replaces: None,
        };
        let id = order.id;
        self.state().authorizations.extend(authorizations);
        self.state().orders.push(order);
        id
    }
}

impl State {
    fn order(&self, id: OrderId) -> Option<OrderWithAuthorizations> {
        let order = self.orders.iter().find(|order| order.id == id)?.clone();
        let authorizations = order
            .authorizations
            .iter()
            .map(|id| self.authorizations.iter().find(|authz| authz.id == *id).unwrap().clone());
        Some(OrderWithAuthorizations { authorizations: authorizations.collect(), order })
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> &mut Account {
        self.accounts.iter_mut().find(|account| account.id == id).unwrap()
    }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "not there")
}

#[async_trait]
impl StorageRead for Fake {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.at_the_gate.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.lock().await);
        Ok(self.call()?.accounts.iter().find(|account| account.id == id).cloned())
    }

    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>> {
        Ok(self.call()?.accounts.iter().find(|account| account.thumbprint() == thumbprint).cloned())
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        Ok(self.call()?.order(id))
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>> {
        Ok(self.call()?.authorizations.iter().find(|authz| authz.id == id).cloned())
    }

    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>> {
        Ok(self.call()?.certificates.iter().find(|record| record.serial == *serial).cloned())
    }

    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>> {
        Ok(self.call()?.renewals.iter().find(|(of, _)| of == serial).map(|(_, renewal)| renewal.clone()))
    }

    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        let mut state = self.call()?;
        state.reads_of_ca_certificates += 1;
        if state.ca_certificates_fail {
            return Err(Error::new(ErrorKind::Unavailable, "as the test wants"));
        }
        Ok(state.ca_certificates.clone())
    }

    async fn ping(&self) -> Result<()> {
        self.call().map(|_| ())
    }
}

#[async_trait]
impl RegistrationAuthority for Fake {
    async fn new_account(&self, request: NewAccountRequest) -> Result<NewAccountResponse> {
        drop(self.decide()?);
        if let Some(account) = self.account_by_key(request.key.thumbprint()).await? {
            return Ok(NewAccountResponse { account, created: false });
        }
        let account = Account {
            id: AccountId::new(NOW, &self.random),
            key: request.key,
            contact: request.contact,
            status: AccountStatus::Valid,
            created: NOW,
        };
        self.state().accounts.push(account.clone());
        Ok(NewAccountResponse { account, created: true })
    }

    async fn update_account(&self, id: AccountId, contact: Vec<String>) -> Result<Account> {
        let mut state = self.decide()?;
        let account = state.account_mut(id);
        account.contact = contact;
        Ok(account.clone())
    }

    async fn deactivate_account(&self, id: AccountId) -> Result<Account> {
        let mut state = self.decide()?;
        let account = state.account_mut(id);
        account.status = AccountStatus::Deactivated;
        Ok(account.clone())
    }

    async fn new_order(&self, request: NewOrderRequest) -> Result<OrderWithAuthorizations> {
        drop(self.decide()?);
        let id = self.add_order(request.account, &request.identifiers);
        let mut state = self.state();
        if let Some(order) = state.orders.iter_mut().find(|order| order.id == id) {
            order.replaces = request.replaces;
        }
        state.order(id).ok_or_else(not_found)
    }

    async fn perform_validation(&self, request: PerformValidationRequest) -> Result<Authorization> {
        let mut state = self.decide()?;
        let authz = state.authorizations.iter_mut().find(|authz| authz.id == request.authorization);
        let authz = authz.filter(|authz| authz.account == request.account).ok_or_else(not_found)?;
        authz.progress = AuthorizationProgress::Validating { challenge: request.challenge, since: NOW };
        Ok(authz.clone())
    }

    async fn deactivate_authorization(
        &self,
        account: AccountId,
        id: AuthorizationId,
    ) -> Result<Authorization> {
        let mut state = self.decide()?;
        let authz = state.authorizations.iter_mut().find(|authz| authz.id == id && authz.account == account);
        let authz = authz.ok_or_else(not_found)?;
        authz.progress = AuthorizationProgress::Deactivated { at: NOW };
        Ok(authz.clone())
    }

    async fn finalize_order(&self, request: FinalizeOrderRequest) -> Result<OrderWithAuthorizations> {
        let mut state = self.decide()?;
        let order = state.orders.iter_mut().find(|order| order.id == request.order);
        let order = order.filter(|order| order.account == request.account).ok_or_else(not_found)?;
        order.progress = OrderProgress::Processing { since: NOW };
        let order = state.order(request.order).ok_or_else(not_found);
        state.finalized.push(request);
        order
    }

    async fn revoke_certificate(&self, request: RevokeCertificateRequest) -> Result<()> {
        self.decide()?.revoked.push(request);
        Ok(())
    }
}
