//! Rows of incidents and of their certificates.

use cairn_core::{Incident, IncidentEnd, IncidentId, IncidentStatus, RevocationReason, Serial, Timestamp};

use crate::error::Inconsistency;

/// A row of `incidents`.
pub(crate) struct IncidentRow {
    pub(crate) id: [u8; 16],
    pub(crate) name: String,
    pub(crate) selection: String,
    pub(crate) reason: Option<i64>,
    pub(crate) drill: bool,
    pub(crate) explanation: Option<String>,
    pub(crate) created: i64,
    pub(crate) revoke_at: Option<i64>,
    pub(crate) finished_by: Option<String>,
    pub(crate) status: String,
}

impl From<Incident> for IncidentRow {
    fn from(incident: Incident) -> Self {
        let Incident { id, name, selection, reason, drill, explanation, created, end, status } = incident;
        let (revoke_at, finished_by) = end.map(|end| (end.at.unix(), end.by)).unzip();
        Self {
            id: *id.as_bytes(),
            name,
            selection,
            reason: reason.map(|reason| reason.code().into()),
            drill,
            explanation,
            created: created.unix(),
            revoke_at,
            finished_by,
            status: status.as_str().to_owned(),
        }
    }
}

impl TryFrom<IncidentRow> for Incident {
    type Error = Inconsistency;

    fn try_from(row: IncidentRow) -> Result<Self, Inconsistency> {
        let id = IncidentId::from_bytes(row.id);
        let wrong = |column| Inconsistency::on("incidents", column).row(id);
        let reason = |code: i64| u8::try_from(code).ok().and_then(RevocationReason::from_code);
        Ok(Self {
            id,
            name: row.name,
            selection: row.selection,
            reason: match row.reason {
                None => None,
                Some(code) => Some(reason(code).ok_or_else(|| wrong("reason"))?),
            },
            drill: row.drill,
            explanation: row.explanation,
            created: Timestamp::from_unix(row.created),
            end: row.revoke_at.map(|at| IncidentEnd {
                at: Timestamp::from_unix(at),
                by: row.finished_by.unwrap_or_default(),
            }),
            status: IncidentStatus::ALL
                .into_iter()
                .find(|status| status.as_str() == row.status)
                .ok_or_else(|| wrong("status"))?,
        })
    }
}

/// The key of a row of `incident_certificates`: that of the certificate with this serial, or what comes right after such octets.
pub(crate) fn entry_id(incident: IncidentId, serial: &[u8]) -> Vec<u8> {
    [incident.as_bytes(), serial].concat()
}

/// A key behind all those of an incident: no serial begins so.
pub(crate) fn last_entry_id(incident: IncidentId) -> Vec<u8> {
    entry_id(incident, &[0xff])
}

/// Octets of each serial.
pub(crate) fn octets_of(serials: &[Serial]) -> Vec<Vec<u8>> {
    serials.iter().map(|serial| serial.as_bytes().to_vec()).collect()
}
