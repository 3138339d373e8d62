//! The side that is called.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::StorageAuthority;
use cairn_core::api::sa::SubjectKey;
use cairn_core::{Identifier, Result, Timestamp, WorkerId};
use tonic::{Request, Response, Status};

use crate::reading::{BadMessage, Read, list, present, read, time, value, wire};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::storage_authority_server as generated;
use crate::vocabulary::{account_id, authorization_id, order_id, sha256, thumbprint, worker_id};

/// Lets others change what is in `storage`. Those who may do that may read, too: mount [`storage_read_server`](crate::storage_read_server)
/// beside it.
pub fn storage_authority_server(storage: Arc<dyn StorageAuthority>) -> impl Servable {
    serve!(generated::StorageAuthorityServer<_>, storage)
}

#[async_trait]
impl generated::StorageAuthority for Served<dyn StorageAuthority> {
    async fn new_account(
        &self,
        request: Request<v1::StorageNewAccountRequest>,
    ) -> Result<Response<v1::AccountResponse>, Status> {
        answer(async {
            let account = read("StorageNewAccountRequest.account", request.into_inner().account)?;
            Ok(v1::AccountResponse { account: self.0.new_account(account).await?.map(Into::into) })
        })
        .await
    }

    async fn set_contact(
        &self,
        request: Request<v1::SetContactRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("SetContactRequest.account", &it.account)?;
            Ok(self.0.set_contact(account, it.contact).await?.into())
        })
        .await
    }

    async fn deactivate_account(
        &self,
        request: Request<v1::StorageDeactivateAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        answer(async {
            let account =
                account_id("StorageDeactivateAccountRequest.account", &request.into_inner().account)?;
            Ok(self.0.deactivate_account(account).await?.into())
        })
        .await
    }

    async fn revoke_account(
        &self,
        request: Request<v1::RevokeAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        answer(async {
            let account = account_id("RevokeAccountRequest.account", &request.into_inner().account)?;
            Ok(self.0.revoke_account(account).await?.into())
        })
        .await
    }

    async fn order_for_identifiers(
        &self,
        request: Request<v1::OrderForIdentifiersRequest>,
    ) -> Result<Response<v1::OrderResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("OrderForIdentifiersRequest.account", &it.account)?;
            let identifiers: Vec<Identifier> = list(it.identifiers)?;
            let until = time("OrderForIdentifiersRequest.until", it.until)?;
            let order = self.0.order_for_identifiers(account, &identifiers, &it.profile, until).await?;
            Ok(v1::OrderResponse { order: order.map(Into::into) })
        })
        .await
    }

    async fn valid_authorizations(
        &self,
        request: Request<v1::ValidAuthorizationsRequest>,
    ) -> Result<Response<v1::ValidAuthorizationsResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("ValidAuthorizationsRequest.account", &it.account)?;
            let identifiers: Vec<Identifier> = list(it.identifiers)?;
            let until = time("ValidAuthorizationsRequest.until", it.until)?;
            let authorizations = self.0.valid_authorizations(account, &identifiers, until).await?;
            Ok(v1::ValidAuthorizationsResponse { authorizations: wire(authorizations) })
        })
        .await
    }

    async fn new_order_and_authorizations(
        &self,
        request: Request<v1::NewOrderAndAuthorizationsRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            self.0.new_order_and_authorizations(request.into_inner().try_into()?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn set_authorization_processing(
        &self,
        request: Request<v1::SetAuthorizationProcessingRequest>,
    ) -> Result<Response<v1::SetAuthorizationProcessingResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let authorization =
                authorization_id("SetAuthorizationProcessingRequest.authorization", &it.authorization)?;
            let challenge =
                value::<v1::ChallengeType, _>("SetAuthorizationProcessingRequest.challenge", it.challenge)?;
            let at = time("SetAuthorizationProcessingRequest.at", it.at)?;
            let worker = worker_id("SetAuthorizationProcessingRequest.worker", &it.worker)?;
            let begun = self.0.set_authorization_processing(authorization, challenge, worker, at);
            let thumbprint = begun.await?;
            Ok(v1::SetAuthorizationProcessingResponse { thumbprint: thumbprint.as_bytes().to_vec() })
        })
        .await
    }

    async fn finalize_authorization(
        &self,
        request: Request<v1::FinalizeAuthorizationRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let authorization =
                authorization_id("FinalizeAuthorizationRequest.authorization", &it.authorization)?;
            let progress = read("FinalizeAuthorizationRequest.progress", it.progress)?;
            let expires = time("FinalizeAuthorizationRequest.expires", it.expires)?;
            self.0.finalize_authorization(authorization, progress, expires).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn deactivate_authorization(
        &self,
        request: Request<v1::StorageDeactivateAuthorizationRequest>,
    ) -> Result<Response<v1::Authorization>, Status> {
        answer(async {
            let it = request.into_inner();
            let authorization =
                authorization_id("StorageDeactivateAuthorizationRequest.authorization", &it.authorization)?;
            let at = time("StorageDeactivateAuthorizationRequest.at", it.at)?;
            Ok(self.0.deactivate_authorization(authorization, at).await?.into())
        })
        .await
    }

    async fn set_order_processing(
        &self,
        request: Request<v1::SetOrderProcessingRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let order = order_id("SetOrderProcessingRequest.order", &it.order)?;
            let worker = worker_id("SetOrderProcessingRequest.worker", &it.worker)?;
            let thumbprint = it
                .thumbprint
                .map(|key| thumbprint("SetOrderProcessingRequest.thumbprint", &key))
                .transpose()?;
            let spki_sha256 = sha256("SetOrderProcessingRequest.spki_sha256", &it.spki_sha256)?;
            let (key, at) =
                (SubjectKey { spki_sha256, thumbprint }, time("SetOrderProcessingRequest.at", it.at)?);
            self.0.set_order_processing(order, key, worker, at).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn set_order_error(
        &self,
        request: Request<v1::SetOrderErrorRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let order = order_id("SetOrderErrorRequest.order", &it.order)?;
            self.0.set_order_error(order, read("SetOrderErrorRequest.problem", it.problem)?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let worker = worker_id("HeartbeatRequest.worker", &it.worker)?;
            self.0.heartbeat(worker, time("HeartbeatRequest.at", it.at)?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn retire(&self, request: Request<v1::RetireRequest>) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            self.0.retire(worker_id("RetireRequest.worker", &request.into_inner().worker)?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn take_abandoned_orders(
        &self,
        request: Request<v1::TakeAbandonedRequest>,
    ) -> Result<Response<v1::AbandonedOrders>, Status> {
        answer(async {
            let (worker, silent_since, limit) = take_abandoned(request.into_inner())?;
            let orders = self.0.take_abandoned_orders(worker, silent_since, limit).await?;
            Ok(v1::AbandonedOrders { orders: wire(orders) })
        })
        .await
    }

    async fn take_abandoned_validations(
        &self,
        request: Request<v1::TakeAbandonedRequest>,
    ) -> Result<Response<v1::AbandonedValidations>, Status> {
        answer(async {
            let (worker, silent_since, limit) = take_abandoned(request.into_inner())?;
            let validations = self.0.take_abandoned_validations(worker, silent_since, limit).await?;
            Ok(v1::AbandonedValidations { validations: wire(validations) })
        })
        .await
    }

    async fn revoke_certificate(
        &self,
        request: Request<v1::StorageRevokeCertificateRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            self.0.revoke_certificate(request.into_inner().try_into()?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn block_key(
        &self,
        request: Request<v1::BlockKeyRequest>,
    ) -> Result<Response<v1::BlockKeyResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let key = sha256("BlockKeyRequest.spki_sha256", &it.spki_sha256)?;
            let blocked = self.0.block_key(key, time("BlockKeyRequest.at", it.at)?).await?;
            Ok(v1::BlockKeyResponse { blocked: Some(blocked) })
        })
        .await
    }

    async fn key_blocked(
        &self,
        request: Request<v1::KeyBlockedRequest>,
    ) -> Result<Response<v1::KeyBlockedResponse>, Status> {
        answer(async {
            let key = sha256("KeyBlockedRequest.spki_sha256", &request.into_inner().spki_sha256)?;
            Ok(v1::KeyBlockedResponse { blocked: Some(self.0.key_blocked(key).await?) })
        })
        .await
    }
}

/// How many at most.
fn count(field: &'static str, limit: Option<u64>) -> Read<usize> {
    let limit = present(field, limit)?;
    usize::try_from(limit).map_err(|_| BadMessage::new(field, "is too large"))
}

fn take_abandoned(it: v1::TakeAbandonedRequest) -> Read<(WorkerId, Timestamp, usize)> {
    let worker = worker_id("TakeAbandonedRequest.worker", &it.worker)?;
    let silent_since = time("TakeAbandonedRequest.silent_since", it.silent_since)?;
    Ok((worker, silent_since, count("TakeAbandonedRequest.limit", it.limit)?))
}
