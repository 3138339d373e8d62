//! `cairn admin incident` and `cairn admin issuer`: certificates that must be replaced.

use anyhow::{Context, Result, ensure};
use cairn_core::api::admin::{NewIncident, SelectedCertificate};
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Incident, IncidentId, IncidentStatus};

use super::ask::{id, shown};
use super::connection::{Connection, told};
use super::objects::reason_name;
use super::remark;
use super::selected::{Meant, certificate, count};
use super::sheet::Sheet;
use crate::cli::admin::incidents::{CreateIncidentArgs, IncidentCommand, IncidentStatusArgs, IssuerCommand};

/// Calls between two words about the progress.
const CALLS_PER_WORD: u64 = 10;

pub(super) async fn run(command: IncidentCommand) -> Result<String> {
    match command {
        IncidentCommand::Create(args) => create(*args).await,
        IncidentCommand::List(args) => {
            let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
            let incidents = ra.incidents(operator).await.map_err(told)?;
            Ok(shown(Sheet::new().sheets("incidents", incidents.iter().map(line)), &args.server))
        }
        IncidentCommand::Status(args) => status(args).await,
        IncidentCommand::Finish(args) => {
            let incident = id(&args.id)?;
            let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
            let at = args.at.moment(SystemClock.now());
            let incident = ra.finish_incident(operator, incident, at).await.map_err(told)?;
            Ok(shown(sheet(&incident), &args.server))
        }
        IncidentCommand::Cancel(args) => {
            let incident = id(&args.id)?;
            let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
            let incident = ra.cancel_incident(operator, incident).await.map_err(told)?;
            Ok(shown(sheet(&incident), &args.server))
        }
    }
}

pub(super) async fn issuer(IssuerCommand::Retire(args): IssuerCommand) -> Result<String> {
    let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
    let by = args.by.map(|by| by.moment(SystemClock.now()));
    ra.retire_issuer(operator, args.id.0, by).await.map_err(told)?;
    let sheet = Sheet::new().with("issuer", args.id.0);
    let sheet = match by {
        Some(by) => sheet.with("replaced_by", by),
        None => sheet.with("replaced_by", "never"),
    };
    Ok(shown(sheet, &args.server))
}

async fn create(args: CreateIncidentArgs) -> Result<String> {
    let meant = Meant::new(&args.selection)?;
    let connection = Connection::open(&args.server).await?;
    if !args.yes {
        let sheet = count(&connection, &meant, None).await?.sheet();
        let mut text = shown(sheet, &args.server);
        if !args.server.json {
            text.push_str("\nNo incident was begun. Say the same with --yes to do it.\n");
        }
        return Ok(text);
    }
    let Connection { ra, operator, .. } = &connection;
    let incident = begun(&connection, &args, meant.words()).await?;
    let (mut entered, mut passed_over, mut calls) = (0, 0, 0);
    let mut stretches = meant.stretches()?;
    while let Some(stretch) = stretches.next()? {
        let stretch = ra.enter_into_incident(operator, incident.id, &meant.selection, &stretch).await;
        let stretch = stretch.map_err(told).with_context(|| {
            format!(
                "incident {} has begun, and {entered} certificates were entered. Say the same again to enter the rest",
                incident.id
            )
        })?;
        entered += stretch.entered;
        passed_over += stretch.passed_over;
        stretches.go_on(stretch.next);
        calls += 1;
        if calls % CALLS_PER_WORD == 0 {
            remark(&format!("entered {entered}"));
        }
    }
    let sheet = sheet(&incident).json("entered", entered).json("passed_over", passed_over);
    Ok(shown(sheet, &args.server))
}

/// A new incident, or the one that was begun with the same words.
async fn begun(connection: &Connection, args: &CreateIncidentArgs, selection: String) -> Result<Incident> {
    let Connection { ra, operator, .. } = connection;
    let open = |it: &Incident| it.status == IncidentStatus::Open && it.name == args.called;
    if let Some(incident) = ra.incidents(operator).await.map_err(told)?.into_iter().find(open) {
        ensure!(
            incident.selection == selection && incident.drill == args.drill,
            "an open incident has this name: {}, of {}. Call yours otherwise, or say the same as then to go on with that one",
            incident.id,
            incident.selection
        );
        remark(&format!("going on with incident {}, begun at {}", incident.id, incident.created));
        return Ok(incident);
    }
    let new = NewIncident {
        name: args.called.clone(),
        selection,
        reason: args.reason.0,
        drill: args.drill,
        explanation: args.explanation.clone(),
    };
    ra.new_incident(operator, new).await.map_err(told)
}

async fn status(args: IncidentStatusArgs) -> Result<String> {
    let id: IncidentId = id(&args.id)?;
    let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
    let incident = ra.incident(operator, id).await.map_err(told)?;
    // What was replaced since the last look is found among what was issued since the incident began.
    let (mut after, mut calls) = (Vec::new(), 0);
    while let Some(next) = ra.follow_incident(operator, id, &after).await.map_err(told)?.next {
        after = next;
        calls += 1;
        if calls % CALLS_PER_WORD == 0 {
            remark("looking for replacements");
        }
    }
    let (mut certificates, mut replaced, mut revoked, mut expired, mut waiting) = (0, 0, 0, 0, 0);
    let mut first: Vec<SelectedCertificate> = Vec::new();
    let mut after = Vec::new();
    loop {
        let stretch = ra.incident_stretch(operator, id, &after).await.map_err(told)?;
        certificates += stretch.certificates;
        replaced += stretch.replaced;
        revoked += stretch.revoked;
        expired += stretch.expired;
        waiting += stretch.waiting.len() as u64;
        let room = args.show.saturating_sub(first.len());
        first.extend(stretch.waiting.into_iter().take(room));
        match stretch.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let sheet = sheet(&incident)
        .json("certificates", certificates)
        .json("replaced", replaced)
        .json("not_replaced", certificates - replaced)
        .json("revoked", revoked)
        .json("expired", expired);
    let sheet = match (incident.drill, incident.status) {
        (true, IncidentStatus::Finished) => {
            sheet.json("would_be_revoked", certificates.saturating_sub(revoked + expired))
        }
        _ => sheet,
    };
    let more = waiting - first.len() as u64;
    let sheet = sheet.sheets("waiting", first.iter().map(certificate));
    Ok(shown(if more > 0 { sheet.json("more", more) } else { sheet }, &args.server))
}

fn sheet(incident: &Incident) -> Sheet {
    let sheet = Sheet::new()
        .with("id", incident.id)
        .with("name", &incident.name)
        .with("status", incident.status.as_str())
        .json("drill", incident.drill)
        .with("selection", &incident.selection)
        .with("reason", reason_name(incident.reason))
        .maybe("explanation", incident.explanation.as_ref())
        .with("created", incident.created);
    match &incident.end {
        Some(end) => sheet.with("revoke_at", end.at).with("decided_by", &end.by),
        None => sheet,
    }
}

/// An incident in one line.
fn line(incident: &Incident) -> Sheet {
    Sheet::new()
        .with("id", incident.id)
        .with("name", &incident.name)
        .with("status", incident.status.as_str())
        .json("drill", incident.drill)
        .with("created", incident.created)
        .maybe("revoke_at", incident.end.as_ref().map(|end| end.at))
}
