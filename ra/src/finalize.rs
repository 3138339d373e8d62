//! From a ready order and a CSR to a certificate, RFC 8555 §7.4.

use std::collections::BTreeSet;
use std::time::Duration;

use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::ra::FinalizeOrderRequest;
use cairn_core::api::sa::SubjectKey;
use cairn_core::api::{IssuanceRequest, KeyUse};
use cairn_core::{
    Error, ErrorKind, Identifier, Jwk, Order, OrderId, OrderProgress, OrderStatus, OrderWithAuthorizations,
    Problem, ProblemType, Result,
};
use cairn_x509::{Csr, PublicKey, SubjectAltName};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Instrument;

use crate::in_flight::Working;
use crate::metrics::{self, Ended};
use crate::{Ra, audit, not_found};

/// How long the certificate authority may take. It signs and writes two rows; beyond this something is stuck. Then nobody knows
/// whether there is a certificate, and the order stays in processing until the sweeper looks.
pub(crate) const ISSUANCE_LIMIT: Duration = Duration::from_secs(60);

/// How many names of each kind a complaint lists, so that it stays readable.
const NAMES_SHOWN: usize = 3;

/// Starts issuance and waits a moment for it.
///
/// 1. The order must be the account's, and ready.
/// 2. The CSR must be for exactly the order's names, with a key that may be certified. If not, the order stays ready.
/// 3. There must be a free slot; then the storage marks the order as processing. Of two racing requests, one does.
/// 4. Issuance runs as a task. If it is quick, its outcome is the answer.
#[tracing::instrument(level = "debug", skip_all, fields(order.id = %request.order, account.id = %request.account))]
pub(crate) async fn finalize_order(
    ra: &Ra,
    request: FinalizeOrderRequest,
) -> Result<OrderWithAuthorizations> {
    let found = ra.deps.sa.order(request.order).await?;
    let mut found =
        found.filter(|found| found.order.account == request.account).ok_or_else(|| not_found("order"))?;
    check_ready(found.status(ra.deps.clock.now()))?;
    let csr = Csr::parse(&request.csr).map_err(|error| bad_csr(error.to_string()))?;
    check_names(&csr, &found.order.identifiers)?;
    let key = check_key(ra, csr.public_key()).await?;

    let permit = ra.permit(&ra.issuances).inspect_err(|_| metrics::issuance_refused())?;
    let working = ra.issuing.begin(request.order).ok_or_else(being_finalized)?;
    let now = ra.deps.clock.now();
    match ra.deps.sa.set_order_processing(request.order, key, ra.worker, now).await {
        Err(error) if error.kind == ErrorKind::Conflict => return Err(why_not_begun(ra, key).await?),
        outcome => outcome?,
    }
    found.order.progress = OrderProgress::Processing { since: now };
    audit::issuance_begun(&found.order);
    let issuance =
        Issuance { request: issuance_request(&found.order, &csr), order: request.order, permit, working };
    let task = ra.deps.tracker.spawn(run(ra.clone(), issuance).in_current_span());
    // A task that is not finished goes on when its handle is dropped; one that panicked is left to the sweeper.
    if let Ok(Ok(Some(progress))) = tokio::time::timeout(ra.config.answer_grace.duration(), task).await {
        found.order.progress = progress;
    }
    Ok(found)
}

fn check_ready(status: OrderStatus) -> Result<()> {
    let advice = match status {
        OrderStatus::Ready => return Ok(()),
        OrderStatus::Pending => "the order is pending; complete its authorizations first",
        OrderStatus::Processing => return Err(being_finalized()),
        OrderStatus::Valid => {
            "the order is valid; its certificate is issued, and another one needs a new order"
        }
        OrderStatus::Invalid => "the order is invalid; place a new order",
    };
    Err(Error::new(ErrorKind::OrderNotReady, advice))
}

fn being_finalized() -> Error {
    Error::new(ErrorKind::OrderNotReady, "the order is being finalized; poll it until it is valid or invalid")
}

fn bad_csr(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadCsr, detail)
}

/// RFC 8555 §7.4: the CSR MUST indicate the exact same set of identifiers as the order.
fn check_names(csr: &Csr, identifiers: &[Identifier]) -> Result<()> {
    if csr.wants_must_staple() {
        return Err(bad_csr(
            "the CSR asks for must-staple, but this CA runs no OCSP responder; make a CSR without it",
        ));
    }
    let ordered: BTreeSet<SubjectAltName> = identifiers.iter().map(subject_alt_name).collect();
    let asked: BTreeSet<SubjectAltName> = csr.names().iter().cloned().collect();
    if asked == ordered {
        return Ok(());
    }
    let mut complaints = Vec::new();
    if let Some(names) = shown(ordered.difference(&asked)) {
        complaints.push(format!("it lacks {names}"));
    }
    if let Some(names) = shown(asked.difference(&ordered)) {
        complaints.push(format!("it asks for {names} besides"));
    }
    let complaints = complaints.join(" and ");
    Err(bad_csr(format!(
        "the CSR is not for the names of the order: {complaints}; make a CSR for exactly these names"
    )))
}

fn subject_alt_name(identifier: &Identifier) -> SubjectAltName {
    match identifier {
        Identifier::Dns(name) => SubjectAltName::Dns(name.as_str().to_owned()),
        Identifier::Ip(address) => SubjectAltName::Ip(*address),
    }
}

/// The first names, and how many more there are; `None` if there are none.
fn shown<'a>(names: impl Iterator<Item = &'a SubjectAltName>) -> Option<String> {
    let names: Vec<String> = names.map(SubjectAltName::to_string).collect();
    let first = names.get(..NAMES_SHOWN.min(names.len()))?.join(", ");
    match names.len() {
        0 => None,
        count if count > NAMES_SHOWN => Some(format!("{first} and {} more", count - NAMES_SHOWN)),
        _ => Some(first),
    }
}

/// The key, if policy has nothing against it. Whether it is known to others is for the storage to say.
async fn check_key(ra: &Ra, key: &PublicKey) -> Result<SubjectKey> {
    match ra.deps.pa.good_key(key.der(), KeyUse::Certificate).await {
        // What does not read as a JWK is no account's.
        Ok(()) => Ok(SubjectKey {
            spki_sha256: key.sha256(),
            thumbprint: Jwk::from_spki_der(key.der()).ok().map(|jwk| jwk.thumbprint()),
        }),
        // It is the CSR that the client must make anew (RFC 8555 §7.4), and not its account key, as `badPublicKey` would say.
        Err(error) if error.kind == ErrorKind::BadPublicKey => Err(bad_csr(error.detail)),
        Err(error) => Err(error),
    }
}

/// Why the storage did not let an order begin that was ready a moment ago. Asked only then: of all keys, hardly any is refused.
async fn why_not_begun(ra: &Ra, key: SubjectKey) -> Result<Error> {
    if ra.deps.sa.key_blocked(key.spki_sha256).await? {
        return Ok(bad_csr("the CSR's key is known to be compromised; make a new one"));
    }
    // RFC 8555 §11.1: a CA SHOULD refuse a key that is some account's.
    if let Some(thumbprint) = key.thumbprint
        && ra.deps.sa.account_by_key(thumbprint).await?.is_some()
    {
        return Ok(bad_csr("the CSR's key is an account's key; make a new one for the certificate"));
    }
    Ok(being_finalized())
}

/// All that the certificate authority learns: the CSR ends here.
fn issuance_request(order: &Order, csr: &Csr) -> IssuanceRequest {
    IssuanceRequest {
        order: Some(order.id),
        account: Some(order.account),
        profile: order.profile.clone(),
        public_key: csr.public_key().der().to_vec(),
        identifiers: order.identifiers.clone(),
    }
}

/// An issuance that is marked as running in the storage, with its slot.
struct Issuance {
    request: IssuanceRequest,
    order: OrderId,
    permit: OwnedSemaphorePermit,
    working: Working<OrderId>,
}

/// Issues, sees that the outcome is stored, and gives the progress that the order then has; `None` if that is not known.
#[tracing::instrument(level = "debug", skip_all, fields(order.id = %issuance.order))]
async fn run(ra: Ra, issuance: Issuance) -> Option<OrderProgress> {
    let began = Instant::now();
    let Issuance { request, order, permit, working } = issuance;
    // An order has one intent to sign at most: asking again after a call without an answer either issues for the first time, or is told
    // that it was begun.
    let attempts = ra.persist("issue a certificate", || ra.deps.ca.issue_certificate(request.clone()));
    let progress = match tokio::time::timeout(ISSUANCE_LIMIT, attempts).await {
        // It was stored together with its certificate.
        Ok(Ok(IssuedCertificate { serial, .. })) => {
            audit::issuance_done(order, &serial);
            Some(OrderProgress::Issued { serial })
        }
        // Issuance for this order was begun before, or it broke off, perhaps on the way back from another process: only the storage
        // knows how it went. Either the order has ended with its certificate, or the sweeper gives it up when whatever still runs has ended.
        Ok(Err(error)) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::Internal) => {
            audit::issuance_failed(order, &error);
            None
        }
        Ok(Err(error)) => {
            audit::issuance_failed(order, &error);
            failed(&ra, order, problem_of(&error)).await.ok()
        }
        Err(elapsed) => {
            audit::issuance_failed(order, &Error::internal("issuance took too long", elapsed));
            None
        }
    };
    drop((permit, working));
    let ended = match &progress {
        Some(OrderProgress::Issued { .. }) => Ended::Issued,
        Some(_) => Ended::Failed,
        None => Ended::Unknown,
    };
    metrics::issuance(ended, began);
    progress
}

/// What the client is told of an issuance that failed: that the CA may not certify a name; of all else, that it is our fault. The rest
/// stands in the log alone.
fn problem_of(error: &Error) -> Problem {
    match error.kind {
        ErrorKind::RejectedIdentifier => error.into(),
        _ => nothing_issued(),
    }
}

/// A fault of ours.
pub(crate) fn nothing_issued() -> Problem {
    let detail = "the certificate could not be issued because of a fault of the CA; place a new order";
    Problem::new(ProblemType::ServerInternal, detail)
}

/// Ends an order for which nothing was issued.
pub(crate) async fn failed(ra: &Ra, order: OrderId, problem: Problem) -> Result<OrderProgress> {
    ra.persist("end an order without a certificate", || ra.deps.sa.set_order_error(order, problem.clone()))
        .await?;
    Ok(OrderProgress::Failed { problem })
}
