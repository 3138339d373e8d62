//! [`RegistrationAuthority`] over gRPC. What is sent stands in `ra/messages.rs`.

mod listener;
mod messages;

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::RegistrationAuthority;
use cairn_core::api::ra::{
    FinalizeOrderRequest, NewAccountRequest, NewAccountResponse, NewOrderRequest, PerformValidationRequest,
    RevokeCertificateRequest,
};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, Error, OrderWithAuthorizations, Result,
};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::present;
use crate::server::{Servable, Served, answer, log, serve};
use crate::v1;
use crate::v1::new_order_response::Outcome;
use crate::v1::registration_authority_server as generated;
use crate::vocabulary::{account_id, authorization_id};

pub use listener::{RemoteListenerCertificates, listener_certificates_server};

/// A registration authority elsewhere.
#[derive(Clone, Debug)]
pub struct RemoteRegistrationAuthority<T>(Client<T>);

impl<T: Carrier> RemoteRegistrationAuthority<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> RegistrationAuthority for RemoteRegistrationAuthority<T> {
    async fn new_account(&self, request: NewAccountRequest) -> Result<NewAccountResponse> {
        let request = v1::NewAccountRequest::from(request);
        let made: v1::NewAccountResponse =
            self.0.call("/cairn.v1.RegistrationAuthority/NewAccount", request).await?;
        Ok(made.try_into()?)
    }

    async fn update_account(&self, account: AccountId, contact: Vec<String>) -> Result<Account> {
        let request = v1::UpdateAccountRequest { account: account.as_bytes().to_vec(), contact };
        let account: v1::Account =
            self.0.call("/cairn.v1.RegistrationAuthority/UpdateAccount", request).await?;
        Ok(account.try_into()?)
    }

    async fn deactivate_account(&self, account: AccountId) -> Result<Account> {
        let request = v1::DeactivateAccountRequest { account: account.as_bytes().to_vec() };
        let account: v1::Account =
            self.0.call("/cairn.v1.RegistrationAuthority/DeactivateAccount", request).await?;
        Ok(account.try_into()?)
    }

    async fn new_order(&self, request: NewOrderRequest) -> Result<OrderWithAuthorizations> {
        let request = v1::NewOrderRequest::from(request);
        let answer: v1::NewOrderResponse =
            self.0.call("/cairn.v1.RegistrationAuthority/NewOrder", request).await?;
        match present("NewOrderResponse.outcome", answer.outcome)? {
            Outcome::Order(order) => Ok(order.try_into()?),
            Outcome::Refusal(error) => Err(Error::try_from(error)?),
        }
    }

    async fn perform_validation(&self, request: PerformValidationRequest) -> Result<Authorization> {
        let request = v1::PerformValidationRequest::from(request);
        let authorization: v1::Authorization =
            self.0.call("/cairn.v1.RegistrationAuthority/PerformValidation", request).await?;
        Ok(authorization.try_into()?)
    }

    async fn deactivate_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<Authorization> {
        let request = v1::DeactivateAuthorizationRequest {
            account: account.as_bytes().to_vec(),
            authorization: authorization.as_bytes().to_vec(),
        };
        let authorization: v1::Authorization =
            self.0.call("/cairn.v1.RegistrationAuthority/DeactivateAuthorization", request).await?;
        Ok(authorization.try_into()?)
    }

    async fn finalize_order(&self, request: FinalizeOrderRequest) -> Result<OrderWithAuthorizations> {
        let request = v1::FinalizeOrderRequest::from(request);
        let order: v1::OrderWithAuthorizations =
            self.0.call("/cairn.v1.RegistrationAuthority/FinalizeOrder", request).await?;
        Ok(order.try_into()?)
    }

    async fn revoke_certificate(&self, request: RevokeCertificateRequest) -> Result<()> {
        let request = v1::RevokeCertificateRequest::from(request);
        let v1::Nothing {} =
            self.0.call("/cairn.v1.RegistrationAuthority/RevokeCertificate", request).await?;
        Ok(())
    }
}

/// Lets others call `authority`.
pub fn registration_authority_server(authority: Arc<dyn RegistrationAuthority>) -> impl Servable {
    serve!(generated::RegistrationAuthorityServer<_>, authority)
}

#[async_trait]
impl generated::RegistrationAuthority for Served<dyn RegistrationAuthority> {
    async fn new_account(
        &self,
        request: Request<v1::NewAccountRequest>,
    ) -> Result<Response<v1::NewAccountResponse>, Status> {
        answer(async { Ok(self.0.new_account(request.into_inner().try_into()?).await?.into()) }).await
    }

    async fn update_account(
        &self,
        request: Request<v1::UpdateAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("UpdateAccountRequest.account", &it.account)?;
            Ok(self.0.update_account(account, it.contact).await?.into())
        })
        .await
    }

    async fn deactivate_account(
        &self,
        request: Request<v1::DeactivateAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        answer(async {
            let account = account_id("DeactivateAccountRequest.account", &request.into_inner().account)?;
            Ok(self.0.deactivate_account(account).await?.into())
        })
        .await
    }

    async fn new_order(
        &self,
        request: Request<v1::NewOrderRequest>,
    ) -> Result<Response<v1::NewOrderResponse>, Status> {
        answer(async {
            let outcome = match self.0.new_order(request.into_inner().try_into()?).await {
                Ok(order) => Outcome::Order(order.into()),
                Err(error) if !error.subproblems.is_empty() => {
                    log(&error);
                    Outcome::Refusal((&error).into())
                }
                Err(error) => return Err(error),
            };
            Ok(v1::NewOrderResponse { outcome: Some(outcome) })
        })
        .await
    }

    async fn perform_validation(
        &self,
        request: Request<v1::PerformValidationRequest>,
    ) -> Result<Response<v1::Authorization>, Status> {
        answer(async { Ok(self.0.perform_validation(request.into_inner().try_into()?).await?.into()) }).await
    }

    async fn deactivate_authorization(
        &self,
        request: Request<v1::DeactivateAuthorizationRequest>,
    ) -> Result<Response<v1::Authorization>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("DeactivateAuthorizationRequest.account", &it.account)?;
            let authorization =
                authorization_id("DeactivateAuthorizationRequest.authorization", &it.authorization)?;
            Ok(self.0.deactivate_authorization(account, authorization).await?.into())
        })
        .await
    }

    async fn finalize_order(
        &self,
        request: Request<v1::FinalizeOrderRequest>,
    ) -> Result<Response<v1::OrderWithAuthorizations>, Status> {
        answer(async { Ok(self.0.finalize_order(request.into_inner().try_into()?).await?.into()) }).await
    }

    async fn revoke_certificate(
        &self,
        request: Request<v1::RevokeCertificateRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            self.0.revoke_certificate(request.into_inner().try_into()?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }
}
