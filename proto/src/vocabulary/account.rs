//! Accounts.

use cairn_core::{Account, AccountStatus};

use super::{account_id, jwk};
use crate::reading::{BadMessage, Read, same_names, time, value};
use crate::v1;

same_names!(AccountStatus { Valid, Deactivated, Revoked });

impl From<Account> for v1::Account {
    fn from(account: Account) -> Self {
        let Account { id, key, contact, status, created } = account;
        Self {
            id: id.as_bytes().to_vec(),
            key: key.to_spki_der(),
            contact,
            status: v1::AccountStatus::from(status).into(),
            created: Some(created.unix()),
        }
    }
}

impl TryFrom<v1::Account> for Account {
    type Error = BadMessage;

    fn try_from(wire: v1::Account) -> Read<Self> {
        let v1::Account { id, key, contact, status, created } = wire;
        Ok(Self {
            id: account_id("Account.id", &id)?,
            key: jwk("Account.key", &key)?,
            contact,
            status: value::<v1::AccountStatus, _>("Account.status", status)?,
            created: time("Account.created", created)?,
        })
    }
}
