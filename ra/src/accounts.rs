//! Accounts: making, changing and closing them, RFC 8555 §7.3.

use cairn_core::api::KeyUse;
use cairn_core::api::ra::{NewAccountRequest, NewAccountResponse};
use cairn_core::{Account, AccountId, AccountStatus, Error, ErrorKind, Jwk, Result};
use cairn_x509::PublicKey;

use crate::{Ra, audit};

/// How many contacts an account may have. Nobody needs more, and each is stored and sent back with every account object.
const MAX_CONTACTS: usize = 10;

/// Longest address in octets: RFC 5321 §4.5.3.1.3 allows a path of 256 with its two brackets.
const MAX_ADDRESS: usize = 254;

/// Longest part in front of the `@`, RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_PART: usize = 64;

/// The account for a key, made if there is none.
///
/// 1. A key that has an account gets that one, whatever else the request says (RFC 8555 §7.3.1).
/// 2. The key must be good and not blocked, the contacts well-formed.
/// 3. Of two racing requests for one key, the storage lets one make the account, and the other finds it.
#[tracing::instrument(level = "debug", skip_all)]
pub(crate) async fn new_account(ra: &Ra, request: NewAccountRequest) -> Result<NewAccountResponse> {
    if let Some(account) = ra.deps.sa.account_by_key(request.key.thumbprint()).await? {
        return existing(account);
    }
    check_key(ra, &request.key).await?;
    check_contacts(&request.contact)?;

    let now = ra.deps.clock.now();
    let account = Account {
        id: AccountId::new(now, ra.deps.random.as_ref()),
        key: request.key,
        contact: request.contact,
        status: AccountStatus::Valid,
        created: now,
    };
    match ra.deps.sa.new_account(account.clone()).await? {
        Some(winner) => existing(winner),
        None => {
            audit::account_created(&account);
            Ok(NewAccountResponse { account, created: true })
        }
    }
}

fn existing(account: Account) -> Result<NewAccountResponse> {
    match account.status {
        AccountStatus::Valid => Ok(NewAccountResponse { account, created: false }),
        AccountStatus::Deactivated | AccountStatus::Revoked => Err(Error::new(
            ErrorKind::AccountNotValid,
            format!(
                "the account of this key is {}; make an account with another key",
                account.status.as_str()
            ),
        )),
    }
}

async fn check_key(ra: &Ra, key: &Jwk) -> Result<()> {
    let spki = key.to_spki_der();
    ra.deps.pa.good_key(&spki, KeyUse::Account).await?;
    let bad = |detail: String| Error::new(ErrorKind::BadPublicKey, detail);
    let key = PublicKey::from_der(&spki).map_err(|error| bad(error.to_string()))?;
    if ra.deps.sa.key_blocked(key.sha256()).await? {
        return Err(bad("this key is known to be compromised; make a new one".to_owned()));
    }
    Ok(())
}

/// Replaces an account's contacts; an empty list clears them.
#[tracing::instrument(level = "debug", skip_all, fields(account.id = %account))]
pub(crate) async fn update_account(ra: &Ra, account: AccountId, contact: Vec<String>) -> Result<Account> {
    check_contacts(&contact)?;
    let account = ra.deps.sa.set_contact(account, contact).await.map_err(closed)?;
    audit::account_updated(&account);
    Ok(account)
}

/// Closes an account, RFC 8555 §7.3.6.
#[tracing::instrument(level = "debug", skip_all, fields(account.id = %account))]
pub(crate) async fn deactivate_account(ra: &Ra, account: AccountId) -> Result<Account> {
    let account = ra.deps.sa.deactivate_account(account).await.map_err(closed)?;
    audit::account_deactivated(account.id);
    Ok(account)
}

/// The storage changes valid accounts alone.
fn closed(error: Error) -> Error {
    match error.kind {
        ErrorKind::Conflict => {
            Error::new(ErrorKind::AccountNotValid, "the account is closed; make one with another key")
        }
        _ => error,
    }
}

fn check_contacts(contacts: &[String]) -> Result<()> {
    if contacts.len() > MAX_CONTACTS {
        return Err(invalid(format!(
            "{} contacts are too many; give at most {MAX_CONTACTS}",
            contacts.len()
        )));
    }
    contacts.iter().try_for_each(|contact| check_contact(contact))
}

/// RFC 8555 §7.3: a `mailto` URL (RFC 6068) with one address and no header fields.
fn check_contact(contact: &str) -> Result<()> {
    let (scheme, address) = contact
        .split_once(':')
        .ok_or_else(|| invalid("a contact is no URL; write it as \"mailto:\" and an address".to_owned()))?;
    // RFC 3986 §3.1: schemes are compared without regard to case.
    if !scheme.eq_ignore_ascii_case("mailto") {
        return Err(Error::new(
            ErrorKind::UnsupportedContact,
            "a contact has another scheme than mailto; give an e-mail address as \"mailto:\" and the address",
        ));
    }
    if address.contains(['?', ',']) {
        return Err(invalid(
            "a contact has header fields or several addresses; give each address by itself".to_owned(),
        ));
    }
    if is_address(address) {
        Ok(())
    } else {
        Err(invalid("a contact is no e-mail address; write it as \"mailto:admin@example.com\"".to_owned()))
    }
}

/// Whether `text` looks like an address that mail can be sent to: a dot-atom (RFC 5322 §3.2.3), `@`, a DNS name. Quoted local
/// parts, comments and international addresses are refused.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&'*+-/=^_`{|}~".contains(&byte))
    };
    let is_domain = domain.parse::<cairn_core::DnsName>().is_ok_and(|name| !name.is_wildcard());
    text.len() <= MAX_ADDRESS && local.len() <= MAX_LOCAL_PART && local.split('.').all(is_atom) && is_domain
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidContact, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(contact: &str) -> Result<(), ErrorKind> {
        check_contact(contact).map_err(|error| error.kind)
    }

    #[test]
    fn mail_addresses_are_contacts() {
        for contact in
            ["mailto:admin@example.com", "MAILTO:a.b+acme@mail.example.com", "mailto:root@localhost"]
        {
            assert_eq!(verdict(contact), Ok(()), "{contact}");
        }
    }

    #[test]
    fn other_schemes_are_unsupported() {
        for contact in ["tel:+15551234567", "https://example.com", "sip:a@example.com"] {
            assert_eq!(verdict(contact), Err(ErrorKind::UnsupportedContact), "{contact}");
        }
    }

    #[test]
    fn what_is_not_exactly_one_address_is_invalid() {
        let long = format!("mailto:a@{}example.com", "a.".repeat(130));
        for contact in [
            "",
            "admin@example.com",
            "mailto:",
            "mailto:admin",
            "mailto:@example.com",
            "mailto:a@b@example.com",
            "mailto:a@example.com?subject=x",
            "mailto:a@example.com,b@example.com",
            "mailto:a b@example.com",
            "mailto:a\n@example.com",
            "mailto:ä@example.com",
            "mailto:a..b@example.com",
            "mailto:a%20b@example.com",
            "mailto:a@*.example.com",
            "mailto:a@example..com",
            &long,
        ] {
            assert_eq!(verdict(contact), Err(ErrorKind::InvalidContact), "{contact:?}");
        }
    }

    #[test]
    fn contacts_are_bounded_in_number() {
        let contacts = vec!["mailto:admin@example.com".to_owned(); MAX_CONTACTS + 1];
        assert!(check_contacts(&contacts[1..]).is_ok());
        assert_eq!(check_contacts(&contacts).unwrap_err().kind, ErrorKind::InvalidContact);
        assert!(check_contacts(&[]).is_ok());
    }
}
