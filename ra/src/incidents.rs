//! Incidents: certificates that must be replaced soon, and then be revoked ([`cairn_core::incident`]).
//!
//! What an incident is about is entered once, a stretch at a time. While it is open, clients are told to renew (RFC 9773 §4.2). At its end,
//! which an operator decides on beforehand, whatever is not revoked is: by the clock, once each, however often a process is killed at it.

use cairn_core::api::admin::{EnteredStretch, FollowedStretch, IncidentStretch, NewIncident, Operator};
use cairn_core::api::revocations::{IncidentEntry, StoredCertificate};
use cairn_core::incident::subject;
use cairn_core::{
    CertificateRecord, Error, ErrorKind, Incident, IncidentEnd, IncidentId, IncidentStatus, Result,
    Selection, Serial, Stretch, Timestamp,
};
use futures_util::future::join_all;

use crate::revocation::{Wanted, revoke};
use crate::selection::{AT_ONCE, find, read, told};
use crate::{Ra, audit, metrics, not_found};

/// How many incidents are told: an operator looks for one of the last years.
const TOLD: usize = 200;

/// How many certificates of an incident are looked at in one call, or ended between two looks at whether it is still open.
const LOOKED_AT: usize = 200;

/// Longest name, in octets: it stands in every event.
const LONGEST_NAME: usize = 100;

/// Longest URL of an explanation, in octets: it is sent to every client that asks.
const LONGEST_EXPLANATION: usize = 1000;

pub(crate) async fn begin(ra: &Ra, operator: &Operator, new: NewIncident) -> Result<Incident> {
    let malformed = |detail| Err(Error::new(ErrorKind::Malformed, detail));
    let NewIncident { name, selection, reason, drill, explanation } = new;
    if !(1..=LONGEST_NAME).contains(&name.len()) || name.chars().any(char::is_control) {
        return malformed("an incident's name has 1 to 100 octets and no control characters");
    }
    let is_url = |text: &String| {
        (text.starts_with("https://") || text.starts_with("http://"))
            && text.len() <= LONGEST_EXPLANATION
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !explanation.as_ref().is_none_or(is_url) {
        return malformed("the explanation is the URL of a page, of at most 1000 ASCII characters");
    }
    let same = |it: &Incident| it.status == IncidentStatus::Open && it.name == name;
    if let Some(open) = ra.deps.sa.stored_incidents(TOLD).await?.iter().find(|it| same(it)) {
        let detail = format!("an open incident has this name: {}, of {}", open.id, open.selection);
        return Err(Error::new(ErrorKind::Conflict, detail));
    }
    let created = ra.deps.clock.now();
    let incident = Incident {
        id: IncidentId::new(created, ra.deps.random.as_ref()),
        name,
        selection,
        reason,
        drill,
        explanation,
        created,
        end: None,
        status: IncidentStatus::Open,
    };
    ra.deps.sa.new_incident(incident.clone()).await?;
    audit::incident("begun", &incident, &format!("operator {operator}"));
    Ok(incident)
}

/// What is revoked or has expired need not be replaced; what was issued after the incident began is no part of it, unless it is named.
pub(crate) async fn enter(
    ra: &Ra,
    id: IncidentId,
    selection: &Selection,
    stretch: &Stretch,
) -> Result<EnteredStretch> {
    let incident = one(ra, id).await?;
    let mut selection = selection.clone();
    if let Stretch::After(_) = stretch {
        // What is issued while certificates are entered is not to be found by chance.
        selection.issued_before.get_or_insert(incident.created.plus(1));
    }
    let found = find(ra, &selection, stretch).await?;
    let now = ra.deps.clock.now();
    let matter = |record: &CertificateRecord| record.not_after >= now && record.revocation.is_none();
    let entries = found.certificates.iter().filter(|it| matter(&it.record)).map(entry);
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let entered = ra.deps.sa.add_incident_certificates(id, entries).await.map_err(refused)?;
    let passed_over = (found.certificates.len() as u64).saturating_sub(entered);
    Ok(EnteredStretch { looked_at: found.looked_at, entered, passed_over, next: found.next })
}

fn entry(certificate: &StoredCertificate) -> Result<IncidentEntry> {
    let record = &certificate.record;
    let names = read(record)?.names();
    let subject = subject(record.account, names.iter().map(ToString::to_string));
    Ok(IncidentEntry { serial: record.serial.clone(), subject })
}

/// In an operator's words.
fn refused(error: Error) -> Error {
    match error.kind {
        ErrorKind::NotFound => not_found("incident"),
        ErrorKind::Conflict => Error::new(ErrorKind::Conflict, "the incident is not open any more"),
        _ => error,
    }
}

pub(crate) async fn all(ra: &Ra) -> Result<Vec<Incident>> {
    ra.deps.sa.stored_incidents(TOLD).await
}

pub(crate) async fn one(ra: &Ra, id: IncidentId) -> Result<Incident> {
    ra.deps.sa.stored_incident(id).await?.ok_or_else(|| not_found("incident"))
}

/// Certificates that were issued since the incident began, and that nothing has happened to: those of which it has one for the same account
/// and names have replaced that.
pub(crate) async fn follow(ra: &Ra, id: IncidentId, after: &[u8]) -> Result<FollowedStretch> {
    let incident = one(ra, id).await?;
    let since = Selection { issued_after: Some(incident.created), ..Selection::default() };
    let found = find(ra, &since, &Stretch::After(after.to_vec())).await?;
    let entries = found.certificates.iter().filter(|it| it.record.revocation.is_none()).map(entry);
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let replaced = ra.deps.sa.set_incident_replaced(id, entries).await?;
    Ok(FollowedStretch { replaced, next: found.next })
}

pub(crate) async fn stretch(ra: &Ra, id: IncidentId, after: &[u8]) -> Result<IncidentStretch> {
    let certificates = ra.deps.sa.incident_certificates(id, after, LOOKED_AT).await?;
    let now = ra.deps.clock.now();
    let more = certificates.len() == LOOKED_AT;
    let next = certificates.last().filter(|_| more).map(|last| last.serial.as_bytes().to_vec());
    let mut stretch = IncidentStretch { next, ..IncidentStretch::default() };
    for certificate in &certificates {
        stretch.certificates += 1;
        stretch.replaced += u64::from(certificate.replaced);
        // What is not kept any more ended long ago.
        let Some(record) = &certificate.record else {
            stretch.expired += 1;
            continue;
        };
        stretch.revoked += u64::from(record.revocation.is_some());
        if record.not_after < now {
            stretch.expired += 1;
        } else if !certificate.replaced {
            stretch.waiting.push(told(record)?);
        }
    }
    Ok(stretch)
}

pub(crate) async fn finish(ra: &Ra, operator: &Operator, id: IncidentId, at: Timestamp) -> Result<Incident> {
    let by = format!("operator {operator}");
    let incident =
        ra.deps.sa.set_incident_end(id, IncidentEnd { at, by: by.clone() }).await.map_err(refused)?;
    audit::incident("to_be_finished", &incident, &by);
    ra.upkeep.notify_one();
    Ok(incident)
}

pub(crate) async fn cancel(ra: &Ra, operator: &Operator, id: IncidentId) -> Result<Incident> {
    let incident = ra.deps.sa.close_incident(id, IncidentStatus::Cancelled).await.map_err(refused)?;
    audit::incident("cancelled", &incident, &format!("operator {operator}"));
    Ok(incident)
}

/// Ends the incidents whose time has come.
///
/// # Errors
/// The first one. The others are ended all the same.
pub(crate) async fn end_due(ra: &Ra) -> Result<()> {
    let mut outcome = Ok(());
    for incident in ra.deps.sa.due_incidents(ra.deps.clock.now()).await? {
        outcome = outcome.and(end(ra, &incident).await);
    }
    outcome
}

async fn end(ra: &Ra, incident: &Incident) -> Result<()> {
    let by = incident.end.as_ref().map_or("", |end| &end.by);
    let by = format!("incident {}, {by}", incident.id);
    while !ra.deps.shutdown.is_cancelled() {
        let to_do = ra.deps.sa.incident_to_do(incident.id, LOOKED_AT).await?;
        if to_do.is_empty() {
            return match ra.deps.sa.close_incident(incident.id, IncidentStatus::Finished).await {
                Ok(finished) => {
                    audit::incident("finished", &finished, &by);
                    Ok(())
                }
                // Another process was faster, or an operator has cancelled it.
                Err(error) if error.kind == ErrorKind::Conflict => Ok(()),
                Err(error) => Err(error),
            };
        }
        for some in to_do.chunks(AT_ONCE) {
            // An operator may have thought better of it.
            if !is_still_due(ra, incident.id).await? {
                return Ok(());
            }
            let each = some.iter().map(|serial| end_certificate(ra, incident, serial, &by));
            join_all(each).await.into_iter().collect::<Result<()>>()?;
            ra.deps.sa.set_incident_done(incident.id, some.to_vec()).await?;
        }
    }
    Ok(())
}

async fn is_still_due(ra: &Ra, id: IncidentId) -> Result<bool> {
    let now = ra.deps.clock.now();
    let due = |incident: Incident| {
        incident.status == IncidentStatus::Open && incident.end.is_some_and(|end| end.at <= now)
    };
    Ok(ra.deps.sa.stored_incident(id).await?.is_some_and(due))
}

/// Does nothing where nothing is to be done any more; so it can be done again.
async fn end_certificate(ra: &Ra, incident: &Incident, serial: &Serial, by: &str) -> Result<()> {
    let now = ra.deps.clock.now();
    let record = ra.deps.sa.certificate(serial).await?;
    let left = record.filter(|record| record.not_after >= now && record.revocation.is_none());
    let Some(record) = left else { return Ok(()) };
    if incident.drill {
        audit::certificate_would_be_revoked(serial, incident);
        return Ok(());
    }
    let wanted = Wanted { reason: incident.reason, blocked_key: None, corrects: false, by };
    match revoke(ra, &record, wanted).await {
        Ok(_) => {
            metrics::followed_incident();
            Ok(())
        }
        Err(error) if error.kind == ErrorKind::AlreadyRevoked => Ok(()),
        Err(error) => Err(error),
    }
}
