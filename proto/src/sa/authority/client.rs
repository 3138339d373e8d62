//! The side that calls.

use async_trait::async_trait;
use cairn_core::api::sa::{NewOrder, NewRevocation, ProcessingOrder, RunningValidation, SubjectKey};
use cairn_core::api::{StorageAuthority, StorageRead};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, AuthorizationProgress, CaCertificate,
    CertificateRecord, ChallengeType, Identifier, OrderId, OrderWithAuthorizations, Problem, Renewal, Result,
    Serial, Thumbprint, Timestamp, WorkerId,
};

use super::RemoteStorageAuthority;
use crate::client::Carrier;
use crate::reading::{Read, list, maybe, one_for_each, present, wire};
use crate::v1;
use crate::vocabulary::thumbprint;

#[async_trait]
impl<T: Carrier> StorageRead for RemoteStorageAuthority<T> {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.read.account(id).await
    }

    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>> {
        self.read.account_by_key(thumbprint).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        self.read.order(id).await
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>> {
        self.read.authorization(id).await
    }

    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>> {
        self.read.certificate(serial).await
    }

    async fn account_and_order(
        &self,
        account: AccountId,
        order: OrderId,
    ) -> Result<(Option<Account>, Option<OrderWithAuthorizations>)> {
        self.read.account_and_order(account, order).await
    }

    async fn account_and_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<(Option<Account>, Option<Authorization>)> {
        self.read.account_and_authorization(account, authorization).await
    }

    async fn account_and_certificate(
        &self,
        account: AccountId,
        serial: &Serial,
    ) -> Result<(Option<Account>, Option<CertificateRecord>)> {
        self.read.account_and_certificate(account, serial).await
    }

    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>> {
        self.read.renewal(serial).await
    }

    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        self.read.ca_certificates().await
    }

    async fn ping(&self) -> Result<()> {
        self.read.ping().await
    }
}

#[async_trait]
impl<T: Carrier> StorageAuthority for RemoteStorageAuthority<T> {
    async fn new_account(&self, account: Account) -> Result<Option<Account>> {
        let request = v1::StorageNewAccountRequest { account: Some(account.into()) };
        let answer: v1::AccountResponse =
            self.authority.call("/cairn.v1.StorageAuthority/NewAccount", request).await?;
        Ok(maybe(answer.account)?)
    }

    async fn set_contact(&self, account: AccountId, contact: Vec<String>) -> Result<Account> {
        let request = v1::SetContactRequest { account: account.as_bytes().to_vec(), contact };
        let account: v1::Account =
            self.authority.call("/cairn.v1.StorageAuthority/SetContact", request).await?;
        Ok(account.try_into()?)
    }

    async fn deactivate_account(&self, account: AccountId) -> Result<Account> {
        let request = v1::StorageDeactivateAccountRequest { account: account.as_bytes().to_vec() };
        let account: v1::Account =
            self.authority.call("/cairn.v1.StorageAuthority/DeactivateAccount", request).await?;
        Ok(account.try_into()?)
    }

    async fn revoke_account(&self, account: AccountId) -> Result<Account> {
        let request = v1::RevokeAccountRequest { account: account.as_bytes().to_vec() };
        let account: v1::Account =
            self.authority.call("/cairn.v1.StorageAuthority/RevokeAccount", request).await?;
        Ok(account.try_into()?)
    }

    async fn order_for_identifiers(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        profile: &str,
        until: Timestamp,
    ) -> Result<Option<OrderWithAuthorizations>> {
        let request = v1::OrderForIdentifiersRequest {
            account: account.as_bytes().to_vec(),
            identifiers: wire(identifiers.iter().cloned()),
            profile: profile.to_owned(),
            until: Some(until.unix()),
        };
        let found: v1::OrderResponse =
            self.authority.call("/cairn.v1.StorageAuthority/OrderForIdentifiers", request).await?;
        Ok(maybe(found.order)?)
    }

    async fn valid_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        until: Timestamp,
    ) -> Result<Vec<Option<Authorization>>> {
        let request = v1::ValidAuthorizationsRequest {
            account: account.as_bytes().to_vec(),
            identifiers: wire(identifiers.iter().cloned()),
            until: Some(until.unix()),
        };
        let found: v1::ValidAuthorizationsResponse =
            self.authority.call("/cairn.v1.StorageAuthority/ValidAuthorizations", request).await?;
        let field = "ValidAuthorizationsResponse.authorizations";
        let found = one_for_each(field, identifiers, found.authorizations)?;
        Ok(found.into_iter().map(|it| maybe(it.authorization)).collect::<Read<_>>()?)
    }

    async fn new_order_and_authorizations(&self, new: NewOrder) -> Result<()> {
        let request = v1::NewOrderAndAuthorizationsRequest::from(new);
        let path = "/cairn.v1.StorageAuthority/NewOrderAndAuthorizations";
        let v1::Nothing {} = self.authority.call(path, request).await?;
        Ok(())
    }

    async fn set_authorization_processing(
        &self,
        authorization: AuthorizationId,
        challenge: ChallengeType,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<Thumbprint> {
        let request = v1::SetAuthorizationProcessingRequest {
            authorization: authorization.as_bytes().to_vec(),
            challenge: v1::ChallengeType::from(challenge).into(),
            at: Some(at.unix()),
            worker: worker.as_bytes().to_vec(),
        };
        let path = "/cairn.v1.StorageAuthority/SetAuthorizationProcessing";
        let answer: v1::SetAuthorizationProcessingResponse = self.authority.call(path, request).await?;
        Ok(thumbprint("SetAuthorizationProcessingResponse.thumbprint", &answer.thumbprint)?)
    }

    async fn finalize_authorization(
        &self,
        authorization: AuthorizationId,
        progress: AuthorizationProgress,
        expires: Timestamp,
    ) -> Result<()> {
        let request = v1::FinalizeAuthorizationRequest {
            authorization: authorization.as_bytes().to_vec(),
            progress: Some(progress.into()),
            expires: Some(expires.unix()),
        };
        let path = "/cairn.v1.StorageAuthority/FinalizeAuthorization";
        let v1::Nothing {} = self.authority.call(path, request).await?;
        Ok(())
    }

    async fn deactivate_authorization(
        &self,
        authorization: AuthorizationId,
        at: Timestamp,
    ) -> Result<Authorization> {
        let request = v1::StorageDeactivateAuthorizationRequest {
            authorization: authorization.as_bytes().to_vec(),
            at: Some(at.unix()),
        };
        let path = "/cairn.v1.StorageAuthority/DeactivateAuthorization";
        let authorization: v1::Authorization = self.authority.call(path, request).await?;
        Ok(authorization.try_into()?)
    }

    async fn set_order_processing(
        &self,
        order: OrderId,
        key: SubjectKey,
        worker: WorkerId,
        at: Timestamp,
    ) -> Result<()> {
        let SubjectKey { spki_sha256, thumbprint } = key;
        let request = v1::SetOrderProcessingRequest {
            order: order.as_bytes().to_vec(),
            at: Some(at.unix()),
            worker: worker.as_bytes().to_vec(),
            spki_sha256: spki_sha256.to_vec(),
            thumbprint: thumbprint.map(|thumbprint| thumbprint.as_bytes().to_vec()),
        };
        let path = "/cairn.v1.StorageAuthority/SetOrderProcessing";
        let v1::Nothing {} = self.authority.call(path, request).await?;
        Ok(())
    }

    async fn set_order_error(&self, order: OrderId, problem: Problem) -> Result<()> {
        let request =
            v1::SetOrderErrorRequest { order: order.as_bytes().to_vec(), problem: Some(problem.into()) };
        let path = "/cairn.v1.StorageAuthority/SetOrderError";
        let v1::Nothing {} = self.authority.call(path, request).await?;
        Ok(())
    }

    async fn heartbeat(&self, worker: WorkerId, at: Timestamp) -> Result<()> {
        let request = v1::HeartbeatRequest { worker: worker.as_bytes().to_vec(), at: Some(at.unix()) };
        let v1::Nothing {} = self.authority.call("/cairn.v1.StorageAuthority/Heartbeat", request).await?;
        Ok(())
    }

    async fn retire(&self, worker: WorkerId) -> Result<()> {
        let request = v1::RetireRequest { worker: worker.as_bytes().to_vec() };
        let v1::Nothing {} = self.authority.call("/cairn.v1.StorageAuthority/Retire", request).await?;
        Ok(())
    }

    async fn take_abandoned_orders(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<ProcessingOrder>> {
        let request = take_abandoned(worker, silent_since, limit);
        let path = "/cairn.v1.StorageAuthority/TakeAbandonedOrders";
        let taken: v1::AbandonedOrders = self.authority.call(path, request).await?;
        Ok(list(taken.orders)?)
    }

    async fn take_abandoned_validations(
        &self,
        worker: WorkerId,
        silent_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunningValidation>> {
        let request = take_abandoned(worker, silent_since, limit);
        let path = "/cairn.v1.StorageAuthority/TakeAbandonedValidations";
        let taken: v1::AbandonedValidations = self.authority.call(path, request).await?;
        Ok(list(taken.validations)?)
    }

    async fn revoke_certificate(&self, revocation: NewRevocation) -> Result<()> {
        let request = v1::StorageRevokeCertificateRequest::from(revocation);
        let path = "/cairn.v1.StorageAuthority/RevokeCertificate";
        let v1::Nothing {} = self.authority.call(path, request).await?;
        Ok(())
    }

    async fn block_key(&self, spki_sha256: [u8; 32], at: Timestamp) -> Result<bool> {
        let request = v1::BlockKeyRequest { spki_sha256: spki_sha256.to_vec(), at: Some(at.unix()) };
        let answer: v1::BlockKeyResponse =
            self.authority.call("/cairn.v1.StorageAuthority/BlockKey", request).await?;
        Ok(present("BlockKeyResponse.blocked", answer.blocked)?)
    }

    async fn key_blocked(&self, spki_sha256: [u8; 32]) -> Result<bool> {
        let request = v1::KeyBlockedRequest { spki_sha256: spki_sha256.to_vec() };
        let answer: v1::KeyBlockedResponse =
            self.authority.call("/cairn.v1.StorageAuthority/KeyBlocked", request).await?;
        Ok(present("KeyBlockedResponse.blocked", answer.blocked)?)
    }
}

fn take_abandoned(worker: WorkerId, silent_since: Timestamp, limit: usize) -> v1::TakeAbandonedRequest {
    v1::TakeAbandonedRequest {
        worker: worker.as_bytes().to_vec(),
        silent_since: Some(silent_since.unix()),
        limit: Some(limit as u64),
    }
}
