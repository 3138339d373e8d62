//! [`RevocationStore`] over gRPC: what a [`RemoteStorageAuthority`] does beyond single certificates.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::RevocationStore;
use cairn_core::api::revocations::{IncidentCertificate, IncidentEntry, KeyToSweep, StoredCertificate};
use cairn_core::{
    Incident, IncidentEnd, IncidentId, IncidentStatus, IssuerId, OrderId, Result, Serial, Timestamp,
};
use tonic::{Request, Response, Status};

use crate::client::Carrier;
use crate::reading::{BadMessage, Read, list, maybe, octets, present, read, time, value, wire};
use crate::sa::RemoteStorageAuthority;
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::revocation_store_server as generated;
use crate::vocabulary::{incident_id, issuer_id, order_id, serial, sha256};

#[async_trait]
impl<T: Carrier> RevocationStore for RemoteStorageAuthority<T> {
    async fn correct_revocation(
        &self,
        serial: &Serial,
        blocked_key: Option<[u8; 32]>,
        at: Timestamp,
    ) -> Result<bool> {
        let request = v1::CorrectRevocationRequest {
            serial: serial.as_bytes().to_vec(),
            blocked_key: blocked_key.map(|key| key.to_vec()),
            at: Some(at.unix()),
        };
        let it: v1::CorrectRevocationResponse =
            self.revocations.call("/cairn.v1.RevocationStore/CorrectRevocation", request).await?;
        Ok(present("CorrectRevocationResponse.corrected", it.corrected)?)
    }

    async fn certificates_after(&self, after: &[u8], limit: usize) -> Result<Vec<StoredCertificate>> {
        let request = v1::CertificatesAfterRequest { after: after.to_vec(), limit: Some(limit as u64) };
        let it: v1::StoredCertificates =
            self.revocations.call("/cairn.v1.RevocationStore/CertificatesAfter", request).await?;
        Ok(list(it.certificates)?)
    }

    async fn certificates_of_key(
        &self,
        spki_sha256: [u8; 32],
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<StoredCertificate>> {
        let request = v1::CertificatesOfKeyRequest {
            spki_sha256: spki_sha256.to_vec(),
            after: after.to_vec(),
            limit: Some(limit as u64),
        };
        let it: v1::StoredCertificates =
            self.revocations.call("/cairn.v1.RevocationStore/CertificatesOfKey", request).await?;
        Ok(list(it.certificates)?)
    }

    async fn certificates_with_serials(&self, serials: &[Serial]) -> Result<Vec<StoredCertificate>> {
        let request = v1::SerialList::from(serials.to_vec());
        let it: v1::StoredCertificates =
            self.revocations.call("/cairn.v1.RevocationStore/CertificatesWithSerials", request).await?;
        Ok(list(it.certificates)?)
    }

    async fn keys_to_sweep(&self, after: Option<[u8; 32]>, limit: usize) -> Result<Vec<KeyToSweep>> {
        let request =
            v1::KeysToSweepRequest { after: after.map(|key| key.to_vec()), limit: Some(limit as u64) };
        let it: v1::KeysToSweepResponse =
            self.revocations.call("/cairn.v1.RevocationStore/KeysToSweep", request).await?;
        Ok(list(it.keys)?)
    }

    async fn end_sweep(&self, key: KeyToSweep) -> Result<()> {
        let request = v1::KeyToSweep::from(key);
        let v1::Nothing {} = self.revocations.call("/cairn.v1.RevocationStore/EndSweep", request).await?;
        Ok(())
    }

    async fn certificates_without_key(&self, limit: usize) -> Result<Vec<(Serial, Vec<u8>)>> {
        let request = v1::CertificatesWithoutKeyRequest { limit: Some(limit as u64) };
        let it: v1::CertificatesWithoutKeyResponse =
            self.revocations.call("/cairn.v1.RevocationStore/CertificatesWithoutKey", request).await?;
        Ok(it
            .certificates
            .into_iter()
            .map(|it| Ok((serial("IssuedCertificate.serial", &it.serial)?, it.der)))
            .collect::<Read<_>>()?)
    }

    async fn enter_keys(&self, keys: Vec<(Serial, [u8; 32])>) -> Result<()> {
        let request = v1::CertificateKeys {
            keys: keys
                .iter()
                .map(|(serial, key)| v1::CertificateKey {
                    serial: serial.as_bytes().to_vec(),
                    spki_sha256: key.to_vec(),
                })
                .collect(),
        };
        let v1::Nothing {} = self.revocations.call("/cairn.v1.RevocationStore/EnterKeys", request).await?;
        Ok(())
    }

    async fn replacement(&self, serial: &Serial) -> Result<Option<OrderId>> {
        let request = v1::ReplacementRequest { serial: serial.as_bytes().to_vec() };
        let it: v1::ReplacementResponse =
            self.revocations.call("/cairn.v1.RevocationStore/Replacement", request).await?;
        Ok(it.order.map(|id| order_id("ReplacementResponse.order", &id)).transpose()?)
    }

    async fn set_replace_by(&self, issuer: IssuerId, by: Option<Timestamp>) -> Result<bool> {
        let request =
            v1::SetReplaceByRequest { issuer: issuer.as_bytes().to_vec(), by: by.map(Timestamp::unix) };
        let it: v1::SetReplaceByResponse =
            self.revocations.call("/cairn.v1.RevocationStore/SetReplaceBy", request).await?;
        Ok(present("SetReplaceByResponse.known", it.known)?)
    }

    async fn new_incident(&self, incident: Incident) -> Result<()> {
        let request = v1::Incident::from(incident);
        let v1::Nothing {} = self.revocations.call("/cairn.v1.RevocationStore/NewIncident", request).await?;
        Ok(())
    }

    async fn stored_incident(&self, id: IncidentId) -> Result<Option<Incident>> {
        let request = v1::StoredIncidentRequest { id: id.as_bytes().to_vec() };
        let it: v1::StoredIncidentResponse =
            self.revocations.call("/cairn.v1.RevocationStore/StoredIncident", request).await?;
        Ok(maybe(it.incident)?)
    }

    async fn stored_incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        let request = v1::StoredIncidentsRequest { limit: Some(limit as u64) };
        let it: v1::IncidentList =
            self.revocations.call("/cairn.v1.RevocationStore/StoredIncidents", request).await?;
        Ok(list(it.incidents)?)
    }

    async fn due_incidents(&self, at: Timestamp) -> Result<Vec<Incident>> {
        let request = v1::DueIncidentsRequest { at: Some(at.unix()) };
        let it: v1::IncidentList =
            self.revocations.call("/cairn.v1.RevocationStore/DueIncidents", request).await?;
        Ok(list(it.incidents)?)
    }

    async fn add_incident_certificates(&self, id: IncidentId, entries: Vec<IncidentEntry>) -> Result<u64> {
        let request =
            v1::AddIncidentCertificatesRequest { incident: id.as_bytes().to_vec(), entries: wire(entries) };
        let it: v1::AddIncidentCertificatesResponse =
            self.revocations.call("/cairn.v1.RevocationStore/AddIncidentCertificates", request).await?;
        Ok(present("AddIncidentCertificatesResponse.added", it.added)?)
    }

    async fn set_incident_end(&self, id: IncidentId, end: IncidentEnd) -> Result<Incident> {
        let request = v1::SetIncidentEndRequest {
            incident: id.as_bytes().to_vec(),
            at: Some(end.at.unix()),
            by: end.by,
        };
        let it: v1::Incident =
            self.revocations.call("/cairn.v1.RevocationStore/SetIncidentEnd", request).await?;
        Ok(it.try_into()?)
    }

    async fn close_incident(&self, id: IncidentId, status: IncidentStatus) -> Result<Incident> {
        let request = v1::CloseIncidentRequest {
            incident: id.as_bytes().to_vec(),
            status: v1::IncidentStatus::from(status).into(),
        };
        let it: v1::Incident =
            self.revocations.call("/cairn.v1.RevocationStore/CloseIncident", request).await?;
        Ok(it.try_into()?)
    }

    async fn incident_certificates(
        &self,
        id: IncidentId,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<IncidentCertificate>> {
        let request = v1::IncidentCertificatesRequest {
            incident: id.as_bytes().to_vec(),
            after: after.to_vec(),
            limit: Some(limit as u64),
        };
        let it: v1::IncidentCertificateList =
            self.revocations.call("/cairn.v1.RevocationStore/IncidentCertificates", request).await?;
        Ok(list(it.certificates)?)
    }

    async fn incident_to_do(&self, id: IncidentId, limit: usize) -> Result<Vec<Serial>> {
        let request = v1::IncidentToDoRequest { incident: id.as_bytes().to_vec(), limit: Some(limit as u64) };
        let it: v1::SerialList =
            self.revocations.call("/cairn.v1.RevocationStore/IncidentToDo", request).await?;
        Ok(it.try_into()?)
    }

    async fn set_incident_done(&self, id: IncidentId, serials: Vec<Serial>) -> Result<()> {
        let request = v1::SetIncidentDoneRequest {
            incident: id.as_bytes().to_vec(),
            serials: serials.iter().map(|serial| serial.as_bytes().to_vec()).collect(),
        };
        let v1::Nothing {} =
            self.revocations.call("/cairn.v1.RevocationStore/SetIncidentDone", request).await?;
        Ok(())
    }

    async fn set_incident_replaced(&self, id: IncidentId, by: Vec<IncidentEntry>) -> Result<u64> {
        let request = v1::SetIncidentReplacedRequest { incident: id.as_bytes().to_vec(), by: wire(by) };
        let it: v1::SetIncidentReplacedResponse =
            self.revocations.call("/cairn.v1.RevocationStore/SetIncidentReplaced", request).await?;
        Ok(present("SetIncidentReplacedResponse.replaced", it.replaced)?)
    }
}

/// Lets the registration authority use `storage`, where [`storage_authority_server`](crate::storage_authority_server) is mounted too.
pub fn revocation_store_server(storage: Arc<dyn RevocationStore>) -> impl Servable {
    serve!(generated::RevocationStoreServer<_>, storage)
}

#[async_trait]
impl generated::RevocationStore for Served<dyn RevocationStore> {
    async fn correct_revocation(
        &self,
        request: Request<v1::CorrectRevocationRequest>,
    ) -> Result<Response<v1::CorrectRevocationResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let serial = serial("CorrectRevocationRequest.serial", &it.serial)?;
            let key =
                it.blocked_key.map(|key| sha256("CorrectRevocationRequest.blocked_key", &key)).transpose()?;
            let at = time("CorrectRevocationRequest.at", it.at)?;
            let found = self.0.correct_revocation(&serial, key, at).await?;
            Ok(v1::CorrectRevocationResponse { corrected: Some(found) })
        })
        .await
    }

    async fn certificates_after(
        &self,
        request: Request<v1::CertificatesAfterRequest>,
    ) -> Result<Response<v1::StoredCertificates>, Status> {
        answer(async {
            let it = request.into_inner();
            let limit = limit_of("CertificatesAfterRequest.limit", it.limit)?;
            let found = self.0.certificates_after(&it.after, limit).await?;
            Ok(v1::StoredCertificates { certificates: wire(found) })
        })
        .await
    }

    async fn certificates_of_key(
        &self,
        request: Request<v1::CertificatesOfKeyRequest>,
    ) -> Result<Response<v1::StoredCertificates>, Status> {
        answer(async {
            let it = request.into_inner();
            let key = sha256("CertificatesOfKeyRequest.spki_sha256", &it.spki_sha256)?;
            let limit = limit_of("CertificatesOfKeyRequest.limit", it.limit)?;
            let found = self.0.certificates_of_key(key, &it.after, limit).await?;
            Ok(v1::StoredCertificates { certificates: wire(found) })
        })
        .await
    }

    async fn certificates_with_serials(
        &self,
        request: Request<v1::SerialList>,
    ) -> Result<Response<v1::StoredCertificates>, Status> {
        answer(async {
            let it = request.into_inner();
            let serials: Vec<Serial> = it.try_into()?;
            let found = self.0.certificates_with_serials(&serials).await?;
            Ok(v1::StoredCertificates { certificates: wire(found) })
        })
        .await
    }

    async fn keys_to_sweep(
        &self,
        request: Request<v1::KeysToSweepRequest>,
    ) -> Result<Response<v1::KeysToSweepResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let after = it.after.map(|key| sha256("KeysToSweepRequest.after", &key)).transpose()?;
            let limit = limit_of("KeysToSweepRequest.limit", it.limit)?;
            let found = self.0.keys_to_sweep(after, limit).await?;
            Ok(v1::KeysToSweepResponse { keys: wire(found) })
        })
        .await
    }

    async fn end_sweep(&self, request: Request<v1::KeyToSweep>) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let key = it.try_into()?;
            self.0.end_sweep(key).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn certificates_without_key(
        &self,
        request: Request<v1::CertificatesWithoutKeyRequest>,
    ) -> Result<Response<v1::CertificatesWithoutKeyResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let limit = limit_of("CertificatesWithoutKeyRequest.limit", it.limit)?;
            let found = self.0.certificates_without_key(limit).await?;
            Ok(v1::CertificatesWithoutKeyResponse {
                certificates: found
                    .into_iter()
                    .map(|(serial, der)| v1::IssuedCertificate { serial: serial.as_bytes().to_vec(), der })
                    .collect(),
            })
        })
        .await
    }

    async fn enter_keys(
        &self,
        request: Request<v1::CertificateKeys>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let key = |it: v1::CertificateKey| {
                Ok((
                    serial("CertificateKey.serial", &it.serial)?,
                    sha256("CertificateKey.spki_sha256", &it.spki_sha256)?,
                ))
            };
            let keys = it.keys.into_iter().map(key).collect::<Read<_>>()?;
            self.0.enter_keys(keys).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn replacement(
        &self,
        request: Request<v1::ReplacementRequest>,
    ) -> Result<Response<v1::ReplacementResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let serial = serial("ReplacementRequest.serial", &it.serial)?;
            let found = self.0.replacement(&serial).await?;
            Ok(v1::ReplacementResponse { order: found.map(|id| id.as_bytes().to_vec()) })
        })
        .await
    }

    async fn set_replace_by(
        &self,
        request: Request<v1::SetReplaceByRequest>,
    ) -> Result<Response<v1::SetReplaceByResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let issuer = issuer_id("SetReplaceByRequest.issuer", &it.issuer)?;
            let found = self.0.set_replace_by(issuer, it.by.map(Timestamp::from_unix)).await?;
            Ok(v1::SetReplaceByResponse { known: Some(found) })
        })
        .await
    }

    async fn new_incident(&self, request: Request<v1::Incident>) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let incident = it.try_into()?;
            self.0.new_incident(incident).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn stored_incident(
        &self,
        request: Request<v1::StoredIncidentRequest>,
    ) -> Result<Response<v1::StoredIncidentResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("StoredIncidentRequest.id", &it.id)?;
            let found = self.0.stored_incident(id).await?;
            Ok(v1::StoredIncidentResponse { incident: found.map(Into::into) })
        })
        .await
    }

    async fn stored_incidents(
        &self,
        request: Request<v1::StoredIncidentsRequest>,
    ) -> Result<Response<v1::IncidentList>, Status> {
        answer(async {
            let it = request.into_inner();
            let limit = limit_of("StoredIncidentsRequest.limit", it.limit)?;
            let found = self.0.stored_incidents(limit).await?;
            Ok(v1::IncidentList { incidents: wire(found) })
        })
        .await
    }

    async fn due_incidents(
        &self,
        request: Request<v1::DueIncidentsRequest>,
    ) -> Result<Response<v1::IncidentList>, Status> {
        answer(async {
            let it = request.into_inner();
            let at = time("DueIncidentsRequest.at", it.at)?;
            let found = self.0.due_incidents(at).await?;
            Ok(v1::IncidentList { incidents: wire(found) })
        })
        .await
    }

    async fn add_incident_certificates(
        &self,
        request: Request<v1::AddIncidentCertificatesRequest>,
    ) -> Result<Response<v1::AddIncidentCertificatesResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("AddIncidentCertificatesRequest.incident", &it.incident)?;
            let entries = list(it.entries)?;
            let found = self.0.add_incident_certificates(id, entries).await?;
            Ok(v1::AddIncidentCertificatesResponse { added: Some(found) })
        })
        .await
    }

    async fn set_incident_end(
        &self,
        request: Request<v1::SetIncidentEndRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("SetIncidentEndRequest.incident", &it.incident)?;
            let end = IncidentEnd { at: time("SetIncidentEndRequest.at", it.at)?, by: it.by };
            let found = self.0.set_incident_end(id, end).await?;
            Ok(found.into())
        })
        .await
    }

    async fn close_incident(
        &self,
        request: Request<v1::CloseIncidentRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("CloseIncidentRequest.incident", &it.incident)?;
            let status = value::<v1::IncidentStatus, _>("CloseIncidentRequest.status", it.status)?;
            let found = self.0.close_incident(id, status).await?;
            Ok(found.into())
        })
        .await
    }

    async fn incident_certificates(
        &self,
        request: Request<v1::IncidentCertificatesRequest>,
    ) -> Result<Response<v1::IncidentCertificateList>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("IncidentCertificatesRequest.incident", &it.incident)?;
            let limit = limit_of("IncidentCertificatesRequest.limit", it.limit)?;
            let found = self.0.incident_certificates(id, &it.after, limit).await?;
            Ok(v1::IncidentCertificateList { certificates: wire(found) })
        })
        .await
    }

    async fn incident_to_do(
        &self,
        request: Request<v1::IncidentToDoRequest>,
    ) -> Result<Response<v1::SerialList>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("IncidentToDoRequest.incident", &it.incident)?;
            let limit = limit_of("IncidentToDoRequest.limit", it.limit)?;
            let found = self.0.incident_to_do(id, limit).await?;
            Ok(found.into())
        })
        .await
    }

    async fn set_incident_done(
        &self,
        request: Request<v1::SetIncidentDoneRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("SetIncidentDoneRequest.incident", &it.incident)?;
            let serials = it
                .serials
                .iter()
                .map(|octets| serial("SetIncidentDoneRequest.serials", octets))
                .collect::<Read<_>>()?;
            self.0.set_incident_done(id, serials).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn set_incident_replaced(
        &self,
        request: Request<v1::SetIncidentReplacedRequest>,
    ) -> Result<Response<v1::SetIncidentReplacedResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let id = incident_id("SetIncidentReplacedRequest.incident", &it.incident)?;
            let by = list(it.by)?;
            let found = self.0.set_incident_replaced(id, by).await?;
            Ok(v1::SetIncidentReplacedResponse { replaced: Some(found) })
        })
        .await
    }
}

fn limit_of(field: &'static str, limit: Option<u64>) -> Read<usize> {
    let limit = present(field, limit)?;
    usize::try_from(limit).map_err(|_| BadMessage::new(field, "is too large"))
}

impl From<StoredCertificate> for v1::StoredCertificate {
    fn from(certificate: StoredCertificate) -> Self {
        let StoredCertificate { record, issued, profile } = certificate;
        Self { record: Some(record.into()), issued: Some(issued.unix()), profile }
    }
}

impl TryFrom<v1::StoredCertificate> for StoredCertificate {
    type Error = BadMessage;

    fn try_from(it: v1::StoredCertificate) -> Read<Self> {
        Ok(Self {
            record: read("StoredCertificate.record", it.record)?,
            issued: time("StoredCertificate.issued", it.issued)?,
            profile: it.profile,
        })
    }
}

impl From<KeyToSweep> for v1::KeyToSweep {
    fn from(KeyToSweep { spki_sha256, until }: KeyToSweep) -> Self {
        Self { spki_sha256: spki_sha256.to_vec(), until: Some(until.unix()) }
    }
}

impl TryFrom<v1::KeyToSweep> for KeyToSweep {
    type Error = BadMessage;

    fn try_from(it: v1::KeyToSweep) -> Read<Self> {
        Ok(Self {
            spki_sha256: sha256("KeyToSweep.spki_sha256", &it.spki_sha256)?,
            until: time("KeyToSweep.until", it.until)?,
        })
    }
}

impl From<IncidentEntry> for v1::IncidentEntry {
    fn from(IncidentEntry { serial, subject }: IncidentEntry) -> Self {
        Self { serial: serial.as_bytes().to_vec(), subject: subject.to_vec() }
    }
}

impl TryFrom<v1::IncidentEntry> for IncidentEntry {
    type Error = BadMessage;

    fn try_from(it: v1::IncidentEntry) -> Read<Self> {
        Ok(Self {
            serial: serial("IncidentEntry.serial", &it.serial)?,
            subject: octets("IncidentEntry.subject", &it.subject)?,
        })
    }
}

impl From<IncidentCertificate> for v1::IncidentCertificate {
    fn from(certificate: IncidentCertificate) -> Self {
        let IncidentCertificate { serial, replaced, record } = certificate;
        Self { serial: serial.as_bytes().to_vec(), replaced: Some(replaced), record: record.map(Into::into) }
    }
}

impl TryFrom<v1::IncidentCertificate> for IncidentCertificate {
    type Error = BadMessage;

    fn try_from(it: v1::IncidentCertificate) -> Read<Self> {
        Ok(Self {
            serial: serial("IncidentCertificate.serial", &it.serial)?,
            replaced: present("IncidentCertificate.replaced", it.replaced)?,
            record: maybe(it.record)?,
        })
    }
}
