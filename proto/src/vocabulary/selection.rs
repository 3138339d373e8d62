//! Which certificates an operator means.

use cairn_core::selection::MOST_SERIALS;
use cairn_core::{SelectedName, Selection, Serial, Stretch, Timestamp};

use super::{account_id, issuer_id, serial, sha256};
use crate::reading::{BadMessage, Read, maybe, present};
use crate::v1;
use crate::v1::stretch::Part;

impl From<Selection> for v1::Selection {
    fn from(selection: Selection) -> Self {
        let Selection { account, name, key, issuer, issued_before, issued_after, profile } = selection;
        let (name, subdomains) = name.map(|it| (it.name.into(), it.subdomains)).unzip();
        Self {
            account: account.map(|id| id.as_bytes().to_vec()),
            name,
            subdomains,
            key: key.map(|key| key.to_vec()),
            issuer: issuer.map(|id| id.as_bytes().to_vec()),
            issued_before: issued_before.map(Timestamp::unix),
            issued_after: issued_after.map(Timestamp::unix),
            profile,
        }
    }
}

impl TryFrom<v1::Selection> for Selection {
    type Error = BadMessage;

    fn try_from(it: v1::Selection) -> Read<Self> {
        let name = match maybe(it.name)? {
            None => None,
            Some(name) => {
                Some(SelectedName { name, subdomains: present("Selection.subdomains", it.subdomains)? })
            }
        };
        Ok(Self {
            account: it.account.map(|id| account_id("Selection.account", &id)).transpose()?,
            name,
            key: it.key.map(|key| sha256("Selection.key", &key)).transpose()?,
            issuer: it.issuer.map(|id| issuer_id("Selection.issuer", &id)).transpose()?,
            issued_before: it.issued_before.map(Timestamp::from_unix),
            issued_after: it.issued_after.map(Timestamp::from_unix),
            profile: it.profile,
        })
    }
}

impl From<Vec<Serial>> for v1::SerialList {
    fn from(serials: Vec<Serial>) -> Self {
        Self { serials: serials.iter().map(|serial| serial.as_bytes().to_vec()).collect() }
    }
}

impl TryFrom<v1::SerialList> for Vec<Serial> {
    type Error = BadMessage;

    fn try_from(it: v1::SerialList) -> Read<Self> {
        it.serials.iter().map(|octets| serial("SerialList.serials", octets)).collect()
    }
}

impl From<Stretch> for v1::Stretch {
    fn from(stretch: Stretch) -> Self {
        let part = match stretch {
            Stretch::After(octets) => Part::After(octets),
            Stretch::These(serials) => Part::These(serials.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<v1::Stretch> for Stretch {
    type Error = BadMessage;

    fn try_from(it: v1::Stretch) -> Read<Self> {
        match present("Stretch.part", it.part)? {
            Part::After(octets) => Ok(Self::After(octets)),
            Part::These(list) if list.serials.len() > MOST_SERIALS => {
                Err(BadMessage::new("Stretch.these", "are more than one call looks at"))
            }
            Part::These(list) => Ok(Self::These(list.try_into()?)),
        }
    }
}
