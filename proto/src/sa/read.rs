//! [`StorageRead`] over gRPC.

use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use cairn_core::api::StorageRead;
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, CaCertificate, CertificateRecord, OrderId,
    OrderWithAuthorizations, Renewal, Result, Serial, Thumbprint,
};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::maybe;
use crate::role::Role;
use crate::server::{Servable, Served, answer, serve};
use crate::transport::Peer;
use crate::v1;
use crate::v1::storage_read_server as generated;
use crate::vocabulary::{account_id, authorization_id, order_id, serial, thumbprint};

/// A storage elsewhere, to read.
#[derive(Clone, Debug)]
pub struct RemoteStorageRead<T>(Client<T>);

impl<T: Carrier> RemoteStorageRead<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> StorageRead for RemoteStorageRead<T> {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let request = v1::AccountRequest { id: id.as_bytes().to_vec() };
        let found: v1::AccountResponse = self.0.call("/cairn.v1.StorageRead/Account", request).await?;
        Ok(maybe(found.account)?)
    }

    async fn account_by_key(&self, thumbprint: Thumbprint) -> Result<Option<Account>> {
        let request = v1::AccountByKeyRequest { thumbprint: thumbprint.as_bytes().to_vec() };
        let found: v1::AccountResponse = self.0.call("/cairn.v1.StorageRead/AccountByKey", request).await?;
        Ok(maybe(found.account)?)
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderWithAuthorizations>> {
        let request = v1::OrderRequest { id: id.as_bytes().to_vec() };
        let found: v1::OrderResponse = self.0.call("/cairn.v1.StorageRead/Order", request).await?;
        Ok(maybe(found.order)?)
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Authorization>> {
        let request = v1::AuthorizationRequest { id: id.as_bytes().to_vec() };
        let found: v1::AuthorizationResponse =
            self.0.call("/cairn.v1.StorageRead/Authorization", request).await?;
        Ok(maybe(found.authorization)?)
    }

    async fn certificate(&self, serial: &Serial) -> Result<Option<CertificateRecord>> {
        let request = v1::CertificateRequest { serial: serial.as_bytes().to_vec() };
        let found: v1::CertificateResponse =
            self.0.call("/cairn.v1.StorageRead/Certificate", request).await?;
        Ok(maybe(found.certificate)?)
    }

    async fn account_and_order(
        &self,
        account: AccountId,
        order: OrderId,
    ) -> Result<(Option<Account>, Option<OrderWithAuthorizations>)> {
        let request = v1::AccountAndOrderRequest {
            account: account.as_bytes().to_vec(),
            order: order.as_bytes().to_vec(),
        };
        let found: v1::AccountAndOrderResponse =
            self.0.call("/cairn.v1.StorageRead/AccountAndOrder", request).await?;
        Ok((maybe(found.account)?, maybe(found.order)?))
    }

    async fn account_and_authorization(
        &self,
        account: AccountId,
        authorization: AuthorizationId,
    ) -> Result<(Option<Account>, Option<Authorization>)> {
        let request = v1::AccountAndAuthorizationRequest {
            account: account.as_bytes().to_vec(),
            authorization: authorization.as_bytes().to_vec(),
        };
        let found: v1::AccountAndAuthorizationResponse =
            self.0.call("/cairn.v1.StorageRead/AccountAndAuthorization", request).await?;
        Ok((maybe(found.account)?, maybe(found.authorization)?))
    }

    async fn account_and_certificate(
        &self,
        account: AccountId,
        serial: &Serial,
    ) -> Result<(Option<Account>, Option<CertificateRecord>)> {
        let request = v1::AccountAndCertificateRequest {
            account: account.as_bytes().to_vec(),
            serial: serial.as_bytes().to_vec(),
        };
        let found: v1::AccountAndCertificateResponse =
            self.0.call("/cairn.v1.StorageRead/AccountAndCertificate", request).await?;
        Ok((maybe(found.account)?, maybe(found.certificate)?))
    }

    async fn renewal(&self, serial: &Serial) -> Result<Option<Renewal>> {
        let request = v1::CertificateRequest { serial: serial.as_bytes().to_vec() };
        let found: v1::RenewalResponse = self.0.call("/cairn.v1.StorageRead/Renewal", request).await?;
        Ok(maybe(found.renewal)?)
    }

    async fn ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        let found: v1::CaCertificateList =
            self.0.call("/cairn.v1.StorageRead/CaCertificates", v1::Nothing {}).await?;
        Ok(found.try_into()?)
    }

    async fn ping(&self) -> Result<()> {
        let v1::Nothing {} = self.0.call("/cairn.v1.StorageRead/Ping", v1::Nothing {}).await?;
        Ok(())
    }
}

/// Lets others read from `storage`.
pub fn storage_read_server(storage: Arc<dyn StorageRead>) -> impl Servable {
    serve!(generated::StorageReadServer<_>, storage)
}

/// The same, with a storage of its own for front ends; everybody else reads from `storage`.
pub fn storage_read_servers(
    front_ends: Arc<dyn StorageRead>,
    storage: Arc<dyn StorageRead>,
) -> impl Servable {
    ByCaller {
        front_ends: serve!(generated::StorageReadServer<_>, front_ends),
        others: serve!(generated::StorageReadServer<_>, storage),
    }
}

/// A service of which front ends are given another one than everybody else.
#[derive(Clone)]
struct ByCaller<S> {
    front_ends: S,
    others: S,
}

impl<S: NamedService> NamedService for ByCaller<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: Service<http::Request<Body>>> Service<http::Request<Body>> for ByCaller<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    /// The generated services are always ready.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.front_ends.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> S::Future {
        match request.extensions().get() {
            Some(Peer { role: Role::Wfe, .. }) => self.front_ends.call(request),
            _ => self.others.call(request),
        }
    }
}

#[async_trait]
impl generated::StorageRead for Served<dyn StorageRead> {
    async fn account(
        &self,
        request: Request<v1::AccountRequest>,
    ) -> Result<Response<v1::AccountResponse>, Status> {
        answer(async {
            let id = account_id("AccountRequest.id", &request.into_inner().id)?;
            Ok(v1::AccountResponse { account: self.0.account(id).await?.map(Into::into) })
        })
        .await
    }

    async fn account_by_key(
        &self,
        request: Request<v1::AccountByKeyRequest>,
    ) -> Result<Response<v1::AccountResponse>, Status> {
        answer(async {
            let thumbprint = thumbprint("AccountByKeyRequest.thumbprint", &request.into_inner().thumbprint)?;
            Ok(v1::AccountResponse { account: self.0.account_by_key(thumbprint).await?.map(Into::into) })
        })
        .await
    }

    async fn order(&self, request: Request<v1::OrderRequest>) -> Result<Response<v1::OrderResponse>, Status> {
        answer(async {
            let id = order_id("OrderRequest.id", &request.into_inner().id)?;
            Ok(v1::OrderResponse { order: self.0.order(id).await?.map(Into::into) })
        })
        .await
    }

    async fn authorization(
        &self,
        request: Request<v1::AuthorizationRequest>,
    ) -> Result<Response<v1::AuthorizationResponse>, Status> {
        answer(async {
            let id = authorization_id("AuthorizationRequest.id", &request.into_inner().id)?;
            Ok(self.0.authorization(id).await?.into())
        })
        .await
    }

    async fn certificate(
        &self,
        request: Request<v1::CertificateRequest>,
    ) -> Result<Response<v1::CertificateResponse>, Status> {
        answer(async {
            let serial = serial("CertificateRequest.serial", &request.into_inner().serial)?;
            let certificate = self.0.certificate(&serial).await?.map(Into::into);
            Ok(v1::CertificateResponse { certificate })
        })
        .await
    }

    async fn renewal(
        &self,
        request: Request<v1::CertificateRequest>,
    ) -> Result<Response<v1::RenewalResponse>, Status> {
        answer(async {
            let serial = serial("CertificateRequest.serial", &request.into_inner().serial)?;
            Ok(v1::RenewalResponse { renewal: self.0.renewal(&serial).await?.map(Into::into) })
        })
        .await
    }

    async fn account_and_order(
        &self,
        request: Request<v1::AccountAndOrderRequest>,
    ) -> Result<Response<v1::AccountAndOrderResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("AccountAndOrderRequest.account", &it.account)?;
            let order = order_id("AccountAndOrderRequest.order", &it.order)?;
            let (account, order) = self.0.account_and_order(account, order).await?;
            Ok(v1::AccountAndOrderResponse { account: account.map(Into::into), order: order.map(Into::into) })
        })
        .await
    }

    async fn account_and_authorization(
        &self,
        request: Request<v1::AccountAndAuthorizationRequest>,
    ) -> Result<Response<v1::AccountAndAuthorizationResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("AccountAndAuthorizationRequest.account", &it.account)?;
            let id = authorization_id("AccountAndAuthorizationRequest.authorization", &it.authorization)?;
            let (account, found) = self.0.account_and_authorization(account, id).await?;
            Ok(v1::AccountAndAuthorizationResponse {
                account: account.map(Into::into),
                authorization: found.map(Into::into),
            })
        })
        .await
    }

    async fn account_and_certificate(
        &self,
        request: Request<v1::AccountAndCertificateRequest>,
    ) -> Result<Response<v1::AccountAndCertificateResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let account = account_id("AccountAndCertificateRequest.account", &it.account)?;
            let serial = serial("AccountAndCertificateRequest.serial", &it.serial)?;
            let (account, found) = self.0.account_and_certificate(account, &serial).await?;
            Ok(v1::AccountAndCertificateResponse {
                account: account.map(Into::into),
                certificate: found.map(Into::into),
            })
        })
        .await
    }

    async fn ca_certificates(
        &self,
        _: Request<v1::Nothing>,
    ) -> Result<Response<v1::CaCertificateList>, Status> {
        answer(async { Ok(self.0.ca_certificates().await?.into()) }).await
    }

    async fn ping(&self, _: Request<v1::Nothing>) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            self.0.ping().await?;
            Ok(v1::Nothing {})
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    /// Answers with its name.
    struct Named(&'static str);

    impl Service<http::Request<Body>> for Named {
        type Response = &'static str;
        type Error = Infallible;
        type Future = Ready<Result<&'static str, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            ready(Ok(self.0))
        }
    }

    #[tokio::test]
    async fn front_ends_alone_are_given_a_storage_of_their_own() {
        let mut service = ByCaller { front_ends: Named("near"), others: Named("primary") };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let callers = Role::ALL.into_iter().map(|role| Some(Peer { role, address })).chain([None]);
        for caller in callers {
            let mut request = http::Request::new(Body::empty());
            caller.and_then(|caller| request.extensions_mut().insert(caller));
            let near = caller.is_some_and(|caller| caller.role == Role::Wfe);
            let expected = if near { "near" } else { "primary" };
            assert_eq!(service.call(request).await, Ok(expected), "{caller:?}");
        }
    }
}
