//! Authorizations: reading one (RFC 8555 §7.5) and giving it up (§7.5.2).

use std::sync::Arc;

use axum::extract::State;
use cairn_core::{Account, Authorization, AuthorizationId, Error, ErrorKind};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::WebFrontEnd;
use crate::links::Id;
use crate::signed::{Asking, Signed};
use crate::wire::{Answer, AuthorizationObject, AuthorizationUpdate, answer};

/// `POST /authz/{id}`.
pub(crate) async fn authorization(
    State(wfe): State<Arc<WebFrontEnd>>,
    Id(id): Id<AuthorizationId>,
    signed: Signed<Option<AuthorizationUpdate>, Asking<Authorization>>,
) -> Answer {
    let Asking { account, found } = signed.signer;
    let authz = match signed.payload {
        None => own(&account, found)?,
        Some(update) if update.status.as_deref() == Some("deactivated") => {
            wfe.ra.deactivate_authorization(account.id, id).await?
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

/// What was found, if it is the account's. One of another account is not there (RFC 8555 §10.5).
pub(super) fn own(account: &Account, found: Option<Authorization>) -> Result<Authorization, Error> {
    let authz = found.filter(|authz| authz.account == account.id);
    authz.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no such authorization of this account."))
}
