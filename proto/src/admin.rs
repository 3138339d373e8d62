//! [`Administration`] over gRPC.
//!
//! The operator's name is what the caller says. What the connection itself tells about the caller (the user at the other end of a
//! local socket, the address of a machine) is put behind the name before anybody reads it.

mod stretches;

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::Administration;
use cairn_core::api::admin::{
    AccountName, EnteredStretch, FollowedStretch, IncidentStretch, NewIncident, Operator, OperatorRevocation,
    RaStatus, RevokedStretch, Selected, Workload,
};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, CertificateRecord, Incident, IncidentId, IssuerId,
    OrderId, OrderWithAuthorizations, Result, RevocationReason, Selection, Serial, Stretch, Timestamp,
};
use tonic::{Extensions, Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, Read, list, present, read, time, value, wire};
use crate::server::{Servable, Served, answer, serve};
use crate::transport::{LocalPeer, Peer};
use crate::v1;
use crate::v1::admin_account_request::Name;
use crate::v1::admin_server as generated;
use crate::vocabulary::{
    account_id, authorization_id, incident_id, issuer_id, order_id, reason, reason_code, serial, sha256,
    thumbprint,
};

/// A registration authority elsewhere, as an operator asks it.
#[derive(Clone, Debug)]
pub struct RemoteAdministration<T>(Client<T>);

impl<T: Carrier> RemoteAdministration<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> Administration for RemoteAdministration<T> {
    async fn account(&self, operator: &Operator, name: AccountName) -> Result<Account> {
        let name = match name {
            AccountName::Id(id) => Name::Id(id.as_bytes().to_vec()),
            AccountName::Key(key) => Name::Thumbprint(key.as_bytes().to_vec()),
        };
        let request = v1::AdminAccountRequest { operator: operator.to_string(), name: Some(name) };
        let account: v1::Account = self.0.call("/cairn.v1.Admin/Account", request).await?;
        Ok(account.try_into()?)
    }

    async fn deactivate_account(&self, operator: &Operator, account: AccountId) -> Result<Account> {
        let account = account.as_bytes().to_vec();
        let request = v1::AdminDeactivateAccountRequest { operator: operator.to_string(), account };
        let account: v1::Account = self.0.call("/cairn.v1.Admin/DeactivateAccount", request).await?;
        Ok(account.try_into()?)
    }

    async fn order(&self, operator: &Operator, order: OrderId) -> Result<OrderWithAuthorizations> {
        let order = order.as_bytes().to_vec();
        let request = v1::AdminOrderRequest { operator: operator.to_string(), order };
        let order: v1::OrderWithAuthorizations = self.0.call("/cairn.v1.Admin/Order", request).await?;
        Ok(order.try_into()?)
    }

    async fn authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization> {
        let authorization = authorization.as_bytes().to_vec();
        let request = v1::AdminAuthorizationRequest { operator: operator.to_string(), authorization };
        let authorization: v1::Authorization = self.0.call("/cairn.v1.Admin/Authorization", request).await?;
        Ok(authorization.try_into()?)
    }

    async fn deactivate_authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization> {
        let authorization = authorization.as_bytes().to_vec();
        let request =
            v1::AdminDeactivateAuthorizationRequest { operator: operator.to_string(), authorization };
        let authorization: v1::Authorization =
            self.0.call("/cairn.v1.Admin/DeactivateAuthorization", request).await?;
        Ok(authorization.try_into()?)
    }

    async fn certificate(&self, operator: &Operator, serial: &Serial) -> Result<CertificateRecord> {
        let serial = serial.as_bytes().to_vec();
        let request = v1::AdminCertificateRequest { operator: operator.to_string(), serial };
        let record: v1::CertificateRecord = self.0.call("/cairn.v1.Admin/Certificate", request).await?;
        Ok(record.try_into()?)
    }

    async fn revoke_certificate(
        &self,
        operator: &Operator,
        revocation: OperatorRevocation,
    ) -> Result<CertificateRecord> {
        let OperatorRevocation { serial, reason, block_key } = revocation;
        let request = v1::AdminRevokeCertificateRequest {
            operator: operator.to_string(),
            serial: serial.as_bytes().to_vec(),
            reason: reason.map(|reason| v1::RevocationReason::from(reason).into()),
            block_key: Some(block_key),
        };
        let record: v1::CertificateRecord = self.0.call("/cairn.v1.Admin/RevokeCertificate", request).await?;
        Ok(record.try_into()?)
    }

    async fn block_key(&self, operator: &Operator, spki_sha256: [u8; 32]) -> Result<bool> {
        let spki_sha256 = spki_sha256.to_vec();
        let request = v1::AdminBlockKeyRequest { operator: operator.to_string(), spki_sha256 };
        let answer: v1::BlockKeyResponse = self.0.call("/cairn.v1.Admin/BlockKey", request).await?;
        Ok(present("BlockKeyResponse.blocked", answer.blocked)?)
    }

    async fn select(
        &self,
        operator: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<Selected> {
        let request = v1::AdminSelectRequest {
            operator: operator.to_string(),
            selection: Some(selection.clone().into()),
            stretch: Some(stretch.clone().into()),
            reason: reason_code(reason),
        };
        let it: v1::Selected = self.0.call("/cairn.v1.Admin/Select", request).await?;
        Ok(it.try_into()?)
    }

    async fn revoke_selected(
        &self,
        operator: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<RevokedStretch> {
        let request = v1::AdminSelectRequest {
            operator: operator.to_string(),
            selection: Some(selection.clone().into()),
            stretch: Some(stretch.clone().into()),
            reason: reason_code(reason),
        };
        let it: v1::RevokedStretch = self.0.call("/cairn.v1.Admin/RevokeSelected", request).await?;
        Ok(it.try_into()?)
    }

    async fn new_incident(&self, operator: &Operator, incident: NewIncident) -> Result<Incident> {
        let request = v1::AdminNewIncidentRequest {
            operator: operator.to_string(),
            name: incident.name,
            selection: incident.selection,
            reason: reason_code(incident.reason),
            drill: Some(incident.drill),
            explanation: incident.explanation,
        };
        let it: v1::Incident = self.0.call("/cairn.v1.Admin/NewIncident", request).await?;
        Ok(it.try_into()?)
    }

    async fn enter_into_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        selection: &Selection,
        stretch: &Stretch,
    ) -> Result<EnteredStretch> {
        let request = v1::AdminEnterIntoIncidentRequest {
            operator: operator.to_string(),
            incident: incident.as_bytes().to_vec(),
            selection: Some(selection.clone().into()),
            stretch: Some(stretch.clone().into()),
        };
        let it: v1::EnteredStretch = self.0.call("/cairn.v1.Admin/EnterIntoIncident", request).await?;
        Ok(it.try_into()?)
    }

    async fn incidents(&self, operator: &Operator) -> Result<Vec<Incident>> {
        let request = v1::AdminIncidentsRequest { operator: operator.to_string() };
        let it: v1::IncidentList = self.0.call("/cairn.v1.Admin/Incidents", request).await?;
        Ok(list(it.incidents)?)
    }

    async fn incident(&self, operator: &Operator, incident: IncidentId) -> Result<Incident> {
        let request = v1::AdminIncidentRequest {
            operator: operator.to_string(),
            incident: incident.as_bytes().to_vec(),
        };
        let it: v1::Incident = self.0.call("/cairn.v1.Admin/Incident", request).await?;
        Ok(it.try_into()?)
    }

    async fn follow_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<FollowedStretch> {
        let request = v1::AdminIncidentStretchRequest {
            operator: operator.to_string(),
            incident: incident.as_bytes().to_vec(),
            after: after.to_vec(),
        };
        let it: v1::FollowedStretch = self.0.call("/cairn.v1.Admin/FollowIncident", request).await?;
        Ok(it.try_into()?)
    }

    async fn incident_stretch(
        &self,
        operator: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<IncidentStretch> {
        let request = v1::AdminIncidentStretchRequest {
            operator: operator.to_string(),
            incident: incident.as_bytes().to_vec(),
            after: after.to_vec(),
        };
        let it: v1::IncidentStretch = self.0.call("/cairn.v1.Admin/IncidentStretch", request).await?;
        Ok(it.try_into()?)
    }

    async fn finish_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        at: Timestamp,
    ) -> Result<Incident> {
        let request = v1::AdminFinishIncidentRequest {
            operator: operator.to_string(),
            incident: incident.as_bytes().to_vec(),
            at: Some(at.unix()),
        };
        let it: v1::Incident = self.0.call("/cairn.v1.Admin/FinishIncident", request).await?;
        Ok(it.try_into()?)
    }

    async fn cancel_incident(&self, operator: &Operator, incident: IncidentId) -> Result<Incident> {
        let request = v1::AdminIncidentRequest {
            operator: operator.to_string(),
            incident: incident.as_bytes().to_vec(),
        };
        let it: v1::Incident = self.0.call("/cairn.v1.Admin/CancelIncident", request).await?;
        Ok(it.try_into()?)
    }

    async fn retire_issuer(
        &self,
        operator: &Operator,
        issuer: IssuerId,
        by: Option<Timestamp>,
    ) -> Result<()> {
        let request = v1::AdminRetireIssuerRequest {
            operator: operator.to_string(),
            issuer: issuer.as_bytes().to_vec(),
            by: by.map(Timestamp::unix),
        };
        let v1::Nothing {} = self.0.call("/cairn.v1.Admin/RetireIssuer", request).await?;
        Ok(())
    }

    async fn status(&self, operator: &Operator) -> Result<RaStatus> {
        let request = v1::AdminStatusRequest { operator: operator.to_string() };
        let status: v1::AdminStatusResponse = self.0.call("/cairn.v1.Admin/Status", request).await?;
        Ok(status.try_into()?)
    }
}

/// Lets operators ask `administration`.
pub fn administration_server(administration: Arc<dyn Administration>) -> impl Servable {
    serve!(generated::AdminServer<_>, administration)
}

#[async_trait]
impl generated::Admin for Served<dyn Administration> {
    async fn account(
        &self,
        request: Request<v1::AdminAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let name = match present("AdminAccountRequest.name", it.name)? {
                Name::Id(id) => AccountName::Id(account_id("AdminAccountRequest.id", &id)?),
                Name::Thumbprint(key) => {
                    AccountName::Key(thumbprint("AdminAccountRequest.thumbprint", &key)?)
                }
            };
            Ok(self.0.account(&operator(&connection, &it.operator)?, name).await?.into())
        })
        .await
    }

    async fn deactivate_account(
        &self,
        request: Request<v1::AdminDeactivateAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let account = account_id("AdminDeactivateAccountRequest.account", &it.account)?;
            Ok(self.0.deactivate_account(&operator(&connection, &it.operator)?, account).await?.into())
        })
        .await
    }

    async fn order(
        &self,
        request: Request<v1::AdminOrderRequest>,
    ) -> Result<Response<v1::OrderWithAuthorizations>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let order = order_id("AdminOrderRequest.order", &it.order)?;
            Ok(self.0.order(&operator(&connection, &it.operator)?, order).await?.into())
        })
        .await
    }

    async fn authorization(
        &self,
        request: Request<v1::AdminAuthorizationRequest>,
    ) -> Result<Response<v1::Authorization>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let id = authorization_id("AdminAuthorizationRequest.authorization", &it.authorization)?;
            Ok(self.0.authorization(&operator(&connection, &it.operator)?, id).await?.into())
        })
        .await
    }

    async fn deactivate_authorization(
        &self,
        request: Request<v1::AdminDeactivateAuthorizationRequest>,
    ) -> Result<Response<v1::Authorization>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let field = "AdminDeactivateAuthorizationRequest.authorization";
            let id = authorization_id(field, &it.authorization)?;
            Ok(self.0.deactivate_authorization(&operator(&connection, &it.operator)?, id).await?.into())
        })
        .await
    }

    async fn certificate(
        &self,
        request: Request<v1::AdminCertificateRequest>,
    ) -> Result<Response<v1::CertificateRecord>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let serial = serial("AdminCertificateRequest.serial", &it.serial)?;
            Ok(self.0.certificate(&operator(&connection, &it.operator)?, &serial).await?.into())
        })
        .await
    }

    async fn revoke_certificate(
        &self,
        request: Request<v1::AdminRevokeCertificateRequest>,
    ) -> Result<Response<v1::CertificateRecord>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let reason = it
                .reason
                .map(|it| value::<v1::RevocationReason, _>("AdminRevokeCertificateRequest.reason", it));
            let revocation = OperatorRevocation {
                serial: serial("AdminRevokeCertificateRequest.serial", &it.serial)?,
                reason: reason.transpose()?,
                block_key: present("AdminRevokeCertificateRequest.block_key", it.block_key)?,
            };
            let operator = operator(&connection, &it.operator)?;
            Ok(self.0.revoke_certificate(&operator, revocation).await?.into())
        })
        .await
    }

    async fn block_key(
        &self,
        request: Request<v1::AdminBlockKeyRequest>,
    ) -> Result<Response<v1::BlockKeyResponse>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let key = sha256("AdminBlockKeyRequest.spki_sha256", &it.spki_sha256)?;
            let blocked = self.0.block_key(&operator(&connection, &it.operator)?, key).await?;
            Ok(v1::BlockKeyResponse { blocked: Some(blocked) })
        })
        .await
    }

    async fn select(
        &self,
        request: Request<v1::AdminSelectRequest>,
    ) -> Result<Response<v1::Selected>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let selection = read("AdminSelectRequest.selection", it.selection)?;
            let stretch = read("AdminSelectRequest.stretch", it.stretch)?;
            let reason = reason("AdminSelectRequest.reason", it.reason)?;
            let found = self.0.select(&operator, &selection, &stretch, reason).await?;
            Ok(found.into())
        })
        .await
    }

    async fn revoke_selected(
        &self,
        request: Request<v1::AdminSelectRequest>,
    ) -> Result<Response<v1::RevokedStretch>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let selection = read("AdminSelectRequest.selection", it.selection)?;
            let stretch = read("AdminSelectRequest.stretch", it.stretch)?;
            let reason = reason("AdminSelectRequest.reason", it.reason)?;
            let found = self.0.revoke_selected(&operator, &selection, &stretch, reason).await?;
            Ok(found.into())
        })
        .await
    }

    async fn new_incident(
        &self,
        request: Request<v1::AdminNewIncidentRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let incident = NewIncident {
                name: it.name,
                selection: it.selection,
                reason: reason("AdminNewIncidentRequest.reason", it.reason)?,
                drill: present("AdminNewIncidentRequest.drill", it.drill)?,
                explanation: it.explanation,
            };
            let found = self.0.new_incident(&operator, incident).await?;
            Ok(found.into())
        })
        .await
    }

    async fn enter_into_incident(
        &self,
        request: Request<v1::AdminEnterIntoIncidentRequest>,
    ) -> Result<Response<v1::EnteredStretch>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let incident = incident_id("AdminEnterIntoIncidentRequest.incident", &it.incident)?;
            let selection = read("AdminEnterIntoIncidentRequest.selection", it.selection)?;
            let stretch = read("AdminEnterIntoIncidentRequest.stretch", it.stretch)?;
            let found = self.0.enter_into_incident(&operator, incident, &selection, &stretch).await?;
            Ok(found.into())
        })
        .await
    }

    async fn incidents(
        &self,
        request: Request<v1::AdminIncidentsRequest>,
    ) -> Result<Response<v1::IncidentList>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let found = self.0.incidents(&operator).await?;
            Ok(v1::IncidentList { incidents: wire(found) })
        })
        .await
    }

    async fn incident(
        &self,
        request: Request<v1::AdminIncidentRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let incident = incident_id("AdminIncidentRequest.incident", &it.incident)?;
            let found = self.0.incident(&operator, incident).await?;
            Ok(found.into())
        })
        .await
    }

    async fn follow_incident(
        &self,
        request: Request<v1::AdminIncidentStretchRequest>,
    ) -> Result<Response<v1::FollowedStretch>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let incident = incident_id("AdminIncidentStretchRequest.incident", &it.incident)?;
            let found = self.0.follow_incident(&operator, incident, &it.after).await?;
            Ok(found.into())
        })
        .await
    }

    async fn incident_stretch(
        &self,
        request: Request<v1::AdminIncidentStretchRequest>,
    ) -> Result<Response<v1::IncidentStretch>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let incident = incident_id("AdminIncidentStretchRequest.incident", &it.incident)?;
            let found = self.0.incident_stretch(&operator, incident, &it.after).await?;
            Ok(found.into())
        })
        .await
    }

    async fn finish_incident(
        &self,
        request: Request<v1::AdminFinishIncidentRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let incident = incident_id("AdminFinishIncidentRequest.incident", &it.incident)?;
            let at = time("AdminFinishIncidentRequest.at", it.at)?;
            let found = self.0.finish_incident(&operator, incident, at).await?;
            Ok(found.into())
        })
        .await
    }

    async fn cancel_incident(
        &self,
        request: Request<v1::AdminIncidentRequest>,
    ) -> Result<Response<v1::Incident>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let incident = incident_id("AdminIncidentRequest.incident", &it.incident)?;
            let found = self.0.cancel_incident(&operator, incident).await?;
            Ok(found.into())
        })
        .await
    }

    async fn retire_issuer(
        &self,
        request: Request<v1::AdminRetireIssuerRequest>,
    ) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            let operator = operator(&connection, &it.operator)?;
            let issuer = issuer_id("AdminRetireIssuerRequest.issuer", &it.issuer)?;
            let by = it.by.map(Timestamp::from_unix);
            self.0.retire_issuer(&operator, issuer, by).await?;
            Ok(v1::Nothing {})
        })
        .await
    }

    async fn status(
        &self,
        request: Request<v1::AdminStatusRequest>,
    ) -> Result<Response<v1::AdminStatusResponse>, Status> {
        answer(async {
            let (_, connection, it) = request.into_parts();
            Ok(self.0.status(&operator(&connection, &it.operator)?).await?.into())
        })
        .await
    }
}

/// Who asks: the name that was said, and what the connection tells.
fn operator(connection: &Extensions, name: &str) -> Read<Operator> {
    let bad = |_| BadMessage::new("operator", "is no name of an operator");
    let said: Operator = name.parse().map_err(bad)?;
    let known = match (connection.get::<LocalPeer>(), connection.get::<Peer>()) {
        (Some(LocalPeer { user }), _) => format!("uid={user}"),
        (None, Some(peer)) => peer.address.ip().to_string(),
        (None, None) => return Ok(said),
    };
    Ok(said.known_as(&known))
}

impl From<RaStatus> for v1::AdminStatusResponse {
    fn from(status: RaStatus) -> Self {
        let RaStatus { validations, issuances, stopping } = status;
        Self {
            validations: Some(validations.into()),
            issuances: Some(issuances.into()),
            stopping: Some(stopping),
        }
    }
}

impl TryFrom<v1::AdminStatusResponse> for RaStatus {
    type Error = BadMessage;

    fn try_from(it: v1::AdminStatusResponse) -> Read<Self> {
        Ok(Self {
            validations: read("AdminStatusResponse.validations", it.validations)?,
            issuances: read("AdminStatusResponse.issuances", it.issuances)?,
            stopping: present("AdminStatusResponse.stopping", it.stopping)?,
        })
    }
}

impl From<Workload> for v1::Workload {
    fn from(Workload { running, limit }: Workload) -> Self {
        Self { running: Some(running), limit: Some(limit) }
    }
}

impl TryFrom<v1::Workload> for Workload {
    type Error = BadMessage;

    fn try_from(it: v1::Workload) -> Read<Self> {
        Ok(Self {
            running: present("Workload.running", it.running)?,
            limit: present("Workload.limit", it.limit)?,
        })
    }
}
