//! [`CertificateAuthority`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::Result;
use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::{CertificateAuthority, IssuanceRequest};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, Read, list, wire};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::certificate_authority_server as generated;
use crate::vocabulary::{account_id, order_id};

/// A certificate authority elsewhere.
#[derive(Clone, Debug)]
pub struct RemoteCertificateAuthority<T>(Client<T>);

impl<T: Carrier> RemoteCertificateAuthority<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> CertificateAuthority for RemoteCertificateAuthority<T> {
    async fn issue_certificate(&self, request: IssuanceRequest) -> Result<IssuedCertificate> {
        let request = v1::IssuanceRequest::from(request);
        let issued: v1::IssuedCertificate =
            self.0.call("/cairn.v1.CertificateAuthority/IssueCertificate", request).await?;
        Ok(issued.try_into()?)
    }
}

/// Lets others call `authority`.
pub fn certificate_authority_server(authority: Arc<dyn CertificateAuthority>) -> impl Servable {
    serve!(generated::CertificateAuthorityServer<_>, authority)
}

#[async_trait]
impl generated::CertificateAuthority for Served<dyn CertificateAuthority> {
    async fn issue_certificate(
        &self,
        request: Request<v1::IssuanceRequest>,
    ) -> Result<Response<v1::IssuedCertificate>, Status> {
        answer(async { Ok(self.0.issue_certificate(request.into_inner().try_into()?).await?.into()) }).await
    }
}

impl From<IssuanceRequest> for v1::IssuanceRequest {
    fn from(request: IssuanceRequest) -> Self {
        let IssuanceRequest { order, account, profile, public_key, identifiers } = request;
        Self {
            order: order.map(|id| id.as_bytes().to_vec()),
            account: account.map(|id| id.as_bytes().to_vec()),
            profile,
            public_key,
            identifiers: wire(identifiers),
        }
    }
}

impl TryFrom<v1::IssuanceRequest> for IssuanceRequest {
    type Error = BadMessage;

    fn try_from(it: v1::IssuanceRequest) -> Read<Self> {
        Ok(Self {
            order: it.order.map(|id| order_id("IssuanceRequest.order", &id)).transpose()?,
            account: it.account.map(|id| account_id("IssuanceRequest.account", &id)).transpose()?,
            profile: it.profile,
            public_key: it.public_key,
            identifiers: list(it.identifiers)?,
        })
    }
}
