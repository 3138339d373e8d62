//! A storage of some engine, and things to store in it.

use std::any::Any;
use std::sync::Arc;

use cairn_core::api::Storage;
use cairn_core::api::sa::{Intent, NewCertificate, NewOrder, SubjectKey};
use cairn_core::random::{SeededRandom, bytes};
use cairn_core::{
    Account, AccountId, AccountStatus, Authorization, AuthorizationId, AuthorizationProgress, ChallengeType,
    Error, ErrorKind, Identifier, IssuerId, Order, OrderId, OrderProgress, OrderWithAuthorizations, Problem,
    ProblemType, Result, Serial, Thumbprint, Timestamp, Token, ValidationRecord, WorkerId,
};
use cairn_sa::prune::Prune;

/// When everything happens.
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
/// The end of authorizations, pending or valid.
pub(crate) const AUTHORIZATION_END: Timestamp = NOW.plus(1000);
/// The end of orders.
pub(crate) const ORDER_END: Timestamp = NOW.plus(500);

/// Whoever works on what is being worked on.
pub(crate) const WORKER: WorkerId = WorkerId::from_bytes([1; 16]);

/// All that an engine does.
pub(crate) trait Engine: Storage + Prune {}

impl<T: Storage + Prune> Engine for T {}

pub(crate) struct World {
    pub(crate) storage: Arc<dyn Engine>,
    random: SeededRandom,
    /// What must live as long as the storage: a folder, a server.
    _ground: Box<dyn Any + Send + Sync>,
}

/// A key that nobody knows.
pub(crate) const KEY: SubjectKey = SubjectKey { spki_sha256: [1; 32], thumbprint: None };

impl World {
    pub(crate) fn new(storage: Arc<dyn Engine>, ground: impl Any + Send + Sync) -> Self {
        Self { storage, random: SeededRandom::new(1), _ground: Box::new(ground) }
    }

    /// An account that is not stored yet, with a key of its own.
    pub(crate) fn unstored_account(&self) -> Account {
        // Any 32 bytes serve as an Ed25519 key that never verifies anything; a thumbprint prints bytes as base64url.
        let x = Thumbprint::from_bytes(bytes(&self.random)).to_string();
        let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        Account {
            id: AccountId::new(NOW, &self.random),
            key: serde_json::from_value(jwk).unwrap(),
            contact: vec!["mailto:someone@example.test".to_owned()],
            status: AccountStatus::Valid,
            created: NOW,
        }
    }

    pub(crate) async fn account(&self) -> Account {
        let account = self.unstored_account();
        assert_eq!(self.storage.new_account(account.clone()).await, Ok(None));
        account
    }

    pub(crate) fn unstored_authorization(
        &self,
        account: AccountId,
        identifier: &Identifier,
    ) -> Authorization {
        Authorization {
            id: AuthorizationId::new(NOW, &self.random),
            account,
            identifier: identifier.base(),
            wildcard: identifier.is_wildcard(),
            created: NOW,
            expires: AUTHORIZATION_END,
            token: Token::new(&self.random),
            challenges: ChallengeType::ALL.to_vec(),
            progress: AuthorizationProgress::Pending,
        }
    }

    /// An order of which nothing is stored, and its authorizations, all new.
    pub(crate) fn unstored_order(&self, account: AccountId, names: &[&str]) -> OrderWithAuthorizations {
        self.unstored_order_at(NOW, account, names)
    }

    /// The same, placed at another time.
    pub(crate) fn unstored_order_at(
        &self,
        placed: Timestamp,
        account: AccountId,
        names: &[&str],
    ) -> OrderWithAuthorizations {
        let identifiers = identifiers(names);
        let authorizations: Vec<_> =
            identifiers.iter().map(|identifier| self.unstored_authorization(account, identifier)).collect();
        let order = Order {
            id: OrderId::new(placed, &self.random),
            account,
            identifiers,
            authorizations: authorizations.iter().map(|authorization| authorization.id).collect(),
            profile: "default".to_owned(),
            created: placed,
            expires: ORDER_END,
            progress: OrderProgress::Open,
            replaces: None,
        };
        OrderWithAuthorizations { order, authorizations }
    }

    pub(crate) async fn store(&self, order: &OrderWithAuthorizations) -> Result<()> {
        let new = NewOrder { order: order.order.clone(), new_authorizations: order.authorizations.clone() };
        self.storage.new_order_and_authorizations(new).await
    }

    /// A stored order with pending authorizations.
    pub(crate) async fn order(&self, account: AccountId, names: &[&str]) -> OrderWithAuthorizations {
        let order = self.unstored_order(account, names);
        self.store(&order).await.unwrap();
        order
    }

    /// Begins and ends the validation of an authorization.
    pub(crate) async fn validate(&self, authorization: AuthorizationId, progress: AuthorizationProgress) {
        let storage = &self.storage;
        storage
            .set_authorization_processing(authorization, ChallengeType::Http01, WORKER, NOW)
            .await
            .unwrap();
        storage.finalize_authorization(authorization, progress, AUTHORIZATION_END).await.unwrap();
    }

    /// A stored order whose authorizations are valid.
    pub(crate) async fn ready_order(&self, account: AccountId, names: &[&str]) -> OrderId {
        let order = self.order(account, names).await.order;
        for authorization in order.authorizations {
            self.validate(authorization, valid()).await;
        }
        order.id
    }

    /// A stored order that is being issued.
    pub(crate) async fn processing_order(&self, account: AccountId, since: Timestamp) -> OrderId {
        let order = self.ready_order(account, &["a.test"]).await;
        self.storage.set_order_processing(order, KEY, WORKER, since).await.unwrap();
        order
    }

    pub(crate) fn serial(&self) -> Serial {
        let mut serial: [u8; 16] = bytes(&self.random);
        serial[0] = 0x7f;
        Serial::from_bytes(&serial).unwrap()
    }

    pub(crate) fn intent(&self, order: Option<OrderId>) -> Intent {
        Intent {
            serial: self.serial(),
            order,
            account: order.map(|_| AccountId::from_bytes([9; 16])),
            issuer: IssuerId::from_bytes([5; 20]),
            crl_shard: None,
            lint_certificate: vec![0x30; 700],
            at: NOW,
        }
    }

    /// A stored certificate.
    pub(crate) async fn certificate(&self, order: Option<OrderId>) -> Serial {
        let intent = self.intent(order);
        self.storage.record_intent(intent.clone()).await.unwrap();
        self.storage.add_certificate(certificate(&intent.serial)).await.unwrap();
        intent.serial
    }
}

pub(crate) fn certificate(serial: &Serial) -> NewCertificate {
    NewCertificate {
        serial: serial.clone(),
        der: vec![0x31; 800],
        spki_sha256: Some([7; 32]),
        not_after: NOW.plus(7_776_000),
        at: NOW,
    }
}

pub(crate) fn identifier(name: &str) -> Identifier {
    Identifier::parse("dns", name).unwrap_or_else(|_| Identifier::parse("ip", name).unwrap())
}

/// Sorted, as orders have them.
pub(crate) fn identifiers(names: &[&str]) -> Vec<Identifier> {
    let mut identifiers: Vec<_> = names.iter().copied().map(identifier).collect();
    identifiers.sort();
    identifiers
}

pub(crate) fn valid() -> AuthorizationProgress {
    let record =
        ValidationRecord { hostname: "a.test".to_owned(), port: Some(80), ..ValidationRecord::default() };
    AuthorizationProgress::Valid { challenge: ChallengeType::Http01, at: NOW, records: vec![record] }
}

pub(crate) fn invalid() -> AuthorizationProgress {
    AuthorizationProgress::Invalid {
        challenge: ChallengeType::Http01,
        at: NOW,
        records: Vec::new(),
        problem: problem(),
    }
}

pub(crate) fn problem() -> Problem {
    Problem::new(ProblemType::Connection, "nobody there")
}

/// What kind of error a call gave, if one.
pub(crate) fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}
