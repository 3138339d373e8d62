//! What front ends read, from the replica where that does: [`super::replica`] sees to it that nothing that was acknowledged is missing there.
//!
//! The replica can be ahead: it shows a commit while the primary still waits for its word. A client that was shown such a thing could act
//! upon it, and be refused by the registration authority, which asks the primary. So what something has come of, and what is not found, is
//! read again on the primary; of orders and authorizations that leaves those which clients wait for.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::StorageRead;
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, AuthorizationProgress, CaCertificate,
    CertificateRecord, OrderId, OrderProgress, OrderWithAuthorizations, Renewal, Result, Serial, Thumbprint,
};

use super::{PostgresStorage, accounts, authorizations, certificates, orders, replacements};
use crate::error::DbError;
use crate::metrics::READS;

/// The reads of a storage's front ends. Everybody else reads from the storage itself, which asks the primary.
pub struct NearReads(Arc<PostgresStorage>);

impl NearReads {
    /// Those of `storage`.
    pub fn new(storage: Arc<PostgresStorage>) -> Self {
        Self(storage)
    }

    /// What the replica says, if it may be asked, finds something, and that `suffices`.
    async fn near<T: Send>(
        &self,
        found: impl Future<Output = Result<Option<T>, DbError>> + Send,
        suffices: fn(&T) -> bool,
    ) -> Option<T> {
        let found = self.0.read(found).await.ok().flatten().filter(suffices);
        if found.is_some() {
            READS.by_replica()
        } else {
            READS.by_primary()
        }
        found
    }
}

#[async_trait]
impl StorageRead for NearReads {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let near = self.near(accounts::by_id(&self.0.replica, id), |_| true).await;
        if near.is_some() { Ok(near) } else { self.0.account(id).await }
    }

    /// A client may not know yet that it has this account, and would act upon hearing of it.
    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>> {
        self.0.account_by_key(thumbprint).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        let near = self.near(orders::by_id(&self.0.replica, id), order_waits).await;
        if near.is_some() { Ok(near) } else { self.0.order(id).await }
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>> {
        let near = self.near(authorizations::by_id(&self.0.replica, id), authorization_waits).await;
        if near.is_some() { Ok(near) } else { self.0.authorization(id).await }
    }

    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>> {
        let near = self.near(certificates::by_serial(&self.0.replica, serial), |_| true).await;
        if near.is_some() { Ok(near) } else { self.0.certificate(serial).await }
    }

    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>> {
        let near = self.near(replacements::renewal(&self.0.replica, serial), |_| true).await;
        if near.is_some() { Ok(near) } else { self.0.renewal(serial).await }
    }

    /// Of these, none may be missing that was acknowledged, and they are asked for once in a while.
    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.0.ca_certificates().await
    }

    async fn ping(&self) -> Result<()> {
        self.0.ping().await
    }
}

/// Whether nothing has come of an order that a client could act upon.
fn order_waits(order: &OrderWithAuthorizations) -> bool {
    match order.order.progress {
        OrderProgress::Processing { .. } => true,
        OrderProgress::Open => order.authorizations.iter().all(authorization_waits),
        OrderProgress::Issued { .. } | OrderProgress::Failed { .. } => false,
    }
}

/// The same of an authorization.
fn authorization_waits(authorization: &Authorization) -> bool {
    match authorization.progress {
        AuthorizationProgress::Pending | AuthorizationProgress::Validating { .. } => true,
        AuthorizationProgress::Valid { .. }
        | AuthorizationProgress::Invalid { .. }
        | AuthorizationProgress::Deactivated { .. } => false,
    }
}
