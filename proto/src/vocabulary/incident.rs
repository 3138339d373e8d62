//! Incidents, and what the time to renew follows from.

use cairn_core::{Incident, IncidentEnd, IncidentStatus, OpenIncident, Renewal, RevocationReason, Timestamp};

use super::{incident_id, issuer_id};
use crate::reading::{BadMessage, Read, present, same_names, time, value};
use crate::v1;

same_names!(IncidentStatus { Open, Finished, Cancelled });

/// A reason that may be absent.
pub(crate) fn reason(field: &'static str, code: Option<i32>) -> Read<Option<RevocationReason>> {
    code.map(|code| value::<v1::RevocationReason, _>(field, code)).transpose()
}

/// The same, to send.
pub(crate) fn reason_code(reason: Option<RevocationReason>) -> Option<i32> {
    reason.map(|reason| v1::RevocationReason::from(reason).into())
}

impl From<Incident> for v1::Incident {
    fn from(incident: Incident) -> Self {
        let Incident { id, name, selection, reason, drill, explanation, created, end, status } = incident;
        let (revoke_at, finished_by) = end.map(|end| (end.at.unix(), end.by)).unzip();
        Self {
            id: id.as_bytes().to_vec(),
            name,
            selection,
            reason: reason_code(reason),
            drill: Some(drill),
            explanation,
            created: Some(created.unix()),
            revoke_at,
            finished_by,
            status: v1::IncidentStatus::from(status).into(),
        }
    }
}

impl TryFrom<v1::Incident> for Incident {
    type Error = BadMessage;

    fn try_from(it: v1::Incident) -> Read<Self> {
        let end = match (it.revoke_at, it.finished_by) {
            (None, None) => None,
            (Some(at), Some(by)) => Some(IncidentEnd { at: Timestamp::from_unix(at), by }),
            (Some(_), None) => return Err(BadMessage::new("Incident.finished_by", "is missing")),
            (None, Some(_)) => return Err(BadMessage::new("Incident.revoke_at", "is missing")),
        };
        Ok(Self {
            id: incident_id("Incident.id", &it.id)?,
            name: it.name,
            selection: it.selection,
            reason: reason("Incident.reason", it.reason)?,
            drill: present("Incident.drill", it.drill)?,
            explanation: it.explanation,
            created: time("Incident.created", it.created)?,
            end,
            status: value::<v1::IncidentStatus, _>("Incident.status", it.status)?,
        })
    }
}

impl From<Renewal> for v1::Renewal {
    fn from(renewal: Renewal) -> Self {
        let Renewal { issuer, issued, not_after, revoked, incident, replace_by } = renewal;
        let (since, explanation) = match incident {
            None => (None, None),
            Some(OpenIncident { since, explanation }) => (Some(since.unix()), explanation),
        };
        Self {
            issuer: issuer.as_bytes().to_vec(),
            issued: Some(issued.unix()),
            not_after: Some(not_after.unix()),
            revoked: revoked.map(Timestamp::unix),
            incident: since,
            explanation,
            replace_by: replace_by.map(Timestamp::unix),
        }
    }
}

impl TryFrom<v1::Renewal> for Renewal {
    type Error = BadMessage;

    fn try_from(it: v1::Renewal) -> Read<Self> {
        let explanation = it.explanation;
        let incident =
            it.incident.map(|since| OpenIncident { since: Timestamp::from_unix(since), explanation });
        Ok(Self {
            issuer: issuer_id("Renewal.issuer", &it.issuer)?,
            issued: time("Renewal.issued", it.issued)?,
            not_after: time("Renewal.not_after", it.not_after)?,
            revoked: it.revoked.map(Timestamp::from_unix),
            incident,
            replace_by: it.replace_by.map(Timestamp::from_unix),
        })
    }
}
