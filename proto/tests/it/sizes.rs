//! The largest messages there can be.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::StorageRead;
use cairn_core::*;
use cairn_proto::{RemoteStorageRead, storage_read_server};

use crate::sample::{self, NOW};
use crate::world::channel_to;

/// A storage with one order.
struct OneOrder(OrderWithAuthorizations);

#[async_trait]
impl StorageRead for OneOrder {
    async fn account(&self, _: AccountId) -> Result<Option<Account>> {
        Ok(None)
    }
    async fn account_by_key(&self, _: Thumbprint) -> Result<Option<Account>> {
        Ok(None)
    }
    async fn order(&self, _: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        Ok(Some(self.0.clone()))
    }
    async fn authorization(&self, _: AuthorizationId) -> Result<Option<Authorization>> {
        Ok(None)
    }
    async fn certificate(&self, _: &Serial) -> Result<Option<CertificateRecord>> {
        Ok(None)
    }
    async fn renewal(&self, _: &Serial) -> Result<Option<Renewal>> {
        Ok(None)
    }
    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        Ok(Vec::new())
    }
    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

/// An order for a thousand of the longest names, each validated by `perspectives`, which were redirected ten times.
fn largest_order(perspectives: usize) -> OrderWithAuthorizations {
    let record = ValidationRecord {
        url: Some("h".repeat(2048)),
        hostname: "n".repeat(253),
        port: Some(65535),
        addresses_resolved: vec!["2001:db8::1".parse().unwrap(); 16],
        address_used: Some("2001:db8::1".parse().unwrap()),
        perspective: Some("north-west".to_owned()),
        problem: None,
    };
    let label = "l".repeat(60);
    let authorization = |number: u16| Authorization {
        id: AuthorizationId::from_bytes([number.to_be_bytes()[0]; 16]),
        identifier: Identifier::parse("dns", &format!("{number}.{label}.{label}.{label}.{label}")).unwrap(),
        progress: AuthorizationProgress::Valid {
            challenge: ChallengeType::Http01,
            at: NOW,
            records: vec![record.clone(); 11 * perspectives],
        },
        ..sample::authorization()
    };
    let authorizations: Vec<_> = (0..1000).map(authorization).collect();
    let order = Order {
        identifiers: authorizations.iter().map(|authorization| authorization.identifier.clone()).collect(),
        authorizations: authorizations.iter().map(|authorization| authorization.id).collect(),
        ..sample::order()
    };
    OrderWithAuthorizations { order, authorizations }
}

#[tokio::test]
async fn the_largest_order_passes() {
    let order = largest_order(2);
    let (channel, _server) = channel_to(storage_read_server(Arc::new(OneOrder(order.clone())))).await;
    let found = RemoteStorageRead::new(channel).order(order.order.id).await.unwrap().unwrap();
    assert!(found == order, "the order arrived as another");
}

#[tokio::test]
async fn a_larger_message_than_that_is_an_error_that_is_not_repeated() {
    let order = largest_order(3);
    let (channel, _server) = channel_to(storage_read_server(Arc::new(OneOrder(order.clone())))).await;
    let error = RemoteStorageRead::new(channel).order(order.order.id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(error.to_string().contains("too large"), "{error}");
}
