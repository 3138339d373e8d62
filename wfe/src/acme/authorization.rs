//! Authorizations: reading one (RFC 8555 §7.5) and giving it up (§7.5.2).

use std::sync::Arc;

use axum::extract::State;
use cairn_core::{Account, Authorization, AuthorizationId, Error, ErrorKind};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::WebFrontEnd;
use crate::links::Id;
use crate::signed::Signed;
use crate::wire::{Answer, AuthorizationObject, AuthorizationUpdate, answer};

/// `POST /authz/{id}`.
pub(crate) async fn authorization(
    State(wfe): State<Arc<WebFrontEnd>>,
    Id(id): Id<AuthorizationId>,
    signed: Signed<Option<AuthorizationUpdate>>,
) -> Answer {
    let authz = match signed.payload {
        None => own(&wfe, &signed.signer, id).await?,
        Some(update) if update.status.as_deref() == Some("deactivated") => {
            wfe.ra.deactivate_authorization(signed.signer.id, id).await?
        }
        Some(_) => {
            let detail = "The one change that an authorization takes is {\"status\": \"deactivated\"}.";
            return Err(Error::new(ErrorKind::Malformed, detail).into());
        }
    };
    let object = AuthorizationObject::new(&signed.visit, &authz, wfe.clock.now());
    let mut response = answer(StatusCode::OK, &object)?;
    if object.is_processing() {
        response.headers_mut().insert(RETRY_AFTER, wfe.retry_after.clone());
    }
    Ok(response)
}

/// An authorization of the account. One of another account is not there (RFC 8555 §10.5).
pub(super) async fn own(
    wfe: &WebFrontEnd,
    account: &Account,
    id: AuthorizationId,
) -> Result<Authorization, Error> {
    let authz = wfe.sa.authorization(id).await?.filter(|authz| authz.account == account.id);
    authz.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no such authorization of this account."))
}
