//! Accounts: newAccount (RFC 8555 §7.3), and an account's own resource (§7.3.2, §7.3.6).

use std::sync::Arc;

use axum::extract::State;
use cairn_core::api::ra::NewAccountRequest;
use cairn_core::{Account, AccountId, Error, ErrorKind};
use http::StatusCode;
use http::header::LOCATION;

use crate::WebFrontEnd;
use crate::edge::Visit;
use crate::links::{Id, Resource};
use crate::signed::{NewKey, Signed, check_status};
use crate::wire::{AccountObject, AccountUpdate, Answer, NewAccount, answer};

/// `POST /new-account`. A key that has an account gets it back, and nothing in it changes (RFC 8555 §7.3.1).
pub(crate) async fn new_account(
    State(wfe): State<Arc<WebFrontEnd>>,
    Signed { visit, signer: NewKey(key), payload }: Signed<NewAccount, NewKey>,
) -> Answer {
    if payload.only_return_existing == Some(true) {
        let account =
            wfe.sa.account_by_key(key.thumbprint()).await?.ok_or_else(|| {
                Error::new(ErrorKind::AccountDoesNotExist, "There is no account for this key.")
            })?;
        check_status(&account)?;
        return with_location(&visit, StatusCode::OK, &account);
    }
    let contact = payload.contact.unwrap_or_default();
    let response = wfe.ra.new_account(NewAccountRequest { key, contact }).await?;
    let status = if response.created { StatusCode::CREATED } else { StatusCode::OK };
    with_location(&visit, status, &response.account)
}

fn with_location(visit: &Visit, status: StatusCode, account: &Account) -> Answer {
    visit.is_by(account.id);
    let mut response = answer(status, &AccountObject::new(account))?;
    response.headers_mut().insert(LOCATION, visit.link(Resource::Account(account.id)).location()?);
    Ok(response)
}

/// `POST /account/{id}`.
pub(crate) async fn account(
    State(wfe): State<Arc<WebFrontEnd>>,
    Id(id): Id<AccountId>,
    signed: Signed<Option<AccountUpdate>>,
) -> Answer {
    let account = signed.signer;
    if account.id != id {
        return Err(Error::new(ErrorKind::Unauthorized, "This is the URL of another account.").into());
    }
    let account = match signed.payload {
        Some(update) if update.status.as_deref() == Some("deactivated") => {
            wfe.ra.deactivate_account(id).await?
        }
        // RFC 8555 §7.3.2: other statuses and members that a client may not set are ignored.
        Some(AccountUpdate { contact: Some(contact), .. }) => wfe.ra.update_account(id, contact).await?,
        Some(AccountUpdate { contact: None, .. }) | None => account,
    };
    answer(StatusCode::OK, &AccountObject::new(&account))
}
