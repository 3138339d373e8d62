//! [`PkiRead`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::PkiRead;
use cairn_core::api::pki::{MAX_REVOCATION_EVENTS, RevocationEvent, RevocationPosition};
use cairn_core::{CaCertificate, CrlHead, CrlId, CrlKind, Result, ShardId};
use tonic::{Request, Response, Status};

use super::crl::{crl_request, read_crl_request};
use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, Read, list, maybe, present, read, wire};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::pki_read_server as generated;
use crate::vocabulary::{issuer_id, serial};

/// A storage elsewhere, to read what relying parties are told.
#[derive(Clone, Debug)]
pub struct RemotePkiRead<T>(Client<T>);

impl<T: Carrier> RemotePkiRead<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> PkiRead for RemotePkiRead<T> {
    async fn revocation_position(&self) -> Result<RevocationPosition> {
        let found: v1::RevocationPosition =
            self.0.call("/cairn.v1.PkiRead/RevocationPosition", v1::Nothing {}).await?;
        Ok(position("RevocationPosition.number", found.number)?)
    }

    async fn revocations_after(
        &self,
        position: RevocationPosition,
        limit: usize,
    ) -> Result<Vec<RevocationEvent>> {
        let limit = u32::try_from(limit.min(MAX_REVOCATION_EVENTS)).ok();
        let request = v1::RevocationsAfterRequest { position: Some(position.number()), limit };
        let found: v1::RevocationList = self.0.call("/cairn.v1.PkiRead/RevocationsAfter", request).await?;
        if found.events.len() > MAX_REVOCATION_EVENTS {
            return Err(BadMessage::new("RevocationList.events", "are more than are ever told").into());
        }
        Ok(list(found.events)?)
    }

    async fn published_ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        let found: v1::CaCertificateList =
            self.0.call("/cairn.v1.PkiRead/PublishedCaCertificates", v1::Nothing {}).await?;
        Ok(found.try_into()?)
    }

    async fn crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        let found: v1::CrlResponse = self.0.call("/cairn.v1.PkiRead/Crl", crl_request(shard, kind)).await?;
        Ok(maybe(found.crl)?)
    }

    async fn crl_chunk(&self, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>> {
        let request = v1::CrlChunkRequest { crl: Some(crl.into()), place: Some(place) };
        let found: v1::CrlChunkResponse = self.0.call("/cairn.v1.PkiRead/CrlChunk", request).await?;
        Ok(found.octets)
    }
}

/// Lets others read from `storage` what relying parties are told.
pub fn pki_read_server(storage: Arc<dyn PkiRead>) -> impl Servable {
    serve!(generated::PkiReadServer<_>, storage)
}

#[async_trait]
impl generated::PkiRead for Served<dyn PkiRead> {
    async fn revocation_position(
        &self,
        _: Request<v1::Nothing>,
    ) -> Result<Response<v1::RevocationPosition>, Status> {
        answer(async {
            let found = self.0.revocation_position().await?;
            Ok(v1::RevocationPosition { number: Some(found.number()) })
        })
        .await
    }

    async fn revocations_after(
        &self,
        request: Request<v1::RevocationsAfterRequest>,
    ) -> Result<Response<v1::RevocationList>, Status> {
        answer(async {
            let it = request.into_inner();
            let after = position("RevocationsAfterRequest.position", it.position)?;
            let limit = present("RevocationsAfterRequest.limit", it.limit)?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(MAX_REVOCATION_EVENTS);
            Ok(v1::RevocationList { events: wire(self.0.revocations_after(after, limit).await?) })
        })
        .await
    }

    async fn published_ca_certificates(
        &self,
        _: Request<v1::Nothing>,
    ) -> Result<Response<v1::CaCertificateList>, Status> {
        answer(async { Ok(self.0.published_ca_certificates().await?.into()) }).await
    }

    async fn crl(&self, request: Request<v1::CrlRequest>) -> Result<Response<v1::CrlResponse>, Status> {
        answer(async {
            let (shard, kind) = read_crl_request(request.into_inner())?;
            Ok(v1::CrlResponse { crl: self.0.crl(shard, kind).await?.map(Into::into) })
        })
        .await
    }

    async fn crl_chunk(
        &self,
        request: Request<v1::CrlChunkRequest>,
    ) -> Result<Response<v1::CrlChunkResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let crl = read("CrlChunkRequest.crl", it.crl)?;
            let place = present("CrlChunkRequest.place", it.place)?;
            Ok(v1::CrlChunkResponse { octets: self.0.crl_chunk(crl, place).await? })
        })
        .await
    }
}

impl From<RevocationEvent> for v1::RevocationEvent {
    fn from(event: RevocationEvent) -> Self {
        let RevocationEvent { position, serial, issuer, revocation } = event;
        Self {
            position: Some(position.number()),
            serial: serial.as_bytes().to_vec(),
            issuer: issuer.as_bytes().to_vec(),
            revocation: Some(revocation.into()),
        }
    }
}

impl TryFrom<v1::RevocationEvent> for RevocationEvent {
    type Error = BadMessage;

    fn try_from(it: v1::RevocationEvent) -> Read<Self> {
        Ok(Self {
            position: position("RevocationEvent.position", it.position)?,
            serial: serial("RevocationEvent.serial", &it.serial)?,
            issuer: issuer_id("RevocationEvent.issuer", &it.issuer)?,
            revocation: read("RevocationEvent.revocation", it.revocation)?,
        })
    }
}

pub(super) fn position(field: &'static str, number: Option<i64>) -> Read<RevocationPosition> {
    match present(field, number)? {
        number if number < 0 => Err(BadMessage::new(field, "is below every place")),
        number => Ok(RevocationPosition::from_number(number)),
    }
}
