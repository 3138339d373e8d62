//! Validating challenges, RFC 8555 §7.5.1, and giving authorizations up, §7.5.2.

use std::time::Duration;

use cairn_core::api::ra::PerformValidationRequest;
use cairn_core::api::{ValidationRequest, ValidationResult};
use cairn_core::{
    AccountId, Authorization, AuthorizationId, AuthorizationProgress, AuthorizationStatus, ChallengeType,
    Error, ErrorKind, Problem, ProblemType, Result, Thumbprint,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Instrument;

use crate::in_flight::Working;
use crate::metrics::{self, Validated};
use crate::{Ra, audit, not_found};

/// How long all attempts to validate one challenge may take. The validation authority has bounds of its own, which are far
/// below; this one only keeps a fault in it from holding a slot for ever.
pub(crate) const VALIDATION_LIMIT: Duration = Duration::from_secs(120);

/// Starts a validation and waits a moment for it.
///
/// 1. The authorization must be the account's and offer the challenge.
/// 2. If one of its challenges was answered before, nothing is done (RFC 8555 §8.2: the server may be validating already).
/// 3. It must not have expired, nor the challenge been switched off; and there must be a free slot.
/// 4. The validation runs as a task; in this process, one at a time for an authorization. If it is quick, its outcome is stored and is
///    the answer: that the validation had begun was never of interest to anybody.
/// 5. If it is not, the storage marks the authorization as being validated before the client is told so.
#[tracing::instrument(level = "debug", skip_all, fields(authorization.id = %request.authorization, account.id = %request.account))]
pub(crate) async fn perform_validation(ra: &Ra, request: PerformValidationRequest) -> Result<Authorization> {
    let authz = owned(ra, request.account, request.authorization).await?;
    if !authz.challenges.contains(&request.challenge) {
        return Err(not_found("challenge in this authorization"));
    }
    if authz.progress != AuthorizationProgress::Pending {
        return Ok(authz);
    }
    check_possible(ra, &authz, request.challenge).await?;
    let permit = ra.permit(&ra.validations).inspect_err(|_| metrics::validation_refused())?;
    let PerformValidationRequest { challenge, thumbprint, .. } = request;
    if let Some(working) = ra.validating.begin(authz.id) {
        let validation = Validation { authz: authz.clone(), challenge, thumbprint, permit, working };
        let task = ra.deps.tracker.spawn(run(ra.clone(), validation).in_current_span());
        // A task that is not finished goes on when its handle is dropped.
        if let Ok(Ok(Some(ended))) = tokio::time::timeout(ra.config.answer_grace.duration(), task).await {
            return Ok(ended);
        }
    }
    let since = ra.deps.clock.now();
    // From here on the sweeper minds it, should the task or this process not come to an end.
    match ra.deps.sa.set_authorization_processing(authz.id, challenge, ra.worker, since).await {
        Ok(_) => {
            Ok(Authorization { progress: AuthorizationProgress::Validating { challenge, since }, ..authz })
        }
        // It has ended just now, or was given up, or another process validates it.
        Err(error) if error.kind == ErrorKind::Conflict => owned(ra, request.account, authz.id).await,
        Err(error) => Err(error),
    }
}

/// The authorization, if it is the account's.
async fn owned(ra: &Ra, account: AccountId, id: AuthorizationId) -> Result<Authorization> {
    let authz = ra.deps.sa.authorization(id).await?;
    authz.filter(|authz| authz.account == account).ok_or_else(|| not_found("authorization"))
}

async fn check_possible(ra: &Ra, authz: &Authorization, challenge: ChallengeType) -> Result<()> {
    let malformed = |detail: String| Err(Error::new(ErrorKind::Malformed, detail));
    if authz.status(ra.deps.clock.now()) == AuthorizationStatus::Expired {
        return malformed("the authorization expired; place a new order".to_owned());
    }
    if !ra.deps.pa.challenge_enabled(challenge, &authz.identifier, authz.wildcard).await? {
        return malformed(format!(
            "this CA has switched {challenge} off; use another challenge, or place a new order"
        ));
    }
    Ok(())
}

/// A validation to run, with its slot.
pub(crate) struct Validation {
    pub(crate) authz: Authorization,
    pub(crate) challenge: ChallengeType,
    pub(crate) thumbprint: Thumbprint,
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) working: Working<AuthorizationId>,
}

/// Validates, stores the outcome, and gives the authorization as it then is; `None` if the outcome could not be stored, or the
/// validation was cut short by shutdown: then the sweeper will see to it.
#[tracing::instrument(level = "debug", skip_all, fields(authorization.id = %validation.authz.id, challenge = %validation.challenge))]
pub(crate) async fn run(ra: Ra, validation: Validation) -> Option<Authorization> {
    let began = Instant::now();
    let Validation { authz, challenge, thumbprint, permit, working } = validation;
    let request = ValidationRequest {
        authorization: authz.id,
        identifier: authz.identifier.clone(),
        challenge,
        token: authz.token,
        key_authorization: authz.token.key_authorization(thumbprint),
    };
    let attempts = ra.persist("validate a challenge", || ra.deps.va.validate(request.clone()));
    let outcome = tokio::time::timeout(VALIDATION_LIMIT, attempts).await;
    let result = match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(_)) if ra.deps.shutdown.is_cancelled() => return None,
        Ok(Err(_)) | Err(_) => fault_of_ours(),
    };
    let validated = match &result.problem {
        None => Validated::Valid,
        Some(problem) if problem.kind == ProblemType::ServerInternal => Validated::Error,
        Some(_) => Validated::Invalid,
    };
    let ended = end(&ra, authz, challenge, result).await;
    metrics::validation(challenge, if ended.is_some() { validated } else { Validated::Error }, began);
    drop((permit, working));
    ended
}

/// What the client sees when not its answer but the CA failed. The log has the cause.
fn fault_of_ours() -> ValidationResult {
    let detail = "the CA could not validate the challenge because of a fault of its own; place a new order";
    ValidationResult { records: Vec::new(), problem: Some(Problem::new(ProblemType::ServerInternal, detail)) }
}

/// Stores the outcome of a validation.
pub(crate) async fn end(
    ra: &Ra,
    authz: Authorization,
    challenge: ChallengeType,
    result: ValidationResult,
) -> Option<Authorization> {
    let at = ra.deps.clock.now();
    let ValidationResult { records, problem } = result;
    let (progress, expires) = match problem {
        None => {
            let expires = at.plus(ra.config.valid_authorization_lifetime.seconds());
            (AuthorizationProgress::Valid { challenge, at, records }, expires)
        }
        Some(problem) => (AuthorizationProgress::Invalid { challenge, at, records, problem }, authz.expires),
    };
    let ended = Authorization { progress, expires, ..authz };
    let store = || ra.deps.sa.finalize_authorization(ended.id, ended.progress.clone(), ended.expires);
    match ra.persist("store the outcome of a validation", store).await {
        Ok(()) => {
            audit::validation_ended(&ended);
            Some(ended)
        }
        // Given up by its account in the meantime, or ended by another process that took it over.
        Err(error) if error.kind == ErrorKind::Conflict => {
            ra.deps.sa.authorization(ended.id).await.ok().flatten()
        }
        Err(_) => None,
    }
}

/// Gives up an authorization. One that is given up already stays so.
#[tracing::instrument(level = "debug", skip_all, fields(authorization.id = %id, account.id = %account))]
pub(crate) async fn deactivate_authorization(
    ra: &Ra,
    account: AccountId,
    id: AuthorizationId,
) -> Result<Authorization> {
    let authz = owned(ra, account, id).await?;
    if matches!(authz.progress, AuthorizationProgress::Deactivated { .. }) {
        return Ok(authz);
    }
    let given_up = ra.deps.sa.deactivate_authorization(id, ra.deps.clock.now()).await?;
    audit::authorization_deactivated(&given_up);
    Ok(given_up)
}
