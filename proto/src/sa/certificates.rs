//! [`CertificateStore`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::CertificateStore;
use cairn_core::api::sa::{Intent, NewCertificate};
use cairn_core::{CaCertificate, Result};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::present;
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::certificate_store_server as generated;

/// A storage elsewhere, to record there what is signed.
#[derive(Clone, Debug)]
pub struct RemoteCertificateStore<T>(Client<T>);

impl<T: Carrier> RemoteCertificateStore<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> CertificateStore for RemoteCertificateStore<T> {
    async fn record_intent(&self, intent: Intent) -> Result<()> {
        let intent = v1::Intent::from(intent);
        let v1::Nothing {} = self.0.call("/cairn.v1.CertificateStore/RecordIntent", intent).await?;
        Ok(())
    }

    async fn add_certificate(&self, certificate: NewCertificate) -> Result<bool> {
        let certificate = v1::NewCertificate::from(certificate);
        let answer: v1::AddCertificateResponse =
            self.0.call("/cairn.v1.CertificateStore/AddCertificate", certificate).await?;
        Ok(present("AddCertificateResponse.ended_order", answer.ended_order)?)
    }

    async fn record_ca_certificates(&self, certificates: Vec<CaCertificate>) -> Result<()> {
        let certificates = v1::CaCertificateList::from(certificates);
        let v1::Nothing {} =
            self.0.call("/cairn.v1.CertificateStore/RecordCaCertificates", certificates).await?;
        Ok(())
    }
}

/// Lets others record in `store`.
pub fn certificate_store_server(store: Arc<dyn CertificateStore>) -> impl Servable {
    serve!(generated::CertificateStoreServer<_>, store)
}

#[async_trait]
impl generated::CertificateStore for Served<dyn CertificateStore> {
    async fn record_intent(&self, request: Request<v1::Intent>) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            self.0.record_intent(request.into_inner().try_into()?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn add_certificate(
        &self,
        request: Request<v1::NewCertificate>,
    ) -> Result<Response<v1::AddCertificateResponse>, Status> {
        answer(async {
            let ended_order = self.0.add_certificate(request.into_inner().try_into()?).await?;
            Ok(v1::AddCertificateResponse { ended_order: Some(ended_order) })
        })
        .await
    }

    async fn record_ca_certificates(
        &self,
        request: Request<v1::CaCertificateList>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            self.0.record_ca_certificates(request.into_inner().try_into()?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }
}
