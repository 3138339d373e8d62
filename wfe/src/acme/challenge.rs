//! Challenges: saying that one can be validated, and reading it (RFC 8555 §7.5.1).

use std::sync::Arc;

use axum::extract::State;
use cairn_core::api::ra::PerformValidationRequest;
use cairn_core::{AuthorizationId, Error, ErrorKind};
use http::StatusCode;
use http::header::{LINK, RETRY_AFTER};

use super::authorization;
use crate::WebFrontEnd;
use crate::links::{Id, Kind, Resource};
use crate::signed::Signed;
use crate::wire::{Answer, ChallengeObject, ChallengeResponse, answer};

/// `POST /challenge/{authorization id}/{type}`.
pub(crate) async fn challenge(
    State(wfe): State<Arc<WebFrontEnd>>,
    Id(id): Id<AuthorizationId>,
    Kind(challenge): Kind,
    signed: Signed<Option<ChallengeResponse>>,
) -> Answer {
    let authz = match signed.payload {
        Some(ChallengeResponse {}) => {
            let (account, thumbprint) = (signed.signer.id, signed.signer.thumbprint());
            let request = PerformValidationRequest { account, authorization: id, challenge, thumbprint };
            wfe.ra.perform_validation(request).await?
        }
        None => authorization::own(&signed.signer, wfe.sa.authorization(id).await?)?,
    };
    if !authz.challenges.contains(&challenge) {
        return Err(Error::new(ErrorKind::NotFound, "The authorization offers no such challenge.").into());
    }
    let object = ChallengeObject::new(&signed.visit, &authz, challenge, wfe.clock.now());
    let mut response = answer(StatusCode::OK, &object)?;
    response.headers_mut().append(LINK, signed.visit.link(Resource::Authorization(id)).relation("up")?);
    if object.is_processing() {
        response.headers_mut().insert(RETRY_AFTER, wfe.retry_after.clone());
    }
    Ok(response)
}
