//! [`NonceOwner`] over gRPC: what front ends ask each other.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::Result;
use cairn_core::api::{NonceOwner, NoncePrefix};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, present};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::nonce_service_server as generated;

/// A front end elsewhere: the one at the other end, and no other, since no other can answer for it.
#[derive(Clone, Debug)]
pub struct RemoteNonceOwner<T>(Client<T>);

impl<T: Carrier> RemoteNonceOwner<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> NonceOwner for RemoteNonceOwner<T> {
    async fn prefix(&self) -> Result<NoncePrefix> {
        let answer: v1::PrefixResponse = self.0.call("/cairn.v1.NonceService/Prefix", v1::Nothing {}).await?;
        let unreadable = |_| BadMessage::new("PrefixResponse.prefix", "begins no nonce");
        Ok(answer.prefix.parse().map_err(unreadable)?)
    }

    async fn redeem_own(&self, nonce: &str) -> Result<bool> {
        let request = v1::RedeemOwnRequest { nonce: nonce.to_owned() };
        let answer: v1::RedeemOwnResponse = self.0.call("/cairn.v1.NonceService/RedeemOwn", request).await?;
        Ok(present("RedeemOwnResponse.redeemed", answer.redeemed)?)
    }
}

/// Lets others ask `owner`.
pub fn nonce_owner_server(owner: Arc<dyn NonceOwner>) -> impl Servable {
    serve!(generated::NonceServiceServer<_>, owner)
}

#[async_trait]
impl generated::NonceService for Served<dyn NonceOwner> {
    async fn prefix(&self, _: Request<v1::Nothing>) -> Result<Response<v1::PrefixResponse>, Status> {
        answer(async {
            let prefix = self.0.prefix().await?;
            Ok(v1::PrefixResponse { prefix: prefix.to_string() })
        })
        .await
    }

    async fn redeem_own(
        &self,
        request: Request<v1::RedeemOwnRequest>,
    ) -> Result<Response<v1::RedeemOwnResponse>, Status> {
        answer(async {
            let redeemed = self.0.redeem_own(&request.into_inner().nonce).await?;
            Ok(v1::RedeemOwnResponse { redeemed: Some(redeemed) })
        })
        .await
    }
}
