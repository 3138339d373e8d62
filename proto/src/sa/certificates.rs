//! [`CertificateStore`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::CertificateStore;
use cairn_core::api::sa::{Intent, MAX_CERTIFICATE_STATUSES, NewCertificate};
use cairn_core::{CaCertificate, CertificateStatus, Result, Serial};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, Read, maybe, one_for_each, present};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::certificate_store_server as generated;
use crate::vocabulary::{issuer_id, serial};

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

    async fn certificate_statuses(&self, serials: &[Serial]) -> Result<Vec<Option<CertificateStatus>>> {
        let asked = serials.iter().map(|serial| serial.as_bytes().to_vec()).collect();
        let request = v1::CertificateStatusesRequest { serials: asked };
        let found: v1::CertificateStatusesResponse =
            self.0.call("/cairn.v1.CertificateStore/CertificateStatuses", request).await?;
        let statuses = one_for_each("CertificateStatusesResponse.statuses", serials, found.statuses)?;
        Ok(statuses.into_iter().map(|it| maybe(it.status)).collect::<Read<_>>()?)
    }
}

/// Lets others record in `store`, and look up there.
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

    async fn certificate_statuses(
        &self,
        request: Request<v1::CertificateStatusesRequest>,
    ) -> Result<Response<v1::CertificateStatusesResponse>, Status> {
        answer(async {
            let asked = request.into_inner().serials;
            if asked.len() > MAX_CERTIFICATE_STATUSES {
                return Err(BadMessage::new("CertificateStatusesRequest.serials", "are too many").into());
            }
            let read = |octets: &Vec<u8>| serial("CertificateStatusesRequest.serials", octets);
            let serials = asked.iter().map(read).collect::<Read<Vec<_>>>()?;
            let statuses = self.0.certificate_statuses(&serials).await?.into_iter();
            let statuses = statuses.map(|it| v1::MaybeCertificateStatus { status: it.map(Into::into) });
            Ok(v1::CertificateStatusesResponse { statuses: statuses.collect() })
        })
        .await
    }
}

impl From<CertificateStatus> for v1::CertificateStatus {
    fn from(status: CertificateStatus) -> Self {
        let CertificateStatus { issuer, revocation } = status;
        Self { issuer: issuer.as_bytes().to_vec(), revocation: revocation.map(Into::into) }
    }
}

impl TryFrom<v1::CertificateStatus> for CertificateStatus {
    type Error = BadMessage;

    fn try_from(it: v1::CertificateStatus) -> Read<Self> {
        Ok(Self {
            issuer: issuer_id("CertificateStatus.issuer", &it.issuer)?,
            revocation: maybe(it.revocation)?,
        })
    }
}
