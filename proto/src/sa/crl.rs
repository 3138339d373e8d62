//! [`CrlStore`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::CrlStore;
use cairn_core::api::crl::{MAX_ROWS, RevokedLengths, ShardChange};
use cairn_core::api::pki::RevocationPosition;
use cairn_core::{
    CrlHead, CrlId, CrlKind, IssuerId, Result, RevokedCertificate, Serial, ShardId, Timestamp, WorkerId,
};
use tonic::{Request, Response, Status};

use super::pki::position;
use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, Read, list, maybe, octets, present, read, same_names, time, value, wire};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::crl_store_server as generated;
use crate::vocabulary::{crl_shard, issuer_id, serial, worker_id};

/// A storage elsewhere, to put CRLs there.
#[derive(Clone, Debug)]
pub struct RemoteCrlStore<T>(Client<T>);

impl<T: Carrier> RemoteCrlStore<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> CrlStore for RemoteCrlStore<T> {
    async fn hold_crl_shard(
        &self,
        shard: ShardId,
        holder: WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        let request = v1::HoldCrlShardRequest {
            shard: Some(shard.into()),
            holder: holder.as_bytes().to_vec(),
            now: Some(now.unix()),
            until: Some(until.unix()),
        };
        let answer: v1::HoldCrlShardResponse =
            self.0.call("/cairn.v1.CrlStore/HoldCrlShard", request).await?;
        Ok(present("HoldCrlShardResponse.held", answer.held)?)
    }

    async fn release_crl_shard(&self, shard: ShardId, holder: WorkerId) -> Result<()> {
        let request =
            v1::ReleaseCrlShardRequest { shard: Some(shard.into()), holder: holder.as_bytes().to_vec() };
        let v1::Nothing {} = self.0.call("/cairn.v1.CrlStore/ReleaseCrlShard", request).await?;
        Ok(())
    }

    async fn crls(&self, issuer: IssuerId, after: Option<CrlId>, limit: usize) -> Result<Vec<CrlHead>> {
        let request = v1::CrlsRequest {
            issuer: issuer.as_bytes().to_vec(),
            after: after.map(Into::into),
            limit: wire_limit(limit),
        };
        let found: v1::CrlList = self.0.call("/cairn.v1.CrlStore/Crls", request).await?;
        Ok(bounded("CrlList.crls", found.crls)?)
    }

    async fn latest_crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        let request = crl_request(shard, kind);
        let found: v1::CrlResponse = self.0.call("/cairn.v1.CrlStore/LatestCrl", request).await?;
        Ok(maybe(found.crl)?)
    }

    async fn latest_change(&self) -> Result<RevocationPosition> {
        let found: v1::RevocationPosition =
            self.0.call("/cairn.v1.CrlStore/LatestChange", v1::Nothing {}).await?;
        Ok(position("RevocationPosition.number", found.number)?)
    }

    async fn changes_after(&self, position: RevocationPosition, limit: usize) -> Result<Vec<ShardChange>> {
        let request =
            v1::RevocationsAfterRequest { position: Some(position.number()), limit: wire_limit(limit) };
        let found: v1::ShardChangeList = self.0.call("/cairn.v1.CrlStore/ChangesAfter", request).await?;
        Ok(bounded("ShardChangeList.changes", found.changes)?)
    }

    async fn revoked(
        &self,
        shard: ShardId,
        after: Option<Serial>,
        limit: usize,
    ) -> Result<Vec<RevokedCertificate>> {
        let after = after.map(|serial| serial.as_bytes().to_vec());
        let request = v1::RevokedRequest { shard: Some(shard.into()), after, limit: wire_limit(limit) };
        let found: v1::RevokedList = self.0.call("/cairn.v1.CrlStore/Revoked", request).await?;
        Ok(bounded("RevokedList.certificates", found.certificates)?)
    }

    async fn revoked_lengths(&self, shard: ShardId, after: Option<Serial>) -> Result<RevokedLengths> {
        let after = after.map(|serial| serial.as_bytes().to_vec());
        let request = v1::RevokedLengthsRequest { shard: Some(shard.into()), after };
        let found: v1::RevokedLengthsResponse =
            self.0.call("/cairn.v1.CrlStore/RevokedLengths", request).await?;
        Ok(RevokedLengths {
            count: present("RevokedLengthsResponse.count", found.count)?,
            serial_octets: present("RevokedLengthsResponse.serial_octets", found.serial_octets)?,
            next: found.next.map(|it| serial("RevokedLengthsResponse.next", &it)).transpose()?,
        })
    }

    async fn add_crl_chunk(&self, crl: CrlId, holder: WorkerId, place: u32, octets: Vec<u8>) -> Result<()> {
        let holder = holder.as_bytes().to_vec();
        let request = v1::AddCrlChunkRequest { crl: Some(crl.into()), holder, place: Some(place), octets };
        let v1::Nothing {} = self.0.call("/cairn.v1.CrlStore/AddCrlChunk", request).await?;
        Ok(())
    }

    async fn publish_crl(&self, crl: CrlHead, holder: WorkerId) -> Result<()> {
        let request = v1::PublishCrlRequest { crl: Some(crl.into()), holder: holder.as_bytes().to_vec() };
        let v1::Nothing {} = self.0.call("/cairn.v1.CrlStore/PublishCrl", request).await?;
        Ok(())
    }

    async fn remove_crls(&self, first: CrlId, end: u64, holder: WorkerId) -> Result<bool> {
        let holder = holder.as_bytes().to_vec();
        let request = v1::RemoveCrlsRequest { first: Some(first.into()), end: Some(end), holder };
        let answer: v1::RemoveCrlsResponse = self.0.call("/cairn.v1.CrlStore/RemoveCrls", request).await?;
        Ok(present("RemoveCrlsResponse.more", answer.more)?)
    }

    async fn forget_revocations(&self, serials: Vec<Serial>, ended: Timestamp) -> Result<()> {
        let serials = serials.iter().map(|serial| serial.as_bytes().to_vec()).collect();
        let request = v1::ForgetRevocationsRequest { serials, ended: Some(ended.unix()) };
        let v1::Nothing {} = self.0.call("/cairn.v1.CrlStore/ForgetRevocations", request).await?;
        Ok(())
    }
}

/// Lets others put CRLs into `store`.
pub fn crl_store_server(store: Arc<dyn CrlStore>) -> impl Servable {
    serve!(generated::CrlStoreServer<_>, store)
}

#[async_trait]
impl generated::CrlStore for Served<dyn CrlStore> {
    async fn hold_crl_shard(
        &self,
        request: Request<v1::HoldCrlShardRequest>,
    ) -> Result<Response<v1::HoldCrlShardResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let shard = read("HoldCrlShardRequest.shard", it.shard)?;
            let holder = worker_id("HoldCrlShardRequest.holder", &it.holder)?;
            let now = time("HoldCrlShardRequest.now", it.now)?;
            let until = time("HoldCrlShardRequest.until", it.until)?;
            let held = self.0.hold_crl_shard(shard, holder, now, until).await?;
            Ok(v1::HoldCrlShardResponse { held: Some(held) })
        })
        .await
    }

    async fn release_crl_shard(
        &self,
        request: Request<v1::ReleaseCrlShardRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let shard = read("ReleaseCrlShardRequest.shard", it.shard)?;
            let holder = worker_id("ReleaseCrlShardRequest.holder", &it.holder)?;
            self.0.release_crl_shard(shard, holder).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn crls(&self, request: Request<v1::CrlsRequest>) -> Result<Response<v1::CrlList>, Status> {
        answer(async {
            let it = request.into_inner();
            let issuer = issuer_id("CrlsRequest.issuer", &it.issuer)?;
            let limit = read_limit("CrlsRequest.limit", it.limit)?;
            Ok(v1::CrlList { crls: wire(self.0.crls(issuer, maybe(it.after)?, limit).await?) })
        })
        .await
    }

    async fn latest_crl(
        &self,
        request: Request<v1::CrlRequest>,
    ) -> Result<Response<v1::CrlResponse>, Status> {
        answer(async {
            let (shard, kind) = read_crl_request(request.into_inner())?;
            Ok(v1::CrlResponse { crl: self.0.latest_crl(shard, kind).await?.map(Into::into) })
        })
        .await
    }

    async fn latest_change(
        &self,
        _: Request<v1::Nothing>,
    ) -> Result<Response<v1::RevocationPosition>, Status> {
        answer(async {
            let found = self.0.latest_change().await?;
            Ok(v1::RevocationPosition { number: Some(found.number()) })
        })
        .await
    }

    async fn changes_after(
        &self,
        request: Request<v1::RevocationsAfterRequest>,
    ) -> Result<Response<v1::ShardChangeList>, Status> {
        answer(async {
            let it = request.into_inner();
            let after = position("RevocationsAfterRequest.position", it.position)?;
            let limit = read_limit("RevocationsAfterRequest.limit", it.limit)?;
            Ok(v1::ShardChangeList { changes: wire(self.0.changes_after(after, limit).await?) })
        })
        .await
    }

    async fn revoked(
        &self,
        request: Request<v1::RevokedRequest>,
    ) -> Result<Response<v1::RevokedList>, Status> {
        answer(async {
            let it = request.into_inner();
            let shard = read("RevokedRequest.shard", it.shard)?;
            let after = it.after.map(|it| serial("RevokedRequest.after", &it)).transpose()?;
            let limit = read_limit("RevokedRequest.limit", it.limit)?;
            Ok(v1::RevokedList { certificates: wire(self.0.revoked(shard, after, limit).await?) })
        })
        .await
    }

    async fn revoked_lengths(
        &self,
        request: Request<v1::RevokedLengthsRequest>,
    ) -> Result<Response<v1::RevokedLengthsResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let shard = read("RevokedLengthsRequest.shard", it.shard)?;
            let after = it.after.map(|it| serial("RevokedLengthsRequest.after", &it)).transpose()?;
            let RevokedLengths { count, serial_octets, next } = self.0.revoked_lengths(shard, after).await?;
            Ok(v1::RevokedLengthsResponse {
                count: Some(count),
                serial_octets: Some(serial_octets),
                next: next.map(|serial| serial.as_bytes().to_vec()),
            })
        })
        .await
    }

    async fn add_crl_chunk(
        &self,
        request: Request<v1::AddCrlChunkRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let crl = read("AddCrlChunkRequest.crl", it.crl)?;
            let holder = worker_id("AddCrlChunkRequest.holder", &it.holder)?;
            let place = present("AddCrlChunkRequest.place", it.place)?;
            self.0.add_crl_chunk(crl, holder, place, it.octets).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn publish_crl(
        &self,
        request: Request<v1::PublishCrlRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let crl = read("PublishCrlRequest.crl", it.crl)?;
            self.0.publish_crl(crl, worker_id("PublishCrlRequest.holder", &it.holder)?).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn remove_crls(
        &self,
        request: Request<v1::RemoveCrlsRequest>,
    ) -> Result<Response<v1::RemoveCrlsResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let first = read("RemoveCrlsRequest.first", it.first)?;
            let end = present("RemoveCrlsRequest.end", it.end)?;
            let holder = worker_id("RemoveCrlsRequest.holder", &it.holder)?;
            Ok(v1::RemoveCrlsResponse { more: Some(self.0.remove_crls(first, end, holder).await?) })
        })
        .await
    }

    async fn forget_revocations(
        &self,
        request: Request<v1::ForgetRevocationsRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            if it.serials.len() > MAX_ROWS {
                return Err(BadMessage::new("ForgetRevocationsRequest.serials", "are too many").into());
            }
            let serials = it.serials.iter().map(|it| serial("ForgetRevocationsRequest.serials", it));
            let ended = time("ForgetRevocationsRequest.ended", it.ended)?;
            self.0.forget_revocations(serials.collect::<Read<_>>()?, ended).await?;
            Ok(v1::Nothing {})
        })
        .await
    }
}

pub(super) fn crl_request(shard: ShardId, kind: CrlKind) -> v1::CrlRequest {
    v1::CrlRequest { shard: Some(shard.into()), kind: v1::CrlKind::from(kind).into() }
}

pub(super) fn read_crl_request(it: v1::CrlRequest) -> Read<(ShardId, CrlKind)> {
    Ok((read("CrlRequest.shard", it.shard)?, value::<v1::CrlKind, _>("CrlRequest.kind", it.kind)?))
}

fn wire_limit(limit: usize) -> Option<u32> {
    u32::try_from(limit.min(MAX_ROWS)).ok()
}

fn read_limit(field: &'static str, limit: Option<u32>) -> Read<usize> {
    Ok(usize::try_from(present(field, limit)?).unwrap_or(usize::MAX).min(MAX_ROWS))
}

/// The messages of a repeated field that has at most [`MAX_ROWS`].
fn bounded<W, T: TryFrom<W, Error = BadMessage>>(field: &'static str, values: Vec<W>) -> Read<Vec<T>> {
    if values.len() > MAX_ROWS {
        return Err(BadMessage::new(field, "are more than are ever told"));
    }
    list(values)
}

same_names!(CrlKind { Complete, Delta });

impl From<ShardId> for v1::ShardId {
    fn from(ShardId { issuer, shard }: ShardId) -> Self {
        Self { issuer: issuer.as_bytes().to_vec(), shard: Some(shard.number().into()) }
    }
}

impl TryFrom<v1::ShardId> for ShardId {
    type Error = BadMessage;

    fn try_from(it: v1::ShardId) -> Read<Self> {
        Ok(Self {
            issuer: issuer_id("ShardId.issuer", &it.issuer)?,
            shard: crl_shard("ShardId.shard", present("ShardId.shard", it.shard)?)?,
        })
    }
}

impl From<CrlId> for v1::CrlId {
    fn from(CrlId { shard, kind, number }: CrlId) -> Self {
        Self { shard: Some(shard.into()), kind: v1::CrlKind::from(kind).into(), number: Some(number) }
    }
}

impl TryFrom<v1::CrlId> for CrlId {
    type Error = BadMessage;

    fn try_from(it: v1::CrlId) -> Read<Self> {
        Ok(Self {
            shard: read("CrlId.shard", it.shard)?,
            kind: value::<v1::CrlKind, _>("CrlId.kind", it.kind)?,
            number: present("CrlId.number", it.number)?,
        })
    }
}

impl From<CrlHead> for v1::CrlHead {
    fn from(head: CrlHead) -> Self {
        let CrlHead { id, this_update, next_update, base, position, entries, length, sha256 } = head;
        Self {
            id: Some(id.into()),
            this_update: Some(this_update.unix()),
            next_update: Some(next_update.unix()),
            base,
            position: Some(position.number()),
            entries: Some(entries),
            length: Some(length),
            sha256: sha256.to_vec(),
        }
    }
}

impl TryFrom<v1::CrlHead> for CrlHead {
    type Error = BadMessage;

    fn try_from(it: v1::CrlHead) -> Read<Self> {
        Ok(Self {
            id: read("CrlHead.id", it.id)?,
            this_update: time("CrlHead.this_update", it.this_update)?,
            next_update: time("CrlHead.next_update", it.next_update)?,
            base: it.base,
            position: position("CrlHead.position", it.position)?,
            entries: present("CrlHead.entries", it.entries)?,
            length: present("CrlHead.length", it.length)?,
            sha256: octets("CrlHead.sha256", &it.sha256)?,
        })
    }
}

impl From<RevokedCertificate> for v1::RevokedCertificate {
    fn from(certificate: RevokedCertificate) -> Self {
        let RevokedCertificate { serial, not_after, revocation, position } = certificate;
        Self {
            serial: serial.as_bytes().to_vec(),
            not_after: Some(not_after.unix()),
            revocation: Some(revocation.into()),
            position: Some(position.number()),
        }
    }
}

impl TryFrom<v1::RevokedCertificate> for RevokedCertificate {
    type Error = BadMessage;

    fn try_from(it: v1::RevokedCertificate) -> Read<Self> {
        Ok(Self {
            serial: serial("RevokedCertificate.serial", &it.serial)?,
            not_after: time("RevokedCertificate.not_after", it.not_after)?,
            revocation: read("RevokedCertificate.revocation", it.revocation)?,
            position: position("RevokedCertificate.position", it.position)?,
        })
    }
}

impl From<ShardChange> for v1::ShardChange {
    fn from(ShardChange { shard, certificate }: ShardChange) -> Self {
        Self { shard: Some(shard.into()), certificate: Some(certificate.into()) }
    }
}

impl TryFrom<v1::ShardChange> for ShardChange {
    type Error = BadMessage;

    fn try_from(it: v1::ShardChange) -> Read<Self> {
        Ok(Self {
            shard: read("ShardChange.shard", it.shard)?,
            certificate: read("ShardChange.certificate", it.certificate)?,
        })
    }
}
