//! What an operator asks ([`Administration`]). An operator may do what no account may, so that everything asked is an event for the
//! auditor, whatever came of it; what was changed is an event of its own besides, of the same name as a client's change.

use std::fmt::Display;

use async_trait::async_trait;
use cairn_core::api::admin::{
    AccountName, Administration, EnteredStretch, FollowedStretch, IncidentStretch, NewIncident, Operator,
    OperatorRevocation, RaStatus, RevokedStretch, Selected, Workload,
};
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationId, CertificateRecord, Error, ErrorKind, Incident,
    IncidentId, IssuerId, OrderId, OrderWithAuthorizations, Result, RevocationReason, Selection, Serial,
    Stretch, Timestamp,
};
use cairn_x509::Certificate;

use crate::revocation::{self, Wanted};
use crate::{Ra, audit, incidents, selection};

#[async_trait]
impl Administration for Ra {
    async fn account(&self, operator: &Operator, name: AccountName) -> Result<Account> {
        let read = async {
            match name {
                AccountName::Id(id) => self.deps.sa.account(id).await,
                AccountName::Key(key) => self.deps.sa.account_by_key(key).await,
            }
        };
        match name {
            AccountName::Id(id) => asked(operator, "account.show", id, found(read, "account")).await,
            AccountName::Key(key) => asked(operator, "account.show", key, found(read, "account")).await,
        }
    }

    async fn deactivate_account(&self, operator: &Operator, account: AccountId) -> Result<Account> {
        let deed = async {
            let closed = self.deps.sa.revoke_account(account).await.map_err(|error| {
                refused(error, "the account", "the account is closed already; `account show` says how")
            })?;
            audit::account_revoked(account, operator);
            Ok(closed)
        };
        asked(operator, "account.deactivate", account, deed).await
    }

    async fn order(&self, operator: &Operator, order: OrderId) -> Result<OrderWithAuthorizations> {
        asked(operator, "order.show", order, found(self.deps.sa.order(order), "order")).await
    }

    async fn authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization> {
        let read = found(self.deps.sa.authorization(authorization), "authorization");
        asked(operator, "authorization.show", authorization, read).await
    }

    async fn deactivate_authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization> {
        let deed = async {
            let now = self.deps.clock.now();
            let given_up = self.deps.sa.deactivate_authorization(authorization, now).await;
            let given_up = given_up.map_err(|error| {
                let final_already =
                    "the authorization is invalid or deactivated already: nothing can be issued by it";
                refused(error, "the authorization", final_already)
            })?;
            audit::authorization_deactivated(&given_up);
            Ok(given_up)
        };
        asked(operator, "authorization.deactivate", authorization, deed).await
    }

    async fn certificate(&self, operator: &Operator, serial: &Serial) -> Result<CertificateRecord> {
        let read = found(self.deps.sa.certificate(serial), "certificate");
        asked(operator, "certificate.show", serial, read).await
    }

    async fn revoke_certificate(
        &self,
        operator: &Operator,
        revocation: OperatorRevocation,
    ) -> Result<CertificateRecord> {
        let serial = revocation.serial.clone();
        asked(operator, "certificate.revoke", serial, revoke(self, operator, revocation)).await
    }

    async fn block_key(&self, operator: &Operator, spki_sha256: [u8; 32]) -> Result<bool> {
        let key = crate::upkeep::hex(&spki_sha256);
        let deed = async {
            let blocked = self.deps.sa.block_key(spki_sha256, self.deps.clock.now()).await?;
            if blocked {
                audit::key_blocked(&key, operator);
            }
            Ok(blocked)
        };
        asked(operator, "key.block", &key, deed).await
    }

    async fn select(
        &self,
        operator: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<Selected> {
        asked(operator, "certificate.select", selection, selection::select(self, selection, stretch, reason))
            .await
    }

    async fn revoke_selected(
        &self,
        operator: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<RevokedStretch> {
        let deed = selection::revoke_selected(self, operator, selection, stretch, reason);
        asked(operator, "certificate.revoke_selected", selection, deed).await
    }

    async fn new_incident(&self, operator: &Operator, incident: NewIncident) -> Result<Incident> {
        // What an operator wrote stands in quotes in the event.
        let name = format!("{:?}", incident.name);
        asked(operator, "incident.create", name, incidents::begin(self, operator, incident)).await
    }

    async fn enter_into_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        selection: &Selection,
        stretch: &Stretch,
    ) -> Result<EnteredStretch> {
        let deed = incidents::enter(self, incident, selection, stretch);
        asked(operator, "incident.enter", incident, deed).await
    }

    async fn incidents(&self, operator: &Operator) -> Result<Vec<Incident>> {
        asked(operator, "incident.list", "incidents", incidents::all(self)).await
    }

    async fn incident(&self, operator: &Operator, incident: IncidentId) -> Result<Incident> {
        asked(operator, "incident.show", incident, incidents::one(self, incident)).await
    }

    async fn follow_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<FollowedStretch> {
        asked(operator, "incident.follow", incident, incidents::follow(self, incident, after)).await
    }

    async fn incident_stretch(
        &self,
        operator: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<IncidentStretch> {
        asked(operator, "incident.status", incident, incidents::stretch(self, incident, after)).await
    }

    async fn finish_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        at: Timestamp,
    ) -> Result<Incident> {
        let deed = incidents::finish(self, operator, incident, at);
        asked(operator, "incident.finish", incident, deed).await
    }

    async fn cancel_incident(&self, operator: &Operator, incident: IncidentId) -> Result<Incident> {
        asked(operator, "incident.cancel", incident, incidents::cancel(self, operator, incident)).await
    }

    async fn retire_issuer(
        &self,
        operator: &Operator,
        issuer: IssuerId,
        by: Option<Timestamp>,
    ) -> Result<()> {
        let deed = async {
            if !self.deps.sa.set_replace_by(issuer, by).await? {
                return Err(crate::not_found("issuer"));
            }
            audit::issuer_retired(issuer, by, operator);
            Ok(())
        };
        asked(operator, "issuer.retire", issuer, deed).await
    }

    async fn status(&self, operator: &Operator) -> Result<RaStatus> {
        let workload =
            |running: usize, limit: usize| Workload { running: running as u64, limit: limit as u64 };
        let status = RaStatus {
            validations: workload(self.validating.count(), self.config.max_validations),
            issuances: workload(self.issuing.count(), self.config.max_issuances),
            stopping: self.deps.shutdown.is_cancelled(),
        };
        asked(operator, "status", "registration authority", async { Ok(status) }).await
    }
}

/// Like a client's revocation, but the CA needs no proof, and may block the key on its own evidence.
async fn revoke(ra: &Ra, operator: &Operator, asked: OperatorRevocation) -> Result<CertificateRecord> {
    let mut record = found(ra.deps.sa.certificate(&asked.serial), "certificate").await?;
    let blocked_key = if asked.block_key { Some(key_of(&record)?) } else { None };
    let by = format!("operator {operator}");
    let wanted = Wanted { reason: asked.reason, blocked_key, corrects: true, by: &by };
    record.revocation = Some(revocation::revoke(ra, &record, wanted).await?);
    Ok(record)
}

fn key_of(record: &CertificateRecord) -> Result<[u8; 32]> {
    let unreadable = |error| {
        Error::internal("the stored certificate cannot be read; revoke it without blocking its key", error)
    };
    Ok(Certificate::from_der(&record.der).map_err(unreadable)?.public_key().sha256())
}

/// Does what an operator asks, and tells the auditor what came of it.
async fn asked<T>(
    operator: &Operator,
    what: &'static str,
    object: impl Display,
    deed: impl Future<Output = Result<T>>,
) -> Result<T> {
    let outcome = deed.await;
    audit::operator_asked(operator, what, &object, outcome.as_ref().err());
    outcome
}

async fn found<T>(read: impl Future<Output = Result<Option<T>>>, what: &str) -> Result<T> {
    read.await?.ok_or_else(|| crate::not_found(what))
}

/// A change that the storage has refused, in an operator's words.
fn refused(error: Error, what: &str, conflict: &str) -> Error {
    match error.kind {
        ErrorKind::NotFound => Error::new(ErrorKind::NotFound, format!("{what} does not exist")),
        ErrorKind::Conflict => Error::new(ErrorKind::Conflict, conflict),
        _ => error,
    }
}
