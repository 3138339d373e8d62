//! [`ListenerCertificates`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::Result;
use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::ra::ListenerCertificates;
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::listener_certificates_server as generated;

/// A registration authority elsewhere, which has the front end's certificate issued.
#[derive(Clone, Debug)]
pub struct RemoteListenerCertificates<T>(Client<T>);

impl<T: Carrier> RemoteListenerCertificates<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> ListenerCertificates for RemoteListenerCertificates<T> {
    async fn listener_certificate(&self, public_key: Vec<u8>) -> Result<IssuedCertificate> {
        let request = v1::ListenerCertificateRequest { public_key };
        let issued: v1::IssuedCertificate =
            self.0.call("/cairn.v1.ListenerCertificates/ListenerCertificate", request).await?;
        Ok(issued.try_into()?)
    }
}

/// Lets others call `certificates`.
pub fn listener_certificates_server(certificates: Arc<dyn ListenerCertificates>) -> impl Servable {
    serve!(generated::ListenerCertificatesServer<_>, certificates)
}

#[async_trait]
impl generated::ListenerCertificates for Served<dyn ListenerCertificates> {
    async fn listener_certificate(
        &self,
        request: Request<v1::ListenerCertificateRequest>,
    ) -> Result<Response<v1::IssuedCertificate>, Status> {
        answer(async {
            let public_key = request.into_inner().public_key;
            Ok(self.0.listener_certificate(public_key).await?.into())
        })
        .await
    }
}
